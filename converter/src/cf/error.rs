use crds::wire::{Class, Reason};

/// Why a variable cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CfError {
    #[error("variable {variable:?} has units {units:?}, which are not a time: {detail}")]
    Units { variable: String, units: String, detail: String },
    #[error("variable {variable:?} uses the calendar {calendar:?}, whose dates are not those of a timestamp")]
    Calendar { variable: String, calendar: String },
    #[error("variable {variable:?} has times a timestamp cannot hold, such as {value} {units}")]
    TimeRange { variable: String, value: String, units: String },
    #[error("variable {variable:?} has durations a 64-bit count of nanoseconds cannot hold, such as {value} {units}")]
    DurationRange { variable: String, value: String, units: String },
    #[error("variable {variable:?} has attribute {attribute:?} that is not one number: {value}")]
    Attribute { variable: String, attribute: &'static str, value: String },
    #[error("variable {variable:?} does not fit its ragged array: {detail}")]
    Ragged { variable: String, detail: String },
    #[error("variable {variable:?} is not valid {encoding:?} text at value {index}")]
    Encoding { variable: String, encoding: String, index: usize },
}

impl CfError {
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Ragged { .. } => Reason::RaggedMismatch,
            Self::Calendar { .. } => Reason::BadTime,
            Self::Units { .. } | Self::TimeRange { .. } | Self::DurationRange { .. } | Self::Attribute { .. } | Self::Encoding { .. } => {
                Reason::UnreadableFile
            }
        }
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.reason().class()
    }
}
