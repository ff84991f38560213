//! Each rule of the service, asked by plain requests.

use backup_core::clock::{SignedDuration, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::hash::{MEBIBYTE, tree_hash};
use super::notices::due;
use super::service::Vaults;
use crate::aws_fake::{ApiError, Caller, Received, Reply, Service as _};

struct Client {
    vaults: Vaults,
    now: Timestamp,
}

type Headers<'h> = &'h [(&'static str, &'h str)];

impl Client {
    fn new() -> Self {
        let client = Self { vaults: Vaults::default(), now: "2026-11-21T03:00:00Z".parse().unwrap() };
        client.send("PUT", "/-/vaults/v", &[], b"").unwrap();
        client
    }

    fn send(&self, method: &str, path: &str, headers: Headers<'_>, body: &[u8]) -> Result<Reply, ApiError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut map = HeaderMap::new();
        for &(name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let caller = Caller { account: "111111111111".to_owned(), region: "us-east-1".to_owned(), ..Caller::default() };
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let received = Received {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query,
            headers: map,
            body: Bytes::copy_from_slice(body),
            caller,
            now: self.now,
            fault: None,
        };
        let route = self.vaults.route(&received);
        futures::executor::block_on(self.vaults.handle(&received, &route))
    }

    fn refused(&self, method: &str, path: &str, headers: Headers<'_>, body: &[u8]) -> String {
        self.send(method, path, headers, body).unwrap_err().code
    }

    fn header(reply: &Reply, name: &str) -> String {
        reply.headers().get(name).unwrap().to_str().unwrap().to_owned()
    }

    fn begin(&self, part_bytes: u64) -> String {
        let size = part_bytes.to_string();
        let begun =
            self.send("POST", "/-/vaults/v/multipart-uploads", &[("x-amz-part-size", size.as_str())], b"").unwrap();
        Self::header(&begun, "x-amz-multipart-upload-id")
    }

    fn part(&self, upload: &str, start: u64, body: &[u8]) -> Result<Reply, ApiError> {
        let (range, hash) = (format!("bytes {start}-{}/*", start + body.len() as u64 - 1), tree_hash(body));
        let headers = [("content-range", range.as_str()), ("x-amz-sha256-tree-hash", hash.as_str())];
        self.send("PUT", &format!("/-/vaults/v/multipart-uploads/{upload}"), &headers, body)
    }

    fn complete(&self, upload: &str, whole: &[u8]) -> Result<Reply, ApiError> {
        let (size, hash) = (whole.len().to_string(), tree_hash(whole));
        let headers = [("x-amz-archive-size", size.as_str()), ("x-amz-sha256-tree-hash", hash.as_str())];
        self.send("POST", &format!("/-/vaults/v/multipart-uploads/{upload}"), &headers, b"")
    }

    fn archive(&self, whole: &[u8]) -> String {
        let upload = self.begin(MEBIBYTE);
        for (number, part) in whole.chunks(MEBIBYTE as usize).enumerate() {
            self.part(&upload, number as u64 * MEBIBYTE, part).unwrap();
        }
        Self::header(&self.complete(&upload, whole).unwrap(), "x-amz-archive-id")
    }

    fn job(&self, order: &serde_json::Value) -> Result<Reply, ApiError> {
        self.send("POST", "/-/vaults/v/jobs", &[], order.to_string().as_bytes())
    }
}

fn content(mebibytes: u64) -> Vec<u8> {
    (0..mebibytes * MEBIBYTE).map(|at| (at / MEBIBYTE * 7 + at % 13) as u8).collect()
}

#[test]
fn uploads_are_as_strict_as_the_service() {
    let client = Client::new();
    for size in ["1048575", "3145728", "8589934592", "0"] {
        let refused = client.refused("POST", "/-/vaults/v/multipart-uploads", &[("x-amz-part-size", size)], b"");
        assert_eq!(refused, "InvalidParameterValueException", "{size}");
    }
    for text in ["Zoë", &"x".repeat(1025)] {
        let headers = [("x-amz-part-size", "1048576"), ("x-amz-archive-description", text)];
        let sent = client.send("POST", "/-/vaults/v/multipart-uploads", &headers, b"");
        assert!(sent.is_err(), "{}", text.len());
    }
    let whole = content(3);
    let upload = client.begin(MEBIBYTE);
    let path = format!("/-/vaults/v/multipart-uploads/{upload}");
    let other = tree_hash(b"other");
    let wrong = [("content-range", "bytes 0-3/*"), ("x-amz-sha256-tree-hash", other.as_str())];
    assert_eq!(client.refused("PUT", &path, &wrong, b"four"), "InvalidParameterValueException");
    assert_eq!(client.part(&upload, 5, b"four").unwrap_err().code, "InvalidParameterValueException", "not aligned");
    assert!(client.part(&upload, 0, &whole[..MEBIBYTE as usize + 1]).is_err(), "larger than a part");
    client.part(&upload, 0, &whole[..5]).unwrap();
    client.part(&upload, 2 * MEBIBYTE, &whole[2 * MEBIBYTE as usize..]).unwrap();
    assert!(client.complete(&upload, &whole).is_err(), "a gap, and a short part in the middle");
    client.part(&upload, 0, &whole[..MEBIBYTE as usize]).unwrap();
    client.part(&upload, MEBIBYTE, &whole[MEBIBYTE as usize..2 * MEBIBYTE as usize]).unwrap();
    assert!(client.complete(&upload, &content(2)).is_err(), "another size and hash");
    let done = client.complete(&upload, &whole).unwrap();
    let again = client.complete(&upload, &whole).unwrap();
    assert_eq!(Client::header(&done, "x-amz-archive-id"), Client::header(&again, "x-amz-archive-id"), "once");
    assert_eq!(client.refused("DELETE", "/-/vaults/v", &[], b""), "InvalidParameterValueException", "it is not empty");
}

#[test]
fn jobs_take_hours_and_their_output_a_day() {
    let mut client = Client::new();
    let whole = content(3);
    let id = client.archive(&whole);
    let order = serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "Tier": "Bulk"});
    let job = Client::header(&client.job(&order).unwrap(), "x-amz-job-id");
    let output = format!("/-/vaults/v/jobs/{job}/output");
    assert_eq!(client.refused("GET", &output, &[], b""), "InvalidParameterValueException", "not yet");
    client.now += SignedDuration::from_hours(12);
    let done = client.send("GET", &output, &[], b"").unwrap();
    assert_eq!((done.status().as_u16(), &done.body()[..]), (200, &whole[..]));
    assert_eq!(Client::header(&done, "x-amz-sha256-tree-hash"), tree_hash(&whole));
    let mebibyte = |first: u64, last: u64| format!("bytes={}-{}", first * MEBIBYTE, last * MEBIBYTE - 1);
    let second = client.send("GET", &output, &[("range", mebibyte(1, 2).as_str())], b"").unwrap();
    assert_eq!(second.status().as_u16(), 206);
    assert_eq!(Client::header(&second, "x-amz-sha256-tree-hash"), tree_hash(second.body()));
    let two = client.send("GET", &output, &[("range", mebibyte(1, 3).as_str())], b"").unwrap();
    assert!(!two.headers().contains_key("x-amz-sha256-tree-hash"), "no node of the tree");
    client.now += SignedDuration::from_hours(24);
    assert_eq!(client.refused("GET", &output, &[], b""), "ResourceNotFoundException");
    let range = serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "RetrievalByteRange": "1-1048576"});
    assert_eq!(client.job(&range).unwrap_err().code, "InvalidParameterValueException");
    let unknown = serde_json::json!({"Type": "archive-retrieval", "ArchiveId": "x"});
    assert_eq!(client.job(&unknown).unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn jobs_are_listed_in_pages_of_fifty() {
    let client = Client::new();
    let id = client.archive(&content(1));
    let order = serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "Description": "d"});
    for _ in 0..53 {
        client.job(&order).unwrap();
    }
    let page = |path: &str| {
        let reply = client.send("GET", path, &[], b"").unwrap();
        serde_json::from_slice::<serde_json::Value>(reply.body()).unwrap()
    };
    let first = page("/-/vaults/v/jobs");
    assert_eq!(first["JobList"].as_array().unwrap().len(), 50);
    let rest = page(&format!("/-/vaults/v/jobs?marker={}", first["Marker"].as_str().unwrap()));
    assert_eq!((rest["JobList"].as_array().unwrap().len(), rest["Marker"].is_null()), (3, true));
}

