//! Files that other libraries compressed, by other methods than deflate.

mod laptop;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use converter::read::{self, Values};

#[test]
fn every_compression_of_the_c_library_is_undone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let names = laptop::python("compressed.py", &[], &format!("{}\n", folder.path().display()))?.remove(0);
    let names = names.as_array().context("a list of names")?;
    ensure!(names.len() == 18, "{names:?}");
    for name in names.iter().filter_map(|name| name.as_str()) {
        let reader = read::open(Bytes::from(std::fs::read(folder.path().join(name))?)).context(name.to_owned())?;
        let of = |name: &str| reader.read(reader.position(name).context("it is there")?).with_context(|| name.to_owned());
        let narrow: Vec<i16> = (0..5_000).map(|i| i % 77 - 40).collect();
        ensure!(of("narrow").context(name.to_owned())? == Values::I16(narrow), "{name}");
        let Values::F64(wide) = of("wide").context(name.to_owned())? else { anyhow::bail!("{name}: no doubles") };
        // Python's sine may differ from Rust's in the last digit.
        ensure!(wide.iter().enumerate().all(|(i, value)| (value - (i as f64).sin()).abs() < 1e-12), "{name}");
    }
    Ok(())
}
