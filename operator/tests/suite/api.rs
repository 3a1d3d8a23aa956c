//! A small API server behind a tower service: objects by path, resource versions, label selectors,
//! merge and apply patches, finalizers; and a Job controller that does what a test tells it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use crds::wire::Digest;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

pub const NAMESPACE: &str = "data";

#[derive(Default)]
pub struct Store {
    objects: BTreeMap<String, Value>,
    version: u64,
    /// `verb resource[/subresource]` of every request.
    pub requests: Vec<String>,
    /// Answered instead of serving a request whose `verb resource` is the key, once.
    pub refuse: BTreeMap<String, (u16, String)>,
}

#[derive(Clone)]
pub struct Api {
    pub store: Arc<Mutex<Store>>,
    pub clock: Arc<Mutex<Timestamp>>,
}

struct Target {
    resource: String,
    collection: String,
    object: Option<String>,
    sub: Option<String>,
}

/// `/apis/<group>/<version>/namespaces/<ns>/<resource>[/<name>[/<sub>]]`, or `/api/v1/…`.
fn target(path: &str) -> Target {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let at = parts.iter().position(|part| *part == "namespaces").expect("a namespaced path") + 2;
    let group = if parts[0] == "api" { String::new() } else { format!(".{}", parts[1]) };
    let collection = format!("/{}", parts[..=at].join("/"));
    Target {
        resource: format!("{}{group}", parts[at]),
        object: parts.get(at + 1).map(|name| format!("{collection}/{name}")),
        sub: parts.get(at + 2).map(|sub| (*sub).to_owned()),
        collection,
    }
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}))
}

fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

fn selected(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|term| !term.is_empty()).all(|term| {
        let (key, value) = term.split_once('=').expect("only equality is known here");
        object["metadata"]["labels"][key] == json!(value.trim_start_matches('='))
    })
}

impl Store {
    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    fn serve(&mut self, method: &Method, path: &str, query: &BTreeMap<String, String>, body: &Value, now: Timestamp) -> (u16, Value) {
        let to = target(path);
        let verb = match (method.as_str(), &to.object) {
            ("GET", None) => "list",
            ("GET", Some(_)) => "get",
            ("POST", _) => "create",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            other => panic!("{other:?} is not served"),
        };
        let request = format!("{verb} {}{}", to.resource, to.sub.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default());
        self.requests.push(request.clone());
        if let Some((code, message)) = self.refuse.remove(&request) {
            let reason = match code {
                403 => "Forbidden",
                422 => "Invalid",
                _ => "Conflict",
            };
            return failure(code, reason, &message);
        }
        match (verb, to.object) {
            ("list", _) => {
                let selector = query.get("labelSelector").cloned().unwrap_or_default();
                let prefix = format!("{}/", to.collection);
                let items: Vec<&Value> = self
                    .objects
                    .iter()
                    .filter(|(key, _)| key.starts_with(&prefix))
                    .map(|(_, value)| value)
                    .filter(|object| selected(object, &selector))
                    .collect();
                (
                    200,
                    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": self.version.to_string()}, "items": items}),
                )
            }
            ("get", Some(key)) => self.objects.get(&key).map_or_else(|| failure(404, "NotFound", &key), |object| (200, object.clone())),
            ("create", _) => {
                let name = body["metadata"]["name"].as_str().expect("a name").to_owned();
                let key = format!("{}/{name}", to.collection);
                if self.objects.contains_key(&key) {
                    return failure(409, "AlreadyExists", &key);
                }
                (201, self.put(&key, body.clone(), now))
            }
            ("patch", Some(key)) => self.patch(&key, to.sub.as_deref(), body),
            ("delete", Some(key)) => {
                let Some(object) = self.objects.get_mut(&key) else { return failure(404, "NotFound", &key) };
                if object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
                    object["metadata"]["deletionTimestamp"] = json!(now.to_string());
                } else {
                    self.objects.remove(&key);
                }
                (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            (verb, None) => panic!("{verb} of a collection"),
            (verb, Some(_)) => panic!("{verb} is not served"),
        }
    }

    fn put(&mut self, key: &str, mut object: Value, now: Timestamp) -> Value {
        let version = self.next_version();
        let meta = &mut object["metadata"];
        meta["resourceVersion"] = json!(version);
        meta["uid"] = json!(format!("uid-{version}"));
        meta["namespace"] = json!(NAMESPACE);
        if meta["creationTimestamp"].is_null() {
            meta["creationTimestamp"] = json!(now.to_string());
        }
        meta["generation"] = json!(1);
        self.objects.insert(key.to_owned(), object.clone());
        object
    }

    fn patch(&mut self, key: &str, sub: Option<&str>, patch: &Value) -> (u16, Value) {
        let version = self.next_version();
        let Some(object) = self.objects.get_mut(key) else { return failure(404, "NotFound", key) };
        let expected = &patch["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != object["metadata"]["resourceVersion"] {
            return failure(409, "Conflict", "the object has been modified");
        }
        if sub == Some("status") {
            // Applied by one manager alone: what it leaves out goes.
            object["status"] = patch["status"].clone();
        } else {
            let spec = object["spec"].clone();
            merge(object, patch);
            if object["spec"] != spec {
                object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
            }
        }
        object["metadata"]["resourceVersion"] = json!(version);
        let object = object.clone();
        let gone =
            !object["metadata"]["deletionTimestamp"].is_null() && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if gone {
            self.objects.remove(key);
        }
        (200, object)
    }
}

impl Api {
    pub fn new(now: &str) -> Self {
        Self { store: Arc::default(), clock: Arc::new(Mutex::new(now.parse().unwrap())) }
    }