#[test]
fn the_inventory_is_of_yesterday() {
    let mut client = Client::new();
    client.archive(&content(1));
    let order = serde_json::json!({"Type": "inventory-retrieval"});
    assert_eq!(client.job(&order).unwrap_err().code, "ResourceNotFoundException", "there is none yet");
    client.now += SignedDuration::from_hours(24);
    let job = Client::header(&client.job(&order).unwrap(), "x-amz-job-id");
    client.archive(&content(2));
    client.now += SignedDuration::from_hours(5);
    let output = client.send("GET", &format!("/-/vaults/v/jobs/{job}/output"), &[], b"").unwrap();
    let inventory: serde_json::Value = serde_json::from_slice(output.body()).unwrap();
    assert_eq!(inventory["ArchiveList"].as_array().unwrap().len(), 1, "the second is not in it");
}

#[test]
fn what_the_account_cannot_have_is_refused() {
    let client = Client::new();
    let id = client.archive(&content(2));
    let order = |tier: &str| serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "Tier": tier});
    client.vaults.with(|state| state.settings.no_expedited = true);
    assert_eq!(client.job(&order("Expedited")).unwrap_err().code, "InsufficientCapacityException");
    client.vaults.with(|state| state.settings.policy_bytes_max = Some(MEBIBYTE));
    assert_eq!(client.job(&order("Bulk")).unwrap_err().code, "PolicyEnforcedException");
    client.vaults.with(|state| state.settings.closed = true);
    assert_eq!(client.job(&order("Bulk")).unwrap_err().code, "NoLongerSupportedException");
}

