use std::collections::BTreeMap;

use super::{Attr, Dtype, Fill, ZarrError, chunk};

/// What `.zarray` holds.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayMetadata {
    /// Elements along each dimension, slowest first; none for a scalar.
    pub shape: Vec<u64>,
    /// Elements of a chunk along each dimension. Chunks at an edge are as large as the others.
    pub chunks: Vec<u64>,
    pub dtype: Dtype,
    pub fill: Fill,
    /// Texts of any length go through the filter vlen-utf8.
    pub vlen: bool,
    /// Chunks go through Blosc. The settings are always those of new arrays: a chunk says itself how to decode it.
    pub compressed: bool,
}

impl ArrayMetadata {
    /// The settings of new arrays: all are compressed, but scalars.
    #[must_use]
    pub fn new(shape: Vec<u64>, chunks: Vec<u64>, dtype: Dtype, fill: Fill) -> Self {
        let compressed = !shape.is_empty();
        Self { shape, chunks, dtype, fill, vlen: dtype == Dtype::Object, compressed }
    }

    /// Elements of one chunk.
    pub fn chunk_elements(&self) -> Result<usize, ZarrError> {
        let mut lengths = self.chunks.iter().map(|&length| usize::try_from(length).ok());
        let product = lengths.try_fold(1_usize, |product, length| product.checked_mul(length?));
        product.ok_or_else(|| self.too_large())
    }

    /// Bytes of one raw chunk, which texts of any length do not have.
    pub fn chunk_bytes(&self) -> Result<usize, ZarrError> {
        if self.dtype == Dtype::Object {
            return Err(ZarrError::chunk("texts of any length have no raw bytes"));
        }
        self.chunk_elements()?.checked_mul(self.dtype.width()).ok_or_else(|| self.too_large())
    }

    /// Chunks along each dimension; none for a scalar, which has one chunk.
    #[must_use]
    pub fn grid(&self) -> Vec<u64> {
        self.shape.iter().zip(&self.chunks).map(|(length, &chunk)| length.div_ceil(chunk.max(1))).collect()
    }

    fn too_large(&self) -> ZarrError {
        ZarrError::chunk(format!("{:?} elements of dtype {} are more than memory can hold", self.chunks, self.dtype))
    }

    /// The text of the `.zarray`.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_attr().to_json()
    }

    pub fn parse(json: &[u8]) -> Result<Self, ZarrError> {
        Self::from_attr(&Attr::parse(json)?)
    }

    pub(super) fn to_attr(&self) -> Attr {
        let lengths = |lengths: &[u64]| Attr::List(lengths.iter().map(|&length| length.into()).collect());
        let filters = self.vlen.then(|| Attr::List(vec![map([("id", "vlen-utf8".into())])]));
        let blosc = || {
            map([
                ("blocksize", Attr::Integer(0)),
                ("clevel", Attr::Integer(i128::from(chunk::LEVEL))),
                ("cname", "lz4".into()),
                ("id", "blosc".into()),
                ("shuffle", Attr::Integer(1)),
            ])
        };
        map([
            ("chunks", lengths(&self.chunks)),
            ("compressor", if self.compressed { blosc() } else { Attr::Null }),
            ("dtype", Attr::Text(self.dtype.to_string())),
            ("fill_value", self.fill.to_attr(self.dtype)),
            ("filters", filters.unwrap_or(Attr::Null)),
            ("order", "C".into()),
            ("shape", lengths(&self.shape)),
            ("zarr_format", Attr::Integer(2)),
        ])
    }

    pub(super) fn from_attr(document: &Attr) -> Result<Self, ZarrError> {
        let fields = document.as_map().ok_or_else(|| ZarrError::document("an array's metadata is not a JSON object"))?;
        expect_format(fields)?;
        if field(fields, "order")?.as_text() != Some("C") {
            return Err(unsupported(fields, "order", "only C order is"));
        }
        if fields.get("dimension_separator").is_some_and(|separator| separator.as_text() != Some(".")) {
            return Err(unsupported(fields, "dimension_separator", "only \".\" is"));
        }
        let shape = lengths(fields, "shape", 0)?;
        let chunks = lengths(fields, "chunks", 1)?;
        if shape.len() != chunks.len() {
            return Err(ZarrError::document(format!("a shape of {} dimensions has chunks of {}", shape.len(), chunks.len())));
        }
        let dtype = field(fields, "dtype")?.as_text().ok_or_else(|| unsupported(fields, "dtype", "only plain types are"))?;
        let dtype = Dtype::parse(dtype)?;
        let vlen = match field(fields, "filters")? {
            Attr::Null => false,
            Attr::List(filters) if filters.is_empty() => false,
            Attr::List(filters) if filters.len() == 1 && id(&filters[0]) == Some("vlen-utf8") => true,
            _ => return Err(unsupported(fields, "filters", "only vlen-utf8 is")),
        };
        if vlen != (dtype == Dtype::Object) {
            return Err(unsupported(fields, "filters", &format!("vlen-utf8 goes with dtype |O and the other way round, this is {dtype}")));
        }
        let compressed = match field(fields, "compressor")? {
            Attr::Null => false,
            compressor if id(compressor) == Some("blosc") => true,
            _ => return Err(unsupported(fields, "compressor", "only Blosc and none are")),
        };
        let fill = Fill::from_attr(field(fields, "fill_value")?, dtype)?;
        Ok(Self { shape, chunks, dtype, fill, vlen, compressed })
    }
}

pub(super) fn map<const N: usize>(items: [(&str, Attr); N]) -> Attr {
    Attr::Map(items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(super) fn expect_format(fields: &BTreeMap<String, Attr>) -> Result<(), ZarrError> {
    if field(fields, "zarr_format")? == &Attr::Integer(2) { Ok(()) } else { Err(unsupported(fields, "zarr_format", "only 2 is")) }
}

fn field<'a>(fields: &'a BTreeMap<String, Attr>, name: &str) -> Result<&'a Attr, ZarrError> {
    fields.get(name).ok_or_else(|| ZarrError::document(format!("there is no {name}")))
}

fn unsupported(fields: &BTreeMap<String, Attr>, name: &str, what_is: &str) -> ZarrError {
    let value = fields.get(name).unwrap_or(&Attr::Null).to_json();
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    ZarrError::document(format!("{name} {value} is not supported: {what_is}"))
}

fn id(codec: &Attr) -> Option<&str> {
    codec.as_map()?.get("id")?.as_text()
}

fn lengths(fields: &BTreeMap<String, Attr>, name: &str, least: u64) -> Result<Vec<u64>, ZarrError> {
    let length = |item: &Attr| u64::try_from(item.as_integer()?).ok().filter(|&length| length >= least);
    let items = field(fields, name)?.as_list().and_then(|items| items.iter().map(length).collect());
    items.ok_or_else(|| unsupported(fields, name, &format!("only a list of whole numbers from {least} is")))
}
