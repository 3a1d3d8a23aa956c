//! Lists raw keys below a raw prefix, in key order.
//!
//! The client library lists whole path segments only and fails a page on one key it cannot hold;
//! the incumbent's paths are string prefixes (`X` also lists `X2/`), and one hostile key must cost
//! one file. So `ListObjectsV2` is asked here directly.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::error::CREDENTIAL_CODES;
use super::{Store, StoreError, StoreErrorKind, Url, bare, chain, folder};

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the store's root; may hold anything a store lets through.
    pub key: String,
    pub etag: String,
    pub bytes: u64,
    pub modified: Timestamp,
    /// No client library can hold the key (not UTF-8, an empty segment, …): `key` only shows it, and
    /// it has no place in the order of keys.
    pub garbled: bool,
}

const ATTEMPTS: u32 = 6;

impl Store {
    /// All objects whose key starts with `prefix`, in key order. A folder is sorted in memory.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        match (&self.url, &self.lister) {
            (Url::Bucket { .. }, Some(lister)) => self.list_bucket(Arc::clone(lister), prefix),
            _ => self.list_folder(prefix.to_owned()),
        }
    }

    fn list_folder(&self, prefix: String) -> BoxStream<'static, Result<Listed, StoreError>> {
        let store = self.clone();
        let listing = async move {
            store.meter.asked();
            let (side, root) = (store.side, store.url.clone());
            let walked = tokio::task::spawn_blocking(move || folder::walk(side, &root, &prefix)).await;
            let names = walked.map_err(|source| source.to_string()).and_then(|found| found.map_err(|source| source.to_string()));
            let names = names.map_err(|message| store.error("ListObjectsV2", "", StoreErrorKind::Unavailable, message))?;
            Ok(stream::iter(names).filter_map(move |name| {
                let store = store.clone();
                async move { store.listed(name).await.transpose() }
            }))
        };
        stream::once(listing).try_flatten().boxed()
    }

    /// What the client library says of a file; none when it went away meanwhile.
    async fn listed(&self, name: folder::Name) -> Result<Option<Listed>, StoreError> {
        let unreadable = |key| Listed { key, etag: String::new(), bytes: 0, modified: Timestamp::UNIX_EPOCH, garbled: true };
        if name.garbled {
            return Ok(Some(unreadable(name.key)));
        }
        let Ok(path) = self.path("HeadObject", &name.key) else { return Ok(Some(unreadable(name.key))) };
        match self.objects.head(&path).await {
            Ok(meta) => Ok(Some(Listed {
                key: name.key,
                etag: self.bare(meta.e_tag.as_deref()),
                bytes: meta.size,
                modified: Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or_default(),
                garbled: false,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(object_store::Error::InvalidPath { .. }) => Ok(Some(unreadable(name.key))),
            Err(source) => Err(self.wrap("HeadObject", &name.key, &source)),
        }
    }

    fn list_bucket(&self, lister: Arc<S3Lister>, prefix: &str) -> BoxStream<'static, Result<Listed, StoreError>> {
        let store = self.clone();
        let full = format!("{}{prefix}", self.url.prefix());
        let pages = stream::try_unfold(Ask::First, move |ask| {
            let (store, lister, full) = (store.clone(), Arc::clone(&lister), full.clone());
            async move {
                let token = match ask {
                    Ask::First => None,
                    Ask::After(token) => Some(token),
                    Ask::Nothing => return Ok(None),
                };
                let page = store.page(&lister, &full, token.as_deref()).await?;
                let next = page.next().map_err(|message| store.error("ListObjectsV2", &full, StoreErrorKind::Unavailable, message))?;
                let root = store.url.prefix().len();
                let found: Vec<_> = page.listed(root).into_iter().map(Ok).collect();
                Ok(Some((stream::iter(found), next)))
            }
        });
        pages.try_flatten().boxed()
    }

    async fn page(&self, lister: &S3Lister, prefix: &str, token: Option<&str>) -> Result<Page, StoreError> {
        let mut wait = Duration::from_millis(200);
        for attempt in 1..=ATTEMPTS {
            self.meter.asked();
            match lister.page(prefix, token).await {
                Ok(page) => return Ok(page),
                Err(refused) if refused.kind == StoreErrorKind::Unavailable && attempt < ATTEMPTS => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(refused) => return Err(self.error("ListObjectsV2", prefix, refused.kind, refused.message)),
            }
        }
        Err(self.error("ListObjectsV2", prefix, StoreErrorKind::Unavailable, "no answer".to_owned()))
    }
}

/// Asks one bucket for its keys.
#[derive(Debug)]
pub(super) struct S3Lister {
    client: HttpClient,
    /// None: requests are not signed.
    credentials: Option<AwsCredentialProvider>,
    /// Endpoint and bucket.
    base: String,
    region: String,
}

struct Refused {
    kind: StoreErrorKind,
    message: String,
}

impl Refused {
    fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: StoreErrorKind::Unavailable, message: message.into() }
    }
}

impl S3Lister {
    pub(super) fn new(
        objects: &AmazonS3,
        options: &ClientOptions,
        base: String,
        region: String,
        anonymous: bool,
    ) -> Result<Self, object_store::Error> {
        let credentials = (!anonymous).then(|| objects.credentials().clone());
        Ok(Self { client: ReqwestConnector::default().connect(options)?, credentials, base, region })
    }