#[test]
fn a_vault_tells_its_topic_once_of_every_job_also_of_one_that_failed() {
    let mut client = Client::new();
    let path = "/-/vaults/v/notification-configuration";
    assert_eq!(client.refused("GET", path, &[], b""), "ResourceNotFoundException");
    let topic = "arn:aws:sns:us-east-1:111111111111:t";
    for wrong in [
        serde_json::json!({"SNSTopic": topic, "Events": []}),
        serde_json::json!({"SNSTopic": topic, "Events": ["Other"]}),
        serde_json::json!({"SNSTopic": "t", "Events": ["ArchiveRetrievalCompleted"]}),
    ] {
        let refused = client.refused("PUT", path, &[], wrong.to_string().as_bytes());
        assert_eq!(refused, "InvalidParameterValueException", "{wrong}");
    }
    let set = serde_json::json!({"SNSTopic": topic, "Events": ["ArchiveRetrievalCompleted"]});
    client.send("PUT", path, &[], set.to_string().as_bytes()).unwrap();
    let got = client.send("GET", path, &[], b"").unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(got.body()).unwrap(), set);
    let id = client.archive(&content(1));
    let other = "arn:aws:sns:us-east-1:111111111111:other";
    let order = serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "SNSTopic": other, "Tier": "Bulk"});
    client.job(&order).unwrap();
    client.vaults.with(|state| state.settings.jobs_fail = true);
    client.job(&serde_json::json!({"Type": "archive-retrieval", "ArchiveId": id, "Tier": "Bulk"})).unwrap();
    assert!(client.vaults.with(|state| due(state, client.now)).is_empty(), "not yet");
    client.now += SignedDuration::from_hours(12);
    let told = client.vaults.with(|state| due(state, client.now));
    let mut told: Vec<_> =
        told.iter().map(|(topic, text)| (topic.as_str(), text["StatusCode"].as_str().unwrap())).collect();
    told.sort_unstable();
    assert_eq!(told, [(other, "Succeeded"), (topic, "Failed"), (topic, "Succeeded")]);
    assert!(client.vaults.with(|state| due(state, client.now)).is_empty(), "once");
    client.send("DELETE", path, &[], b"").unwrap();
}
