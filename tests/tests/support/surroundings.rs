//! What `tests/run cluster` has prepared, as the environment tells.

use std::path::PathBuf;

/// Programs, addresses and images of a running test cluster.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub kubectl: PathBuf,
    pub helm: PathBuf,
    pub python: PathBuf,
    /// The converter as people run it on a laptop.
    pub converter: PathBuf,
    pub converter_image: String,
    pub operator_image: String,
    pub endpoint: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    /// This machine, as pods see it. Only a cluster of ours has one.
    pub host_address: Option<String>,
    /// Whether the cluster was made for this suite and is thrown away after it.
    pub ours: bool,
}

impl Surroundings {
    /// Reads all of it; the message names what is missing and what to run instead.
    pub fn read() -> Result<Self, String> {
        let mut missing = Vec::new();
        let mut need = |name: &'static str| {
            optional(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        need("KUBECONFIG");
        let found = Self {
            kubectl: need("KUBECTL").into(),
            helm: need("HELM").into(),
            python: need("COD_PYTHON").into(),
            converter: need("COD_CONVERTER").into(),
            converter_image: need("COD_CONVERTER_IMAGE"),
            operator_image: need("COD_OPERATOR_IMAGE"),
            endpoint: need("S3_ENDPOINT"),
            region: optional("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
            access_key: need("AWS_ACCESS_KEY_ID"),
            secret_key: need("AWS_SECRET_ACCESS_KEY"),
            host_address: optional("COD_HOST_ADDRESS"),
            ours: optional("COD_CLUSTER_OURS").as_deref() == Some("1"),
        };
        if missing.is_empty() {
            return Ok(found);
        }
        Err(format!(
            "these tests need a Kubernetes cluster, an S3 server, images and Python, which `tests/run cluster` prepares: run that.\nNot set: {}",
            missing.join(", ")
        ))
    }
}

fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
