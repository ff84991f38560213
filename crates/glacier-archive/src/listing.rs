//! The list of a backup's files: one JSON object a line, and where each content lies.

use std::collections::BTreeSet;

use backup_core::manifest::Part;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::error::{GlacierError, GlacierResult};

/// Longest list in bytes: ten million files of common names.
pub const LISTING_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The file.
    #[serde(flatten)]
    pub entry: Entry,
    /// The part of the manifest that has its content; absent if the file is empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<usize>,
    /// Where its content begins in that part.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub offset: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(offset: &u64) -> bool {
    *offset == 0
}

/// The list as it is stored.
///
/// # Errors
/// Never, as far as is known: a file is always JSON.
pub fn written(files: &[Listed]) -> GlacierResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(files.len() * 220);
    for file in files {
        serde_json::to_writer(&mut bytes, file).map_err(GlacierError::internal)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Reads the list `what`, whose digest was checked, of a backup with these parts.
///
/// # Errors
/// [`GlacierError::Damaged`] for a line that is none, a name that leaves the folder or comes twice, and a content that its
/// part does not have.
pub fn read(what: &str, bytes: &[u8], parts: &[Part]) -> GlacierResult<Vec<Listed>> {
    let mut files: Vec<Listed> = Vec::new();
    let mut names = BTreeSet::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let wrong = |why: String| GlacierError::damaged(what, format!("line {}: {why}", number + 1));
        let file: Listed = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
        check_path(&file.entry.name).map_err(|why| wrong(format!("`{}` {why}", file.entry.name)))?;
        if !names.insert(file.entry.name.clone()) {
            return Err(wrong(format!("`{}` comes twice", file.entry.name)));
        }
        let end = file.offset.checked_add(file.entry.bytes);
        let has = match file.part {
            None => file.entry.bytes == 0,
            Some(part) => parts.get(part).is_some_and(|part| end.is_some_and(|end| end <= part.stored_bytes)),
        };
        if !has {
            return Err(wrong(format!("no part has the content of `{}`", file.entry.name)));
        }
        files.push(file);
    }
    Ok(files)
}

/// Refuses a name that would be restored outside its folder.
///
/// # Errors
/// Why.
pub fn check_path(name: &str) -> Result<(), &'static str> {
    let is_plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    match () {
        () if name.contains('\0') => Err("has a NUL"),
        () if !name.split('/').all(is_plain) => Err("is no path below a folder"),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use backup_core::digest::Sha256Digest;
    use backup_core::key::Key;
    use backup_core::manifest::Codec;

    use super::*;

    fn part(bytes: u64) -> Part {
        Part {
            key: Key::new("glacier/x/bundles/1").unwrap(),
            role: "bundle".to_owned(),
            content_sha256: None,
            content_bytes: bytes,
            stored_sha256: Sha256Digest::of(b""),
            stored_bytes: bytes,
            codec: Codec::None,
            offset: None,
            length: None,
        }
    }

    fn listed(name: &str, part: Option<usize>, offset: u64) -> Listed {
        let content: &[u8] = if part.is_some() { b"four" } else { b"" };
        Listed { entry: Entry::example(name, content), part, offset }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let files = vec![listed("a/b \"c\"\n.pdf", Some(0), 6), listed("empty", None, 0)];
        let bytes = written(&files).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
        assert_eq!(read("list", &bytes, &[part(10)]).unwrap(), files);
    }

    #[test]
    fn hostile_lists_are_refused() {
        for (file, why) in [
            (listed("../etc/passwd", None, 0), "is no path below a folder"),
            (listed("/etc/passwd", None, 0), "is no path below a folder"),
            (listed("a//b", None, 0), "is no path below a folder"),
            (listed("a\0b", None, 0), "has a NUL"),
            (listed("a", Some(1), 0), "no part has the content"),
            (listed("a", Some(0), 7), "no part has the content"),
            (listed("a", Some(0), u64::MAX), "no part has the content"),
        ] {
            let error = read("list", &written(&[file]).unwrap(), &[part(10)]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let twice = written(&[listed("a", None, 0), listed("a", None, 0)]).unwrap();
        assert!(read("list", &twice, &[]).unwrap_err().to_string().contains("line 2: `a` comes twice"));
    }
}
