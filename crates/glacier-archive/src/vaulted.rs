//! What is known of an archive in a vault, where a key is no name: its id, its tree hash, and an upload that was begun.

use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use serde::{Deserialize, Serialize};

/// Longest description of an archive or job ("UploadArchive").
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// Begins the description of a job that retrieves a whole archive.
const JOB: &str = "lastgood ";

/// An archive in a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultArchive {
    /// What the service calls it. It may begin with `-`.
    pub id: String,
    /// Its bytes.
    pub bytes: u64,
    /// The root of its tree.
    pub tree_hash: Sha256Digest,
}

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenUpload {
    /// What the service calls it.
    pub id: String,
    /// Bytes of each part but the last.
    pub part_bytes: u64,
    /// Bytes and tree hash of the whole; known once all parts were sent, and kept before the upload is completed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub whole: Option<(u64, Sha256Digest)>,
}

/// What is known of an archive in a vault. The default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vaulted {
    /// Its upload, until it is known to be complete.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upload: Option<OpenUpload>,
    /// The archive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub archive: Option<VaultArchive>,
}

impl Vaulted {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upload.is_none() && self.archive.is_none()
    }
}

/// What the description of an archive tells whoever has lost everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The key that it has in a location.
    pub lastgood: Key,
    /// The name of its file, if it is one file and the name is not too long.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
}

impl Described {
    /// As an archive's description: JSON in printable characters of ASCII, which are all that a vault takes.
    #[must_use]
    pub fn text(&self) -> String {
        let text = ascii(self);
        if text.len() <= DESCRIPTION_BYTES_MAX { text } else { ascii(&Self { file: None, ..self.clone() }) }
    }

    /// Reads a description; `None` if another program wrote it.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        serde_json::from_str(description).ok()
    }
}

fn ascii(described: &Described) -> String {
    // A key and a name are always JSON.
    let json = serde_json::to_string(described).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            // Only strings have others, so that an escape may stand wherever one does.
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// How a job is described that retrieves all of `key`, so that it is found again.
#[must_use]
pub fn job_description(key: &Key) -> String {
    format!("{JOB}{key}")
}

/// The archive that a job of this description retrieves.
#[must_use]
pub fn job_key(description: &str) -> Option<Key> {
    Key::new(description.strip_prefix(JOB)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(file: Option<&str>) -> Described {
        let lastgood = Key::new("glacier/uploads/archives/9f86d0").unwrap();
        Described { lastgood, file: file.map(str::to_owned) }
    }

    #[test]
    fn descriptions_are_ascii_short_and_read_back() {
        for file in [None, Some("a/b.pdf"), Some("Zoë \"x\"\n\u{7f}😀.txt")] {
            let text = described(file).text();
            assert!(text.bytes().all(|byte| (32..=126).contains(&byte)), "{text}");
            assert_eq!(Described::parse(&text), Some(described(file)));
        }
        let long = described(Some(&"é".repeat(400))).text();
        assert!(long.len() <= DESCRIPTION_BYTES_MAX && Described::parse(&long) == Some(described(None)), "{long}");
        assert_eq!(Described::parse("mt2 eyJmaWxlbmFtZSI6"), None, "another program's");
    }

    #[test]
    fn a_job_is_found_by_its_archive() {
        let key = described(None).lastgood;
        assert_eq!(job_key(&job_description(&key)), Some(key));
        assert_eq!(job_key("lastgood-inventory uploads"), None);
        assert_eq!(job_key("somebody else's"), None);
    }
}
