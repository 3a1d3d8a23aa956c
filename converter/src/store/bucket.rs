//! The three S3 requests that the client library does not make as they are needed: a page of raw
//! keys, a copy that tells the `ETag` of what it made, and a delete of many objects at once.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use object_store::aws::{AmazonS3, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest};
use serde::Deserialize;

use super::answers::{CopyAnswer, DeleteAnswer, ErrorAnswer, KeyError, Page, read_answer};
use super::error::CREDENTIAL_CODES;
use super::{StoreErrorKind, bare, chain};

const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// One bucket, asked directly.
#[derive(Debug)]
pub(super) struct Bucket {
    pub client: HttpClient,
    /// None: requests are not signed.
    pub credentials: Option<AwsCredentialProvider>,
    pub name: String,
    /// Endpoint and bucket.
    pub base: String,
    pub region: String,
    pub encryption: Encryption,
    pub requester_pays: bool,
}

/// What a copy must say of encryption, as the client library says it of what it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Encryption {
    pub kind: Option<String>,
    pub kms_key: Option<String>,
    pub bucket_key: Option<String>,
    /// Base64, of the customer.
    pub customer_key: Option<String>,
}

/// Why there is no answer, or none to use.
#[derive(Debug)]
pub(super) struct Refused {
    pub kind: StoreErrorKind,
    pub message: String,
    /// The same request may work in a moment.
    pub again: bool,
}

impl Refused {
    pub fn now(message: impl Into<String>) -> Self {
        Self { kind: StoreErrorKind::Unavailable, message: message.into(), again: true }
    }

    fn never(message: impl Into<String>) -> Self {
        Self { kind: StoreErrorKind::Unavailable, message: message.into(), again: false }
    }

    /// From an answer that is no success, or a success whose body is an error all the same.
    pub fn of(status: u16, answer: &ErrorAnswer) -> Self {
        let code = answer.code.as_str();
        let passing = matches!(
            code,
            "InternalError" | "SlowDown" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted" | "ConditionalRequestConflict"
        );
        let kind = match (status, code) {
            _ if CREDENTIAL_CODES.contains(&code) => StoreErrorKind::BadCredentials,
            (401 | 403, _) | (_, "AccessDenied") => StoreErrorKind::Denied,
            (_, "NoSuchBucket") => StoreErrorKind::BucketMissing,
            (404, _) | (_, "NoSuchKey") => StoreErrorKind::NotFound,
            (412, _) | (_, "PreconditionFailed") => StoreErrorKind::Changed,
            _ => StoreErrorKind::Unavailable,
        };
        let status_passes = matches!(status, 408 | 409 | 429 | 500 | 502..=599);
        Self {
            kind,
            message: format!("{status} {code} {}", answer.message).trim().to_owned(),
            again: kind == StoreErrorKind::Unavailable && (passing || status_passes),
        }
    }
}

/// How long a request is asked again that was answered with "not now".
#[derive(Debug)]
pub(super) struct Patience {
    attempts: u32,
    wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: ATTEMPTS, wait: FIRST_WAIT }
    }
}

