//! What S3 answers, out of its XML.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::bare;
use super::bucket::From;
use super::list::{Listed, shown};

/// An answer's XML. While a copy goes on, servers send white space to keep the connection.
pub(super) fn read_answer<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    quick_xml::de::from_str(text.trim_start()).map_err(|source| source.to_string())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ErrorAnswer {
    pub code: String,
    pub message: String,
}

/// A copy is answered with success before it has succeeded: the body says how it went.
#[derive(Debug, Deserialize)]
pub(super) enum CopyAnswer {
    CopyObjectResult(Copied),
    Error(ErrorAnswer),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Copied {
    #[serde(rename = "ETag")]
    pub etag: String,
}

#[derive(Debug, Deserialize)]
pub(super) enum DeleteAnswer {
    DeleteResult(Deleted),
    Error(ErrorAnswer),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deleted {
    #[serde(rename = "Error")]
    pub errors: Vec<KeyError>,
}

/// An object that was not deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct KeyError {
    pub key: String,
    pub code: String,
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
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
    /// Where the next page begins, if there is one.
    pub fn next(&self) -> Result<Option<From>, String> {
        match (self.is_truncated, &self.next_continuation_token) {
            (false, _) => Ok(None),
            (true, Some(token)) => Ok(Some(From::Token(token.clone()))),
            (true, None) => {
                Err("the listing is cut short and gives no token to go on with: the server does not speak ListObjectsV2".to_owned())
            }
        }
    }

    /// The page's objects, the store's own prefix of `root` bytes cut off.
    pub fn listed(self, root: usize) -> Vec<Listed> {
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

/// S3's `encoding-type=url`: form encoding, a space is `+`.
fn decode(key: &str) -> Vec<u8> {
    percent_decode_str(&key.replace('+', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_hostile_keys_as_data() {
        let page: Page = read_answer(
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
        assert!(read_answer::<Page>(error).is_err());
        let cut: Page = read_answer("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").unwrap();
        assert!(cut.next().is_err());
    }

    #[test]
    fn an_empty_page_is_empty() {
        let page: Page = read_answer("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>").unwrap();
        assert!(page.listed(0).is_empty());
    }

    #[test]
    fn a_copy_that_failed_late_is_an_error() {
        let late =
            "\n   <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code><Message>We failed.</Message></Error>";
        assert!(matches!(read_answer(late), Ok(CopyAnswer::Error(error)) if error.code == "InternalError"));
        let done = "<?xml version=\"1.0\"?><CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LastModified>2024-01-02T03:04:05Z</LastModified>\
                    <ETag>&quot;e1&quot;</ETag></CopyObjectResult>";
        assert!(matches!(read_answer(done), Ok(CopyAnswer::CopyObjectResult(copied)) if copied.etag == "\"e1\""));
        assert!(read_answer::<CopyAnswer>("").is_err() && read_answer::<CopyAnswer>("<html></html>").is_err());
    }

    #[test]
    fn a_delete_tells_what_it_left() {
        let some = "<DeleteResult xmlns=\"x\"><Deleted><Key>a</Key></Deleted><Error><Key>b&#10;</Key><Code>AccessDenied</Code><Message>no</Message></Error>\
                    <Deleted><Key>c</Key></Deleted><Error><Key>d</Key><Code>PreconditionFailed</Code></Error></DeleteResult>";
        let Ok(DeleteAnswer::DeleteResult(result)) = read_answer(some) else { panic!("a result") };
        let told: Vec<(&str, &str)> = result.errors.iter().map(|error| (error.key.as_str(), error.code.as_str())).collect();
        assert_eq!(told, [("b\n", "AccessDenied"), ("d", "PreconditionFailed")]);
        for empty in ["<DeleteResult></DeleteResult>", "<DeleteResult/>", "<?xml version=\"1.0\"?>\n<DeleteResult xmlns=\"x\"/>"] {
            assert!(matches!(read_answer(empty), Ok(DeleteAnswer::DeleteResult(result)) if result.errors.is_empty()), "{empty}");
        }
        assert!(matches!(read_answer("<Error><Code>SlowDown</Code></Error>"), Ok(DeleteAnswer::Error(_))));
    }
}
