//! Counts what a store was asked to do: of a bucket every HTTP request as it leaves, retries
//! included, and of a folder every file operation that stands for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crds::wire::RequestCounts;
use futures::future::BoxFuture;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Get,
    Head,
    Put,
    Copy,
    Delete,
    Multipart,
}

/// Counters shared by all clones of a store.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: [AtomicU64; 7],
    read: AtomicU64,
    written: AtomicU64,
}

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub requests: RequestCounts,
    /// Bytes of objects, not of listings and the like.
    pub bytes_read: u64,
    pub bytes_written: u64,
}

impl Meter {
    pub(super) fn asked(&self, kind: Kind, times: u64) {
        self.counters.requests[kind as usize].fetch_add(times, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.counters.read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, bytes: u64) {
        self.counters.written.fetch_add(bytes, Ordering::Relaxed);
    }

    #[must_use]
    pub fn used(&self) -> Used {
        let asked = |kind: Kind| self.counters.requests[kind as usize].load(Ordering::Relaxed);
        Used {
            requests: RequestCounts {
                list: asked(Kind::List),
                get: asked(Kind::Get),
                head: asked(Kind::Head),
                put: asked(Kind::Put),
                copy: asked(Kind::Copy),
                delete: asked(Kind::Delete),
                multipart: asked(Kind::Multipart),
            },
            bytes_read: self.counters.read.load(Ordering::Relaxed),
            bytes_written: self.counters.written.load(Ordering::Relaxed),
        }
    }
}

/// Puts a meter between the client library and the network.
#[derive(Debug)]
pub(super) struct MeteredConnector {
    meter: Meter,
    /// Host and port of the bucket: credentials are fetched elsewhere, and are no requests of a store.
    authority: String,
}

impl MeteredConnector {
    /// `base` is the URL of the bucket.
    pub fn new(meter: &Meter, base: &str) -> Self {
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
        Self { meter: meter.clone(), authority: authority.to_owned() }
    }
}

impl HttpConnector for MeteredConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Metered { inner, meter: self.meter.clone(), authority: self.authority.clone() }))
    }
}

#[derive(Debug)]
struct Metered {
    inner: HttpClient,
    meter: Meter,
    authority: String,
}

impl HttpService for Metered {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        let ours = request.uri().authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(&self.authority));
        if ours {
            let copies = request.headers().contains_key("x-amz-copy-source");
            self.meter.asked(kind(request.method().as_str(), request.uri().query().unwrap_or_default(), copies), 1);
        }
        Box::pin(self.inner.execute(request))
    }
}

/// What an S3 request is, from its method, its query and whether it names an object to copy.
fn kind(method: &str, query: &str, copies: bool) -> Kind {
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    match method {
        _ if asks("uploadId") || asks("uploads") => Kind::Multipart,
        "GET" if asks("list-type") => Kind::List,
        "HEAD" => Kind::Head,
        "PUT" if copies => Kind::Copy,
        "PUT" => Kind::Put,
        "DELETE" => Kind::Delete,
        "POST" if asks("delete") => Kind::Delete,
        _ => Kind::Get,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        for (method, query, copies, expected) in [
            ("GET", "encoding-type=url&list-type=2&prefix=a", false, Kind::List),
            ("GET", "", false, Kind::Get),
            ("HEAD", "", false, Kind::Head),
            ("PUT", "", false, Kind::Put),
            ("PUT", "", true, Kind::Copy),
            ("PUT", "partNumber=1&uploadId=x", false, Kind::Multipart),
            ("POST", "uploads=", false, Kind::Multipart),
            ("POST", "uploads", false, Kind::Multipart),
            ("POST", "uploadId=x", false, Kind::Multipart),
            ("DELETE", "uploadId=x", false, Kind::Multipart),
            ("DELETE", "", false, Kind::Delete),
            ("POST", "delete=", false, Kind::Delete),
        ] {
            assert_eq!(kind(method, query, copies), expected, "{method} {query}");
        }
    }

    #[test]
    fn a_meter_adds_up() {
        let meter = Meter::default();
        meter.asked(Kind::Copy, 1);
        meter.clone().asked(Kind::List, 2);
        meter.read(5);
        let used = meter.used();
        assert_eq!((used.requests.copy, used.requests.list, used.requests.total(), used.bytes_read), (1, 2, 3, 5));
    }
}
