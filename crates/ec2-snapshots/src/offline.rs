//! Snapshots from a file, as `aws ec2 describe-snapshots` prints them: read one by one, whatever their number.

mod window;

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{IgnoredAny, Visitor};

use self::window::{Fault, Window};
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Region, Snapshot, SnapshotId, SnapshotState, StorageTier, Tags, VolumeId};

/// Hands each snapshot of the document in `file`, called `name` in errors, to `take`. All are said to be in `region`,
/// which such documents do not name. Several documents may follow each other, as pages of a listing do.
///
/// # Errors
/// [`Ec2Error::Input`] with line and column.
pub fn read(file: impl Read, name: &str, region: &Region, take: &mut dyn FnMut(Snapshot)) -> Ec2Result<u64> {
    let file = text(BufReader::new(file)).map_err(|what| Ec2Error::input(name, what))?;
    let mut reader = Reader { window: Window::new(file), name, region, take, read: 0 };
    // One document at least.
    reader.document()?;
    while reader.peek()?.is_some() {
        reader.document()?;
    }
    Ok(reader.read)
}

/// Reads documents: `{"Snapshots": […], "NextToken": …}`, or the list alone.
struct Reader<'r, R> {
    window: Window<R>,
    name: &'r str,
    region: &'r Region,
    take: &'r mut dyn FnMut(Snapshot),
    read: u64,
}

