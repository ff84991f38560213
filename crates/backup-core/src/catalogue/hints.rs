//! What listings keep on this machine of manifests that they read, so that those that did not change need not be read again.
//!
//! Only a hint: of each manifest it has the version, by which it is compared with what is there before it is believed. It is one
//! file for each location, readable by its owner only, ended by a digest; what cannot be read, was cut off, is of another user
//! or of another version of this program is no hint, and is written anew. Nothing is wrong if it cannot be written.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::key::Key;
use crate::local_file;
use crate::manifest::Tool;
use crate::store::Version;

/// Fewer manifests are read as fast as a hint is: nothing is kept of them.
const MANIFESTS_MIN: usize = 64;

/// Most manifests in a file; of more, those whose keys are the last, which in listings are the newest.
const MANIFESTS_MAX: usize = 50_000;

/// Longest file in bytes: as many manifests with long names.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most files, each of one location; those that were not written for the longest time go.
const FILES_MAX: usize = 32;

/// When a file that was not finished is no longer being written.
const UNFINISHED: Duration = Duration::from_secs(60 * 60);

/// What unfinished files begin with, and finished ones end in.
const UNFINISHED_PREFIX: &str = ".unfinished-";
const SUFFIX: &str = ".hint";

/// Bits of a mode that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// What is known of one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint<T> {
    pub(super) version: Version,
    pub(super) told: T,
}

/// What listings of one location told last of its manifests.
#[derive(Debug)]
pub struct Hints<T> {
    /// Where they are kept; nowhere if they are not to be.
    at: Option<PathBuf>,
    header: Header,
    known: HashMap<Key, Hint<T>>,
    changed: bool,
}

/// The first line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// What is told of each manifest, with the number of its form.
    of: String,
    /// Which program told it: another version may see more in the same manifest.
    program: String,
    location: String,
}

/// Each further line but the last, which is the digest of all before.
#[derive(Debug, Serialize, Deserialize)]
struct Line<K, T> {
    manifest: K,
    version: Version,
    told: T,
}

impl<T> Hints<T> {
    /// None, and none are kept: every manifest is read.
    #[must_use]
    pub fn none() -> Self {
        Self { at: None, header: Header::default(), known: HashMap::new(), changed: false }
    }

    pub(super) fn are_kept(&self) -> bool {
        self.at.is_some()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Hint<T>> {
        self.known.get(key)
    }

    /// Of what is known below `prefix` only `stay` is left, and there is `fresh` besides.
    pub(super) fn replace(&mut self, prefix: &str, stay: &HashSet<Key>, fresh: Vec<(Key, Hint<T>)>) {
        let below = |key: &Key| key.as_str().starts_with(prefix);
        if fresh.is_empty() && self.known.keys().filter(|key| below(key)).count() == stay.len() {
            return;
        }
        self.known.retain(|key, _| !below(key) || stay.contains(key));
        self.known.extend(fresh);
        self.changed = true;
    }
}

impl<T: Serialize + DeserializeOwned> Hints<T> {
    /// Those in `folder` of `location`, a name by which it can be told from any other on this machine. `of` says what is told
    /// of each manifest, with a number that changes with its form.
    #[must_use]
    pub fn open(folder: &Path, of: &str, location: &str) -> Self {
        let (of, location) = (of.to_owned(), location.to_owned());
        let name = Sha256Digest::of(location.as_bytes()).to_string();
        let at = folder.join(format!("{of}-{}{SUFFIX}", &name[..32]));
        let header = Header { of, program: Tool::current().version, location };
        let known = is_ours(folder).then(|| read(&at, &header)).flatten().unwrap_or_default();
        Self { at: Some(at), header, known, changed: false }
    }

