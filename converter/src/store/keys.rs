//! S3 keys: from the environment, or from Secrets a laptop was handed. Never shown.

use std::collections::BTreeMap;
use std::{env, fmt};

use super::Side;

/// A static key of one side.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// From a Secret's usual key names; none when it lacks one of them.
    #[must_use]
    pub fn from_secret(texts: &BTreeMap<String, String>) -> Option<Self> {
        Self::from_names(|name| texts.get(name).cloned())
    }

    /// From the side's own `SOURCE_AWS_…` or `DESTINATION_AWS_…`, else from `AWS_…`; with neither,
    /// the ambient identity counts.
    #[must_use]
    pub fn from_env(side: Side) -> Option<Self> {
        Self::from_names(|name| setting(side, name))
    }

    fn from_names(text: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (id, secret) = (text("AWS_ACCESS_KEY_ID")?, text("AWS_SECRET_ACCESS_KEY")?);
        Some(Self { id, secret, token: text("AWS_SESSION_TOKEN") })
    }
}

/// Keys of both sides; none means the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    pub source: Option<Keys>,
    pub destination: Option<Keys>,
}

/// A setting of one side out of the environment.
pub(super) fn setting(side: Side, name: &str) -> Option<String> {
    let own = match side {
        Side::Source => "SOURCE_",
        Side::Destination => "DESTINATION_",
    };
    let found = env::var(format!("{own}{name}")).or_else(|_| env::var(name)).ok();
    found.filter(|value| !value.is_empty())
}