impl Patience {
    /// Returns when it is time to ask again.
    ///
    /// # Errors
    /// The refusal itself, if it is final or has been heard often enough.
    pub async fn bear(&mut self, refused: Refused) -> Result<(), Refused> {
        self.attempts -= 1;
        if !refused.again || self.attempts == 0 {
            return Err(refused);
        }
        tracing::debug!(message = refused.message, "asked again");
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// One request before it is signed.
struct Ask {
    method: &'static str,
    /// What follows the bucket's URL.
    rest: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Bucket {
    pub fn new(client: HttpClient, objects: &AmazonS3, anonymous: bool, name: &str, base: String, region: String) -> Self {
        Self {
            client,
            credentials: (!anonymous).then(|| objects.credentials().clone()),
            name: name.to_owned(),
            base,
            region,
            encryption: Encryption::default(),
            requester_pays: false,
        }
    }

    async fn send(&self, ask: Ask) -> Result<(u16, String), Refused> {
        let uri = format!("{}{}", self.base, ask.rest);
        let mut request = HttpRequest::new(ask.body.into());
        *request.method_mut() = ask.method.parse().map_err(|source| Refused::never(format!("{}: {source}", ask.method)))?;
        *request.uri_mut() = uri.parse().map_err(|source| Refused::never(format!("{uri}: {source}")))?;
        for (name, value) in ask.headers {
            let value = value.parse().map_err(|source| Refused::never(format!("{name}: {source}")))?;
            request.headers_mut().insert(name, value);
        }
        if let Some(provider) = &self.credentials {
            let credential = provider.get_credential().await.map_err(|source| Refused {
                kind: StoreErrorKind::Denied,
                message: format!("no credentials: {}", chain(&source)),
                again: false,
            })?;
            AwsAuthorizer::new(&credential, "s3", &self.region)
                .with_request_payer(self.requester_pays)
                .try_authorize(&mut request, None)
                .map_err(|source| Refused::never(chain(&source)))?;
        }
        let answer = self.client.execute(request).await.map_err(|source| Refused::now(chain(&source)))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let mut chunks = answer.into_body().bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|source| Refused::now(chain(&source)))?);
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// The body of a success.
    async fn answer<T: for<'de> Deserialize<'de>>(&self, ask: Ask) -> Result<T, Refused> {
        let (status, text) = self.send(ask).await?;
        if status == 200 {
            return read_answer(&text).map_err(|message| Refused::now(format!("unreadable answer: {message}")));
        }
        Err(Refused::of(status, &read_answer(&text).unwrap_or_default()))
    }

    /// One page of a listing, after a token or after a key.
    pub async fn page(&self, prefix: &str, from: Option<&From>, most: Option<u32>) -> Result<Page, Refused> {
        let most = most.map(|most| most.to_string());
        let mut query = vec![("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)];
        query.extend(most.as_deref().map(|most| ("max-keys", most)));
        query.extend(from.map(|from| match from {
            From::Token(token) => ("continuation-token", token.as_str()),
            From::After(key) => ("start-after", key.as_str()),
        }));
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", strict(value))).collect();
        let ask = Ask { method: "GET", rest: format!("?{}", query.join("&")), headers: Vec::new(), body: Bytes::new() };
        self.answer(ask).await.map_err(|refused| match refused.kind {
            // Of a listing only the bucket can be missing.
            StoreErrorKind::NotFound => Refused { kind: StoreErrorKind::BucketMissing, ..refused },
            _ => refused,
        })
    }

    /// Copies an object within the bucket. The `ETag` of the copy, if the server tells it.
    pub async fn copy(&self, from: &str, to: &str) -> Result<Option<String>, Refused> {
        let mut headers = vec![("x-amz-copy-source", format!("{}/{}", self.name, path(from)))];
        headers.extend(self.encryption.headers());
        let ask = Ask { method: "PUT", rest: format!("/{}", path(to)), headers, body: Bytes::new() };
        match self.answer(ask).await? {
            CopyAnswer::CopyObjectResult(copied) => Ok(Some(bare(Some(&copied.etag))).filter(|etag| !etag.is_empty())),
            CopyAnswer::Error(error) => Err(Refused::of(200, &error)),
        }
    }

    /// Deletes up to 1,000 objects, each only at its `ETag` if one is given and the server looks at
    /// it. Returns the objects that were not deleted, and why; one that was not there is no error.
    pub async fn delete(&self, objects: &[(&str, Option<&str>)]) -> Result<Vec<KeyError>, Refused> {
        let body = delete_request(objects);
        let headers = vec![("content-md5", BASE64_STANDARD.encode(Md5::digest(&body))), ("content-type", "application/xml".to_owned())];
        let ask = Ask { method: "POST", rest: "?delete=".to_owned(), headers, body: body.into() };
        match self.answer(ask).await? {
            DeleteAnswer::DeleteResult(result) => Ok(result.errors.into_iter().filter(|error| error.code != "NoSuchKey").collect()),
            DeleteAnswer::Error(error) => Err(Refused::of(200, &error)),
        }
    }
}

/// Where a page of a listing begins.
#[derive(Clone, Debug)]
pub(super) enum From {
    Token(String),
    After(String),
}

impl Encryption {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let Some(kind) = &self.kind else { return Vec::new() };
        if kind == "sse-c" {
            let Some(key) = &self.customer_key else { return Vec::new() };
            let md5 = BASE64_STANDARD.encode(Md5::digest(BASE64_STANDARD.decode(key).unwrap_or_default()));
            return vec![
                ("x-amz-server-side-encryption-customer-algorithm", "AES256".to_owned()),
                ("x-amz-server-side-encryption-customer-key", key.clone()),
                ("x-amz-server-side-encryption-customer-key-md5", md5.clone()),
                ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256".to_owned()),
                ("x-amz-copy-source-server-side-encryption-customer-key", key.clone()),
                ("x-amz-copy-source-server-side-encryption-customer-key-md5", md5),
            ];
        }
        let kind = match kind.as_str() {
            "sse:kms" => "aws:kms",
            "sse:kms:dsse" => "aws:kms:dsse",
            other => other,
        };
        let mut headers = vec![("x-amz-server-side-encryption", kind.to_owned())];
        headers.extend(self.kms_key.clone().map(|key| ("x-amz-server-side-encryption-aws-kms-key-id", key)));
        headers.extend(self.bucket_key.clone().map(|on| ("x-amz-server-side-encryption-bucket-key-enabled", on)));
        headers
    }
}

/// Whether XML 1.0 can carry the key at all.
pub(super) fn fits_xml(key: &str) -> bool {
    key.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..))
}

/// The body of `DeleteObjects`. Quiet: only what went wrong is told.
fn delete_request(objects: &[(&str, Option<&str>)]) -> String {
    let mut body = String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (key, etag) in objects {
        body.push_str("<Object><Key>");
        escape(&mut body, key);
        body.push_str("</Key>");
        if let Some(etag) = etag {
            body.push_str("<ETag>&quot;");
            escape(&mut body, etag);
            body.push_str("&quot;</ETag>");
        }
        body.push_str("</Object>");
    }
    body.push_str("<Quiet>true</Quiet></Delete>");
    body
}

/// Line ends are written as references: a reader would make one kind of all.
fn escape(text: &mut String, raw: &str) {
    for c in raw.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            '\t' => text.push_str("&#9;"),
            '\n' => text.push_str("&#10;"),
            '\r' => text.push_str("&#13;"),
            c => text.push(c),
        }
    }
}

