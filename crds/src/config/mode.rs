//! `handler_class`: how the files of a dataset are read.

use serde_json::{Value, json};

use super::Format;
use super::finding::Findings;
use super::node::Node;

/// The reading of a dataset's files, as the incumbent's handlers do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Generic,
    /// Argo profiles: levels and profiles only.
    Argo,
    /// Hourly time series of moorings: observations joined with their instruments.
    AnmnHourly,
    /// Bio-optical ragged arrays; `spectral_flatten` makes a row of each wavelength.
    Bodbaw { spectral_flatten: bool },
    /// Satellite tags: CSV with several numbers packed into one cell.
    Aatams,
}

impl Mode {
    /// What the content hash sees; nothing for the generic one.
    pub(super) fn canonical(self) -> Value {
        match self {
            Self::Generic => Value::Null,
            Self::Argo => json!("argo"),
            Self::AnmnHourly => json!("anmn_hourly"),
            Self::Bodbaw { spectral_flatten } => json!({"bodbaw": {"spectral_flatten": spectral_flatten}}),
            Self::Aatams => json!("aatams"),
        }
    }
}

const GENERIC: &[&str] = &[
    "GenericHandler",
    "GenericParquetHandler",
    "GenericParquetHandler.GenericHandler",
    "GenericZarrHandler",
    "GenericZarrHandler.GenericHandler",
];
const SPECIAL: &str = "ArgoHandler, AnmnHourlyTsHandler, BODBAWHandler, AatamsSatelliteTaggingHandler";

/// A name stands for a module and a class of the same name; `Module.Class` says both.
pub(super) fn mode(root: &Node<'_>, format: Option<Format>, findings: &mut Findings) -> Mode {
    let named = root.text_of("handler_class", findings).filter(|name| !name.is_empty());
    let class = named.map(|name| match name.split_once('.') {
        Some((module, class)) if module == class => class,
        _ => name,
    });
    let mut mode = match class {
        None => Mode::Generic,
        Some(name) if GENERIC.contains(&name) => Mode::Generic,
        Some("ArgoHandler") => Mode::Argo,
        Some("AnmnHourlyTsHandler") => Mode::AnmnHourly,
        Some("BODBAWHandler") => Mode::Bodbaw { spectral_flatten: false },
        Some("AatamsSatelliteTaggingHandler") => Mode::Aatams,
        Some(name) => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            let message = format!("`{name}` is not known; remove it to use the generic handler, or write one of {SPECIAL}");
            findings.unsupported("handler_class", message);
            Mode::Generic
        }
    };
    if let (Some(Format::Zarr), Some(name)) = (format, class)
        && mode != Mode::Generic
    {
        findings.error("handler_class", format!("`{name}` makes tables only; write `cloud_optimised_format: parquet`, or remove it"));
    }
    spectral_flatten(root, &mut mode, findings);
    mode
}

fn spectral_flatten(root: &Node<'_>, mode: &mut Mode, findings: &mut Findings) {
    let Some(options) = root.get("netcdf_read_config") else { return };
    if options.object(findings).is_none() {
        return;
    }
    let Some(flag) = options.get("spectral_flatten") else { return };
    let on = flag.flag(findings);
    match mode {
        Mode::Bodbaw { spectral_flatten } => *spectral_flatten = on,
        _ if on => findings.warn(flag.path, "has no effect without `handler_class: BODBAWHandler`; remove it"),
        _ => {}
    }
}