    /// Keeps them for the next listing, if there is something new to be kept. Whoever writes last at the same time is believed,
    /// and that is as good.
    ///
    /// # Errors
    /// What the system says. That is only worth a line in a log.
    pub fn keep(self) -> io::Result<()> {
        let Some(at) = self.at.as_deref().filter(|_| self.changed) else { return Ok(()) };
        if self.known.len() < MANIFESTS_MIN && !at.exists() {
            return Ok(());
        }
        let folder = at.parent().unwrap_or(Path::new("."));
        // A superuser with the home of another user makes no folder there that this one could not use.
        let above = folder.ancestors().find_map(|above| fs::metadata(above).ok());
        if above.is_none_or(|above| above.uid() != own_uid()) {
            return Err(io::Error::other(format!("`{}` is another user's", folder.display())));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if !is_ours(folder) {
            return Err(io::Error::other(format!("`{}` belongs to others, too", folder.display())));
        }
        let unfinished = folder.join(format!("{UNFINISHED_PREFIX}{}", uuid::Uuid::now_v7().simple()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let written = self.encode().and_then(|body| file.write_all(&body)).and_then(|()| fs::rename(&unfinished, at));
        if written.is_err() {
            // Nobody would ever read it.
            drop(fs::remove_file(&unfinished));
        }
        tidy(folder);
        written
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut lines: Vec<(&Key, &Hint<T>)> = self.known.iter().collect();
        lines.sort_unstable_by(|one, other| one.0.cmp(other.0));
        let mut body = serde_json::to_vec(&self.header)?;
        for (manifest, Hint { version, told }) in lines.split_off(lines.len().saturating_sub(MANIFESTS_MAX)) {
            body.push(b'\n');
            serde_json::to_writer(&mut body, &Line { manifest, version: version.clone(), told })?;
        }
        body.push(b'\n');
        let digest = Sha256Digest::of(&body);
        body.extend_from_slice(digest.to_string().as_bytes());
        Ok(body)
    }
}

/// What is in a file, if all of it is as it was written, by this version and for this location.
fn read<T: DeserializeOwned>(at: &Path, header: &Header) -> Option<HashMap<Key, Hint<T>>> {
    let file = local_file::open(OpenOptions::new().read(true), at).ok()?;
    if !is_owned(&file) {
        return None;
    }
    let mut body = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut body).ok()?;
    if body.len() as u64 > FILE_BYTES_MAX {
        return None;
    }
    let (lines, digest) = body.split_at(body.iter().rposition(|byte| *byte == b'\n')? + 1);
    if Sha256Digest::of(lines).to_string().as_bytes() != digest {
        return None;
    }
    let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    if serde_json::from_slice::<Header>(lines.next()?).ok()? != *header {
        return None;
    }
    let hint = |line: &[u8]| {
        let Line { manifest, version, told } = serde_json::from_slice::<Line<Key, T>>(line).ok()?;
        Some((manifest, Hint { version, told }))
    };
    lines.map(hint).collect()
}

/// Whether nobody else can have written it.
fn is_owned(file: &File) -> bool {
    file.metadata().is_ok_and(|found| is_own(found.uid(), found.mode()))
}

/// Whether a folder is there in which nobody else can put a file.
fn is_ours(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.is_dir() && is_own(found.uid(), found.mode()))
}

fn is_own(uid: u32, mode: u32) -> bool {
    uid == own_uid() && mode & OTHERS_WRITE == 0
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Removes files of locations that nobody listed for long, and what was never finished. Whether that succeeds matters to nobody.
fn tidy(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut finished: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let Ok(modified) = entry.metadata().and_then(|found| found.modified()) else { continue };
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.ends_with(SUFFIX) {
            finished.push((modified, path));
        } else if name.starts_with(UNFINISHED_PREFIX) && modified.elapsed().is_ok_and(|age| age > UNFINISHED) {
            drop(fs::remove_file(path));
        }
    }
    finished.sort_unstable();
    let too_many = finished.len().saturating_sub(FILES_MAX);
    for (_, path) in finished.into_iter().take(too_many) {
        drop(fs::remove_file(path));
    }
}

#[cfg(test)]
mod tests;