/// All but the unreserved characters of RFC 3986, as Signature Version 4 wants its queries.
const STRICT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STRICT_PATH: &percent_encoding::AsciiSet = &STRICT.remove(b'/');

fn strict(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, STRICT).to_string()
}

/// A key within a URL, and as the source of a copy.
fn path(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, STRICT_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_data_in_every_place() {
        assert_eq!(path("d/site=Cape%20Sorell/a b+c.nc&é\n"), "d/site%3DCape%2520Sorell/a%20b%2Bc.nc%26%C3%A9%0A");
        let body = delete_request(&[("a&b<c>\n\r\"é", Some("e1")), ("plain", None)]);
        assert_eq!(
            body,
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b&lt;c&gt;&#10;&#13;&quot;é</Key>\
             <ETag>&quot;e1&quot;</ETag></Object><Object><Key>plain</Key></Object><Quiet>true</Quiet></Delete>"
        );
        assert!(fits_xml("é\n漢\u{1F600}") && !fits_xml("\u{1}") && !fits_xml("\u{FFFF}"));
    }

    #[test]
    fn what_may_pass_is_asked_again_and_what_is_refused_is_not() {
        let answer = |code: &str| ErrorAnswer { code: code.to_owned(), message: String::new() };
        for (status, code, kind, again) in [
            (503, "SlowDown", StoreErrorKind::Unavailable, true),
            (200, "InternalError", StoreErrorKind::Unavailable, true),
            (409, "", StoreErrorKind::Unavailable, true),
            (400, "MalformedXML", StoreErrorKind::Unavailable, false),
            (501, "NotImplemented", StoreErrorKind::Unavailable, false),
            (404, "NoSuchKey", StoreErrorKind::NotFound, false),
            (404, "NoSuchBucket", StoreErrorKind::BucketMissing, false),
            (412, "PreconditionFailed", StoreErrorKind::Changed, false),
            (403, "AccessDenied", StoreErrorKind::Denied, false),
            (403, "SignatureDoesNotMatch", StoreErrorKind::BadCredentials, false),
        ] {
            let refused = Refused::of(status, &answer(code));
            assert_eq!((refused.kind, refused.again), (kind, again), "{status} {code}");
        }
    }

    #[test]
    fn a_copy_is_encrypted_as_what_is_written() {
        let kms = Encryption { kind: Some("sse:kms".into()), kms_key: Some("k".into()), ..Encryption::default() };
        assert_eq!(
            kms.headers(),
            [("x-amz-server-side-encryption", "aws:kms".to_owned()), ("x-amz-server-side-encryption-aws-kms-key-id", "k".to_owned())]
        );
        assert_eq!(Encryption::default().headers(), []);
        let customer = Encryption { kind: Some("sse-c".into()), customer_key: Some("AAAA".into()), ..Encryption::default() };
        assert_eq!(customer.headers().len(), 6);
    }
}
