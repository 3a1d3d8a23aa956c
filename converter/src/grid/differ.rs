//! What differs between a file's box and the store's, in words.

use super::texts::Texts;
use crate::zarr::Dtype;

/// The first of two rows of elements that differ: its place, and how each reads. `texts` are those that numbers of texts
/// stand for, on either side.
pub(super) fn first(dtype: Dtype, own: (&[u8], &Texts), store: (&[u8], &Texts)) -> Option<(usize, String, String)> {
    if dtype == Dtype::Object {
        let mut pairs = own.1.of(own.0).zip(store.1.of(store.0)).enumerate();
        return pairs.find(|(_, (own, store))| own != store).map(|(at, (own, store))| (at, format!("{own:?}"), format!("{store:?}")));
    }
    let width = dtype.width().max(1);
    let mut pairs = own.0.chunks_exact(width).zip(store.0.chunks_exact(width)).enumerate();
    pairs.find(|(_, (own, store))| own != store).map(|(at, (own, store))| (at, shown(dtype, own), shown(dtype, store)))
}

/// One element, as people write it.
fn shown(dtype: Dtype, bytes: &[u8]) -> String {
    macro_rules! number {
        ($type:ty) => {
            bytes.first_chunk().map(|bytes| <$type>::from_le_bytes(*bytes).to_string()).unwrap_or_default()
        };
    }
    match dtype {
        Dtype::I8 => number!(i8),
        Dtype::I16 => number!(i16),
        Dtype::I32 => number!(i32),
        Dtype::I64 => number!(i64),
        Dtype::U8 | Dtype::Bool => number!(u8),
        Dtype::U16 => number!(u16),
        Dtype::U32 => number!(u32),
        Dtype::U64 => number!(u64),
        Dtype::F32 => number!(f32),
        Dtype::F64 => number!(f64),
        Dtype::Unicode(_) => {
            let letters = bytes.as_chunks().0.iter().filter_map(|letter| char::from_u32(u32::from_le_bytes(*letter)));
            format!("{:?}", letters.filter(|letter| *letter != '\0').collect::<String>())
        }
        Dtype::Bytes(_) | Dtype::Object => format!("{:?}", String::from_utf8_lossy(bytes).trim_end_matches('\0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told_as_it_reads() {
        let none = Texts::default();
        let doubles = |values: [f64; 3]| values.map(f64::to_le_bytes).concat();
        let found = first(Dtype::F64, (&doubles([1.0, 2.5, 3.0]), &none), (&doubles([1.0, 2.25, 4.0]), &none));
        assert_eq!(found, Some((1, "2.5".into(), "2.25".into())));
        assert_eq!(first(Dtype::F64, (&doubles([1.0; 3]), &none), (&doubles([1.0; 3]), &none)), None);
        let (mut own, mut store) = (Texts::default(), Texts::default());
        let (here, there) = (own.numbers(["north", "south"]), store.numbers(["south", "south"]));
        assert_eq!(first(Dtype::Object, (&here, &own), (&there, &store)), Some((0, "\"north\"".into(), "\"south\"".into())));
        let wide = |text: &str| Dtype::Unicode(4).text_bytes(text);
        let found = first(Dtype::Unicode(4), (&wide("ab"), &none), (&wide("ü"), &none));
        assert_eq!(found, Some((0, "\"ab\"".into(), "\"ü\"".into())));
    }
}
