//! Snapshots from a file, as `aws ec2 describe-snapshots` prints them: read one by one, whatever their number.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, Snapshot, SnapshotId, SnapshotState, StorageTier, Tags, VolumeId};

/// Read at a time; parsing is faster than any disk is in smaller pieces.
const BUFFER_BYTES: usize = 256 * 1024;

/// Hands each snapshot of the document in `file`, called `name` in errors, to `take`. All are said to be in `region`,
/// which such documents do not name. Several documents may follow each other, as pages of a listing do.
///
/// # Errors
/// [`Ec2Error::Input`] with line and column.
pub fn read(file: impl Read, name: &str, region: &Region, take: &mut dyn FnMut(Snapshot)) -> Ec2Result<u64> {
    let mut read = 0;
    let reader = text(BufReader::with_capacity(BUFFER_BYTES, file)).map_err(|what| Ec2Error::input(name, what))?;
    let mut documents = serde_json::Deserializer::from_reader(reader);
    let fault = |error: &serde_json::Error| Ec2Error::input(name, error.to_string());
    loop {
        let mut count = |snapshot: Described| {
            read += 1;
            take(snapshot.snapshot(region));
        };
        match (Document { take: &mut count }).deserialize(&mut documents) {
            Ok(()) => {}
            Err(error) => return Err(fault(&error)),
        }
        // Nothing but white space follows; a document that is cut has ended with an error above.
        if documents.end().is_ok() {
            return Ok(read);
        }
    }
}

/// The file behind its byte order mark. Windows PowerShell's `>` writes one, and UTF-16.
fn text<R: Read>(mut file: BufReader<R>) -> Result<BufReader<R>, String> {
    let begin = file.fill_buf().map_err(|error| error.to_string())?;
    if begin.is_empty() {
        return Err("it is empty".to_owned());
    }
    if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16, and must be UTF-8".to_owned());
    }
    if begin.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    Ok(file)
}

/// A snapshot as it is described; what is missing in a hand-made file has a default.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    snapshot_id: String,
    start_time: Timestamp,
    #[serde(default, deserialize_with = "or_default")]
    volume_id: String,
    #[serde(default, deserialize_with = "or_default")]
    owner_id: String,
    state: Option<String>,
    state_message: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    progress: String,
    #[serde(default, deserialize_with = "or_default")]
    volume_size: u64,
    #[serde(default, deserialize_with = "or_default")]
    encrypted: bool,
    storage_tier: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

/// `null` says nothing either: `--query` of the AWS CLI writes it for what is not there.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

impl Described {
    fn snapshot(self, region: &Region) -> Snapshot {
        Snapshot {
            id: SnapshotId::new(self.snapshot_id),
            region: region.clone(),
            volume: VolumeId::new(self.volume_id),
            owner: self.owner_id,
            start_time: self.start_time,
            state: self.state.map_or(SnapshotState::Completed, |name| SnapshotState::of(&name)),
            state_message: self.state_message.filter(|message| !message.is_empty()),
            progress: self.progress,
            size_gib: self.volume_size,
            encrypted: self.encrypted,
            tier: if self.storage_tier.as_deref() == Some("archive") {
                StorageTier::Archive
            } else {
                StorageTier::Standard
            },
            description: self.description,
            tags: self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<Tags>(),
        }
    }
}