    async fn page(&self, prefix: &str, token: Option<&str>) -> Result<Page, Refused> {
        let mut query = vec![("encoding-type", "url"), ("list-type", "2"), ("prefix", prefix)];
        if let Some(token) = token {
            query.insert(0, ("continuation-token", token));
        }
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", strict(value))).collect();
        let uri = format!("{}?{}", self.base, query.join("&"));
        let mut request: HttpRequest = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = uri.parse().map_err(|source| Refused::unavailable(format!("{uri}: {source}")))?;
        if let Some(provider) = &self.credentials {
            let credential = provider
                .get_credential()
                .await
                .map_err(|source| Refused { kind: StoreErrorKind::Denied, message: format!("no credentials: {}", chain(&source)) })?;
            AwsAuthorizer::new(&credential, "s3", &self.region)
                .try_authorize(&mut request, None)
                .map_err(|source| Refused::unavailable(chain(&source)))?;
        }
        let answer = self.client.execute(request).await.map_err(|source| Refused::unavailable(chain(&source)))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let mut chunks = answer.into_body().bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|source| Refused::unavailable(chain(&source)))?);
        }
        let text = String::from_utf8_lossy(&body);
        if status == 200 {
            return quick_xml::de::from_str(&text).map_err(|source| Refused::unavailable(format!("unreadable listing: {source}")));
        }
        let answer: ErrorAnswer = quick_xml::de::from_str(&text).unwrap_or_default();
        let kind = match status {
            _ if CREDENTIAL_CODES.contains(&answer.code.as_str()) => StoreErrorKind::BadCredentials,
            401 | 403 => StoreErrorKind::Denied,
            404 => StoreErrorKind::BucketMissing,
            _ => StoreErrorKind::Unavailable,
        };
        Err(Refused { kind, message: format!("{status} {} {}", answer.code, answer.message).trim().to_owned() })
    }
}

/// Which page of a listing comes next.
enum Ask {
    First,
    After(String),
    Nothing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorAnswer {
    code: String,
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    /// No default: an answer without it is no listing, and must not be taken for an empty one.
    is_truncated: bool,
    next_continuation_token: Option<String>,
    encoding_type: Option<String>,
    #[serde(default)]
    contents: Vec<Content>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Content {
    key: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
    last_modified: String,
}

impl Page {
    /// What to ask for next.
    fn next(&self) -> Result<Ask, String> {
        match (self.is_truncated, &self.next_continuation_token) {
            (false, _) => Ok(Ask::Nothing),
            (true, Some(token)) => Ok(Ask::After(token.clone())),
            (true, None) => {
                Err("the listing is cut short and gives no token to go on with: the server does not speak ListObjectsV2".to_owned())
            }
        }
    }

    /// The page's objects, the store's own prefix of `root` bytes cut off.
    fn listed(self, root: usize) -> Vec<Listed> {
        let encoded = self.encoding_type.as_deref() == Some("url");
        self.contents
            .into_iter()
            .map(|content| {
                let raw = if encoded { decode(&content.key) } else { content.key.into_bytes() };
                let (key, garbled) = shown(raw.get(root..).unwrap_or_default());
                Listed {
                    key,
                    etag: bare(Some(&content.etag)),
                    bytes: content.size,
                    modified: content.last_modified.parse().unwrap_or_default(),
                    garbled,
                }
            })
            .collect()
    }
}

/// A key as text; bytes that are not UTF-8 are shown as `\xNN`, so that different keys stay different.
pub(super) fn shown(raw: &[u8]) -> (String, bool) {
    let mut key = String::with_capacity(raw.len());
    let mut garbled = false;
    for chunk in raw.utf8_chunks() {
        key.push_str(chunk.valid());
        for byte in chunk.invalid() {
            garbled = true;
            key.extend(["\\x", &hex::encode([*byte])]);
        }
    }
    (key, garbled)
}

/// RFC 3986 with nothing but unreserved characters left, as Signature Version 4 wants its queries.
fn strict(value: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(value, KEEP).to_string()
}

/// S3's `encoding-type=url`: form encoding, a space is `+`.
fn decode(key: &str) -> Vec<u8> {
    percent_decode_str(&key.replace('+', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_hostile_keys_as_data() {
        let page: Page = quick_xml::de::from_str(
            "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>\
             <Contents><Key>p/a%0Ab+c%2Bd</Key><ETag>&quot;e1&quot;</ETag><Size>3</Size><LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents>\
             <Contents><Key>p/%FF//..</Key><ETag>&quot;e2&quot;</ETag><Size>0</Size><LastModified>2024-01-02T03:04:05Z</LastModified></Contents>\
             </ListBucketResult>",
        )
        .unwrap();
        let listed = page.listed(2);
        assert_eq!((listed[0].key.as_str(), listed[0].etag.as_str(), listed[0].garbled), ("a\nb c+d", "e1", false));
        assert_eq!(listed[0].modified.to_string(), "2024-01-02T03:04:05Z");
        assert_eq!((listed[1].key.as_str(), listed[1].garbled), ("\\xff//..", true));
    }

    #[test]
    fn what_is_no_listing_is_not_taken_for_an_empty_one() {
        let error = "<Error><Code>InternalError</Code></Error>";
        assert!(quick_xml::de::from_str::<Page>(error).is_err());
        let cut: Page = quick_xml::de::from_str("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").unwrap();
        assert!(cut.next().is_err());
    }

    #[test]
    fn an_empty_page_is_empty() {
        let page: Page = quick_xml::de::from_str("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>").unwrap();
        assert!(page.listed(0).is_empty());
    }
}
