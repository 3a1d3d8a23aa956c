//! One cluster, one release, one archive: what all journeys of a run share.

use std::sync::Mutex;

use anyhow::{Context, Result};
use kube::Client;
use serde_json::json;
use tokio::sync::OnceCell;

use super::archive::Archive;
use super::bucket::{Bucket, fresh_suffix};
use super::load::FirstLoad;
use super::python::Python;
use super::release::{self, CRD};
use super::surroundings::Surroundings;
use super::tool::Tool;

/// Names of the Secrets in every namespace of datasets, as the example resource has them.
pub const READER: &str = "archive-reader";
pub const WRITER: &str = "optimised-writer";

pub struct Bed {
    pub surroundings: Surroundings,
    pub kubectl: Tool,
    pub helm: Tool,
    pub converter: Tool,
    pub python: Python,
    /// Where source files are.
    pub archive: Bucket,
    /// Where datasets go.
    pub optimised: Bucket,
    suffix: String,
    client: OnceCell<Client>,
    notes: OnceCell<String>,
    files: OnceCell<Archive>,
    pub(super) load: OnceCell<Result<FirstLoad, String>>,
    had_definition: OnceCell<bool>,
    namespaces: Mutex<Vec<String>>,
}

impl Bed {
    pub fn new(surroundings: Surroundings) -> Result<Self> {
        let suffix = fresh_suffix();
        Ok(Self {
            kubectl: Tool::new(&surroundings.kubectl),
            helm: Tool::new(&surroundings.helm),
            converter: Tool::new(&surroundings.converter),
            python: Python::new(&surroundings.python),
            archive: Bucket::open(&surroundings, &format!("cod-e2e-archive-{suffix}"))?,
            optimised: Bucket::open(&surroundings, &format!("cod-e2e-optimised-{suffix}"))?,
            surroundings,
            suffix,
            client: OnceCell::new(),
            notes: OnceCell::new(),
            files: OnceCell::new(),
            load: OnceCell::new(),
            had_definition: OnceCell::new(),
            namespaces: Mutex::default(),
        })
    }

    pub async fn client(&self) -> Result<Client> {
        let client = self.client.get_or_try_init(|| async { Client::try_default().await }).await?;
        Ok(client.clone())
    }

    /// The chart is installed; what helm printed then.
    pub async fn installed(&self) -> Result<&str> {
        let notes = self.notes.get_or_try_init(|| async {
            let found = self.kubectl.run(&["get", "crd", CRD, "--ignore-not-found", "--output", "name"]).await?;
            self.had_definition.set(!found.is_empty()).ok();
            release::install(self).await.context("helm install")
        });
        Ok(notes.await?.as_str())
    }

    /// The two buckets, and in the one the 200 files.
    pub async fn files(&self) -> Result<&Archive> {
        self.files
            .get_or_try_init(|| async {
                self.buckets().await?;
                let archive = Archive::write()?;
                archive.upload(&self.archive).await?;
                Ok(archive)
            })
            .await
    }

    pub async fn buckets(&self) -> Result<()> {
        self.python.run("buckets.py", &["make", &self.archive.name, &self.optimised.name]).await?;
        Ok(())
    }

    /// A namespace of this run that enforces the `restricted` level, with the Secrets of the example.
    pub async fn namespace(&self, journey: &str) -> Result<String> {
        self.installed().await?;
        let name = format!("cod-e2e-{journey}-{}", self.suffix);
        self.make_namespace(&name).await?;
        if let Ok(mut namespaces) = self.namespaces.lock() {
            namespaces.push(name.clone());
        }
        for secret in [READER, WRITER] {
            self.set_secret(&name, secret, &self.surroundings.secret_key).await?;
        }
        Ok(name)
    }

    pub async fn make_namespace(&self, name: &str) -> Result<()> {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        });
        self.apply(&namespace.to_string()).await
    }

    /// Credentials for S3 with this secret key, right or wrong.
    pub async fn set_secret(&self, namespace: &str, name: &str, secret_key: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"AWS_ACCESS_KEY_ID": self.surroundings.access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
        });
        self.apply(&secret.to_string()).await
    }

    /// `kubectl apply -f -`
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        self.kubectl.run_with(&["apply", "--filename", "-"], manifest).await?;
        Ok(())
    }

    /// Namespaces of datasets, the latest last.
    pub fn namespaces(&self) -> Vec<String> {
        self.namespaces.lock().map(|names| names.clone()).unwrap_or_default()
    }

    /// Leaves the cluster and the store as they were found.
    pub async fn clear(&self) -> Result<()> {
        for namespace in self.namespaces() {
            let all = ["--namespace", &namespace, "delete", "cod", "--all", "--ignore-not-found", "--timeout=60s"];
            self.kubectl.run(&all).await?;
            self.kubectl.run(&["delete", "namespace", &namespace, "--wait=false"]).await?;
        }
        if self.notes.initialized() {
            release::uninstall(self).await?;
            self.kubectl.run(&["delete", "namespace", release::SYSTEM, "--timeout=60s"]).await?;
        }
        if self.had_definition.get() == Some(&false) {
            self.kubectl.run(&["delete", "crd", CRD, "--ignore-not-found", "--timeout=60s"]).await?;
        }
        self.python.run("buckets.py", &["remove", &self.archive.name, &self.optimised.name]).await?;
        Ok(())
    }
}
