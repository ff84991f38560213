//! Which operation a request is, before it is parsed.

use http::{Method, Uri};

/// A request's operation and what it acts on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) op: &'static str,
    /// The key, or the prefix of a listing.
    pub(super) key: String,
}

/// Reads a path-style request.
pub(super) fn route(method: &Method, uri: &Uri) -> Route {
    let path = uri.path().trim_start_matches('/');
    let (_bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query: Vec<(String, String)> = uri.query().unwrap_or_default().split('&').map(pair).collect();
    let has = |name: &str| query.iter().any(|(own, _)| own == name);
    let op = match (method.as_str(), key.is_empty()) {
        ("GET", true) if has("lifecycle") => "GetBucketLifecycleConfiguration",
        ("PUT", true) if has("lifecycle") => "PutBucketLifecycleConfiguration",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) if has("list-type") => "ListObjectsV2",
        ("POST", true) if has("delete") => "DeleteObjects",
        ("HEAD", true) => "HeadBucket",
        ("PUT", true) => "CreateBucket",
        ("PUT", false) if has("partNumber") => "UploadPart",
        ("PUT", false) => "PutObject",
        ("POST", false) if has("restore") => "RestoreObject",
        ("POST", false) if has("uploads") => "CreateMultipartUpload",
        ("POST", false) if has("uploadId") => "CompleteMultipartUpload",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        ("GET", false) if has("uploadId") => "ListParts",
        ("GET", false) => "GetObject",
        ("HEAD", false) => "HeadObject",
        _ => "Other",
    };
    let prefix = || query.iter().find(|(name, _)| name == "prefix").map(|(_, prefix)| prefix.clone());
    let key = if key.is_empty() { prefix().unwrap_or_default() } else { decoded(key) };
    Route { op, key }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

/// Percent-decoded; what is not valid stays as it is.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        for (method, uri, op, key) in [
            (Method::PUT, "/b/pg/x%20y", "PutObject", "pg/x y"),
            (Method::PUT, "/b/x?partNumber=1&uploadId=2&x-id=UploadPart", "UploadPart", "x"),
            (Method::POST, "/b/x?uploads", "CreateMultipartUpload", "x"),
            (Method::POST, "/b/x?restore", "RestoreObject", "x"),
            (Method::POST, "/b/x?uploadId=1", "CompleteMultipartUpload", "x"),
            (Method::DELETE, "/b/x?uploadId=1", "AbortMultipartUpload", "x"),
            (Method::GET, "/b?list-type=2&prefix=pg%2F", "ListObjectsV2", "pg/"),
            (Method::GET, "/b/?list-type=2", "ListObjectsV2", ""),
            (Method::GET, "/b?uploads", "ListMultipartUploads", ""),
            (Method::POST, "/b?delete", "DeleteObjects", ""),
            (Method::HEAD, "/b/x", "HeadObject", "x"),
            (Method::PUT, "/b?lifecycle", "PutBucketLifecycleConfiguration", ""),
            (Method::PUT, "/b", "CreateBucket", ""),
        ] {
            let found = route(&method, &uri.parse().unwrap());
            assert_eq!(found, Route { op, key: key.to_owned() }, "{method} {uri}");
        }
    }
}