impl<R: Read> Reader<'_, R> {
    fn document(&mut self) -> Ec2Result<()> {
        match self.peek()? {
            Some(b'{') => self.listing(),
            Some(b'[') => self.list(),
            Some(_) => Err(self.unexpected("the output of `aws ec2 describe-snapshots`")),
            None => Err(self.unexpected("a value")),
        }
    }

    fn listing(&mut self) -> Ec2Result<()> {
        self.window.skip();
        let mut is_listing = false;
        if self.peek()? == Some(b'}') {
            self.window.skip();
        } else {
            loop {
                let field: String = self.value(|bytes| serde_json::from_slice(bytes))?;
                self.expect(b':', "`:`")?;
                if field == "Snapshots" {
                    is_listing = true;
                    self.peek()?.filter(|byte| *byte == b'[').ok_or_else(|| self.unexpected("a list of snapshots"))?;
                    self.list()?;
                } else {
                    self.value(|bytes| serde_json::from_slice::<IgnoredAny>(bytes).map(drop))?;
                }
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        if is_listing { Ok(()) } else { Err(self.fault("missing field `Snapshots`", self.window.place())) }
    }

    fn list(&mut self) -> Ec2Result<()> {
        self.window.skip();
        if self.peek()? == Some(b']') {
            self.window.skip();
            return Ok(());
        }
        let region = self.region;
        loop {
            let snapshot =
                self.value(|bytes| serde_json::from_slice(bytes).map(|one: Described<'_>| one.snapshot(region)))?;
            (self.take)(snapshot);
            self.read += 1;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// Whether a comma follows, and not the end of what is being read.
    fn goes_on(&mut self, end: u8) -> Ec2Result<bool> {
        let found = self.peek()?;
        if found != Some(b',') && found != Some(end) {
            return Err(self.unexpected(if end == b']' { "`,` or `]`" } else { "`,` or `}`" }));
        }
        self.window.skip();
        Ok(found == Some(b','))
    }

    fn expect(&mut self, byte: u8, wanted: &str) -> Ec2Result<()> {
        if self.peek()? != Some(byte) {
            return Err(self.unexpected(wanted));
        }
        self.window.skip();
        Ok(())
    }

    fn peek(&mut self) -> Ec2Result<Option<u8>> {
        self.window.peek().map_err(|fault| broken(self.name, fault, self.window.place()))
    }

    /// The next value, as `read` takes it.
    fn value<T>(&mut self, read: impl FnOnce(&[u8]) -> serde_json::Result<T>) -> Ec2Result<T> {
        let (name, place) = (self.name, self.window.place());
        let (bytes, line, column) = self.window.value().map_err(|fault| broken(name, fault, place))?;
        read(bytes).map_err(|error| {
            // Counted from the beginning of the value.
            let column = if error.line() <= 1 { column + error.column() } else { error.column() };
            let what = error.to_string();
            let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
            at(name, what, (line + error.line().max(1) - 1, column))
        })
    }

    fn unexpected(&mut self, wanted: &str) -> Ec2Error {
        let what = match self.window.peek() {
            Ok(Some(_)) => format!("expected {wanted}"),
            _ => format!("EOF where {wanted} is expected"),
        };
        self.fault(&what, self.window.place())
    }

    fn fault(&self, what: &str, place: (usize, usize)) -> Ec2Error {
        at(self.name, what, place)
    }
}

fn broken(name: &str, fault: Fault, place: (usize, usize)) -> Ec2Error {
    match fault {
        Fault::Io(source) => Ec2Error::Io { action: "read", path: name.to_owned(), source },
        Fault::End => at(name, "EOF while parsing a value", place),
        Fault::TooLong => at(name, "a value that is too long for a snapshot", place),
    }
}

fn at(name: &str, what: &str, (line, column): (usize, usize)) -> Ec2Error {
    Ec2Error::input(name, format!("{what} at line {line} column {column}"))
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
struct Described<'a> {
    #[serde(borrow)]
    snapshot_id: Cow<'a, str>,
    start_time: Timestamp,
    #[serde(borrow, default, deserialize_with = "text_or_nothing")]
    volume_id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text_or_nothing")]
    owner_id: Cow<'a, str>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    state_message: Option<String>,
    #[serde(borrow, default, deserialize_with = "text_or_nothing")]
    progress: Cow<'a, str>,
    #[serde(default, deserialize_with = "or_default")]
    volume_size: u64,
    #[serde(default, deserialize_with = "or_default")]
    encrypted: bool,
    #[serde(borrow)]
    storage_tier: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "text_or_nothing")]
    description: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    tags: Vec<Tag<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text_or_nothing")]
    value: Cow<'a, str>,
}

/// `null` says nothing either: `--query` of the AWS CLI writes it for what is not there.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// The same for texts, which are not copied unless something in them is escaped.
fn text_or_nothing<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Cow<'de, str>, D::Error> {
    value.deserialize_any(TextOrNothing)
}

struct TextOrNothing;

impl<'de> Visitor<'de> for TextOrNothing {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

impl Described<'_> {
    fn snapshot(self, region: &Region) -> Snapshot {
        Snapshot {
            id: SnapshotId::new(self.snapshot_id),
            region: region.clone(),
            volume: VolumeId::new(self.volume_id),
            owner: self.owner_id.into_owned(),
            start_time: self.start_time,
            state: self.state.map_or(SnapshotState::Completed, |name| SnapshotState::of(&name)),
            state_message: self.state_message.filter(|message| !message.is_empty()),
            progress: self.progress.into_owned(),
            size_gib: self.volume_size,
            encrypted: self.encrypted,
            tier: if self.storage_tier.as_deref() == Some("archive") {
                StorageTier::Archive
            } else {
                StorageTier::Standard
            },
            description: self.description.into_owned(),
            tags: self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<Tags>(),
        }
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
            (&PUBLISHED[..200], "EOF while parsing a value at line 3"),
            ("[\n  {\"SnapshotId\": \"snap-1\",\n   \"StartTime\": 5}]", "at line 3 column 1"),
            (r#"{"Snapshots": {}}"#, "expected a list of snapshots at line 1 column 15"),
            (r#"{"Snapshots": []"#, "EOF where `,` or `}` is expected"),
            (r#"[{"SnapshotId": "s", "StartTime": "2026-11-21T03:00:24Z"} {}]"#, "expected `,` or `]`"),
            (r#"{"Snapshots": [],}"#, "line 1 column 18"),
            (r#"{"NextToken": nul, "Snapshots": []}"#, "line 1 column 17"),
            ("7", "expected the output of `aws ec2 describe-snapshots`"),
        ] {
            let error = all(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("a.json"), "{error}");
        }
    }
}