    pub fn client(&self) -> Client {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (store, clock) = (store.clone(), clock.clone());
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.expect("a body").to_bytes();
                let body: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
                let query = parts
                    .uri
                    .query()
                    .unwrap_or_default()
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(key, value)| (key.to_owned(), value.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",")))
                    .collect();
                let now = *clock.lock().unwrap();
                let (code, answer) = store.lock().unwrap().serve(&parts.method, parts.uri.path(), &query, &body, now);
                let answer = Response::builder()
                    .status(code)
                    .header("content-type", "application/json")
                    .body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        Client::new(service, NAMESPACE)
    }

    pub fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        let mut clock = self.clock.lock().unwrap();
        *clock += SignedDuration::from_secs(seconds);
    }

    fn key(resource: &str, name: &str) -> String {
        let root = match resource {
            "jobs" => "/apis/batch/v1",
            "pods" | "configmaps" => "/api/v1",
            "cloudoptimiseddatasets" => "/apis/cloudoptimised.io/v1alpha1",
            "events" => "/apis/events.k8s.io/v1",
            other => panic!("{other}"),
        };
        format!("{root}/namespaces/{NAMESPACE}/{resource}/{name}")
    }

    pub fn add(&self, resource: &str, object: Value) -> Value {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let now = self.now();
        self.store.lock().unwrap().put(&Self::key(resource, &name), object, now)
    }

    pub fn get(&self, resource: &str, name: &str) -> Option<Value> {
        self.store.lock().unwrap().objects.get(&Self::key(resource, name)).cloned()
    }

    pub fn names(&self, resource: &str) -> Vec<String> {
        let prefix = Self::key(resource, "");
        self.store.lock().unwrap().objects.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    pub fn remove(&self, resource: &str, name: &str) {
        let gone = self.store.lock().unwrap().objects.remove(&Self::key(resource, name));
        assert!(gone.is_some(), "{resource} {name} is not there");
    }

    /// What `kubectl patch --type merge` does.
    pub fn edit(&self, resource: &str, name: &str, patch: &Value) {
        let (code, answer) = self.store.lock().unwrap().patch(&Self::key(resource, name), None, patch);
        assert_eq!(code, 200, "{answer}");
    }

    /// What `kubectl delete` does.
    pub fn delete(&self, resource: &str, name: &str) {
        let now = self.now();
        let path = Self::key(resource, name);
        self.store.lock().unwrap().serve(&Method::DELETE, &path, &BTreeMap::new(), &Value::Null, now);
    }

    /// Reasons of all events so far, oldest first.
    pub fn events(&self) -> Vec<String> {
        let prefix = Self::key("events", "");
        let store = self.store.lock().unwrap();
        let mut events: Vec<&Value> = store.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(_, event)| event).collect();
        events.sort_by_key(|event| event["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap());
        events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// `verb resource` of all requests since the last call.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.store.lock().unwrap().requests)
    }

    /// The next such request (`verb resource`) is answered with a failure.
    pub fn refuse(&self, request: &str, code: u16, message: &str) {
        self.store.lock().unwrap().refuse.insert(request.to_owned(), (code, message.to_owned()));
    }

    /// A pod of a Job, in a state.
    pub fn pod(&self, job: &str, index: u32, status: &Value) {
        let labels = self.get("jobs", job).expect("the Job")["spec"]["template"]["metadata"]["labels"].clone();
        let mut labels = labels.as_object().cloned().unwrap_or_default();
        labels.insert("batch.kubernetes.io/job-name".into(), json!(job));
        let name = format!("{job}-{index}-{}", self.names("pods").len());
        self.add("pods", json!({"metadata": {"name": name, "labels": labels}, "spec": {"containers": []}, "status": status}));
    }

    /// A pod of a Job ended with `code` and, as its last word, `digest`.
    pub fn pod_ended(&self, job: &str, index: u32, code: i32, digest: Option<&Digest>) {
        let message = digest.map(Digest::to_message);
        let status = json!({"phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": [{
            "name": "converter", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "finishedAt": self.now().to_string(), "message": message}},
        }]});
        self.pod(job, index, &status);
    }

    /// The Job controller has taken the Job up.
    pub fn job_started(&self, job: &str) {
        let status = json!({"status": {"startTime": self.now().to_string()}});
        merge(self.store.lock().unwrap().objects.get_mut(&Self::key("jobs", job)).expect("the Job"), &status);
    }

    /// The Job got its final condition.
    pub fn job_ended(&self, job: &str, condition: &str, reason: &str) {
        let now = self.now().to_string();
        let status = json!({"status": {"startTime": now, "conditions": [{
            "type": condition, "status": "True", "reason": reason, "message": reason, "lastTransitionTime": now,
        }]}});
        let mut store = self.store.lock().unwrap();
        let object = store.objects.get_mut(&Self::key("jobs", job)).expect("the Job");
        merge(object, &status);
    }

    /// A Job of one pod ended well.
    pub fn stage_done(&self, job: &str, digest: &Digest) {
        self.pod_ended(job, 0, 0, Some(digest));
        self.job_ended(job, "Complete", "CompletionsReached");
    }

    /// A Job failed by rule on its pod's exit code.
    pub fn stage_failed(&self, job: &str, code: i32, digest: &Digest) {
        self.pod_ended(job, 0, code, Some(digest));
        self.job_ended(job, "Failed", "PodFailurePolicy");
    }
}