/// `{"Snapshots": […], "NextToken": …}`, or the list alone.
struct Document<'t> {
    take: &'t mut dyn FnMut(Described),
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output of `aws ec2 describe-snapshots`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut is_listing = false;
        while let Some(name) = fields.next_key::<String>()? {
            if name == "Snapshots" {
                is_listing = true;
                fields.next_value_seed(List { take: &mut *self.take })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        if is_listing { Ok(()) } else { Err(serde::de::Error::missing_field("Snapshots")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        List { take: self.take }.visit_seq(list)
    }
}

struct List<'t> {
    take: &'t mut dyn FnMut(Described),
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of snapshots")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(snapshot) = list.next_element::<Described>()? {
            (self.take)(snapshot);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Ec2Result<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        read(text.as_bytes(), "a.json", &"eu-west-1".parse().unwrap(), &mut |snapshot| snapshots.push(snapshot))?;
        Ok(snapshots)
    }

    /// The example of botocore's documentation of DescribeSnapshots.
    const PUBLISHED: &str = r#"{
        "NextToken": "",
        "Snapshots": [{
            "Description": "This is my copied snapshot.",
            "OwnerId": "012345678910",
            "Progress": "87%",
            "SnapshotId": "snap-066877671789bd71b",
            "StartTime": "2014-02-28T21:37:27.000Z",
            "State": "pending",
            "VolumeId": "vol-1234567890abcdef0",
            "VolumeSize": 8
        }]
    }"#;

    #[test]
    fn the_published_example_is_read() {
        let snapshots = all(PUBLISHED).unwrap();
        assert_eq!(snapshots.len(), 1);
        let snapshot = &snapshots[0];
        assert_eq!((snapshot.state, snapshot.size_gib, &*snapshot.progress), (SnapshotState::Pending, 8, "87%"));
        assert_eq!(snapshot.start_time.to_string(), "2014-02-28T21:37:27Z");
    }

    #[test]
    fn every_form_of_time_is_read() {
        for time in ["2026-11-21T03:00:32.000Z", "2026-11-21T03:00:32+00:00", "2026-11-21T03:00:32.000000+00:00"] {
            let list = format!(r#"[{{"SnapshotId": "snap-1", "StartTime": "{time}"}}]"#);
            assert_eq!(all(&list).unwrap()[0].start_time.to_string(), "2026-11-21T03:00:32Z", "{time}");
        }
        for time in ["2026-11-21T03:00:24.406Z", "2026-11-21T03:00:24.406000+00:00"] {
            let list = format!(r#"[{{"SnapshotId": "snap-1", "StartTime": "{time}"}}]"#);
            assert_eq!(all(&list).unwrap()[0].start_time.to_string(), "2026-11-21T03:00:24.406Z", "{time}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(all(&format!("\u{feff}{PUBLISHED}")).unwrap().len(), 1);
        let utf16: Vec<u8> = "\u{feff}[]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let region = "eu-west-1".parse().unwrap();
        let refused = read(utf16.as_slice(), "a.json", &region, &mut |_| ()).unwrap_err().to_string();
        assert!(refused.contains("UTF-16"), "{refused}");
    }

    #[test]
    fn null_is_as_good_as_missing() {
        let list = r#"[{"SnapshotId": "snap-1", "StartTime": "2026-11-21T03:00:24Z", "VolumeId": null, "Tags": null,
            "Description": null, "State": null, "Encrypted": null, "VolumeSize": null}]"#;
        let snapshots = all(list).unwrap();
        assert_eq!((snapshots[0].tags.len(), snapshots[0].state), (0, SnapshotState::Completed));
    }

    #[test]
    fn pages_may_follow_each_other() {
        assert_eq!(all(&format!("{PUBLISHED}\n{PUBLISHED}\n\n")).unwrap().len(), 2);
        assert_eq!(all(r#"{"Snapshots": []}"#).unwrap(), []);
    }

    #[test]
    fn what_is_no_listing_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "it is empty"),
            ("\u{feff}", "EOF"),
            (r#"[{"SnapshotId": "snap-1", "StartTime": "2026-11-21T03:00:24Z"}"#, "EOF"),
            (r#"[{"SnapshotId": "snap-1", "StartTime": "2026-11-21T03:00:24Z"},"#, "EOF"),
            (r#"{"Snapshots": [{"SnapshotId": "snap-1", "StartTime": "2026-11-21T03:00:24Z"}]"#, "EOF"),
            (r#"{"Snapshots": []} {"Snapshots""#, "EOF"),
            ("{}", "missing field `Snapshots`"),
            (r#"{"Snapshots": [{"StartTime": "2026-11-21T03:00:24Z"}]}"#, "missing field `SnapshotId`"),
            (r#"{"Snapshots": [{"SnapshotId": "snap-1", "StartTime": "yesterday"}]}"#, "line 1"),
            (&PUBLISHED[..200], "line"),
        ] {
            let error = all(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("a.json"), "{error}");
        }
    }
}
