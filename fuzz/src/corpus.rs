//! Inputs to begin with: those that are kept in the folder, and what tests of the crates have already.

use std::io;
use std::path::{Path, PathBuf};

use backup_core::digest::Sha256Digest;

/// Fixtures of other tests that are inputs of a reader, relative to the root of the checkout.
const FIXTURES: [(&str, &[&str]); 7] = [
    ("manifest", &["crates/dictstore-backup/tests/fixtures/ours/manifests"]),
    ("pack", &[]),
    ("archive", &["crates/pg-clone/tests/fixtures/archive"]),
    ("conninfo", &[]),
    (
        "tarball",
        &[
            "crates/object-backup/tests/fixtures/plain",
            "crates/object-backup/tests/fixtures/py27",
            "crates/object-backup/tests/fixtures/corrupt",
        ],
    ),
    ("pickle", &["crates/dictstore-backup/tests/fixtures/full", "crates/dictstore-backup/tests/fixtures/edge"]),
    ("json", &["crates/dictstore-backup/tests/fixtures/full", "crates/dictstore-backup/tests/fixtures/edge"]),
];

/// Inputs longer than this are read by tests of their own, and would slow every round down.
const INPUT_BYTES_MAX: usize = 32 * 1024;

/// Inputs longer than this are not kept.
const KEPT_BYTES_MAX: usize = 2 * 1024;

/// How many inputs are kept for one reader: enough for its classes, few enough to be looked at.
const KEPT_MAX: usize = 32;

/// How names of kept inputs begin.
const KEPT: &str = "kept-";

/// The inputs of one reader.
pub(crate) struct Corpus {
    folder: PathBuf,
    /// In the order of their names, so that a round is the same again.
    pub(crate) inputs: Vec<Vec<u8>>,
    kept: usize,
}

impl Corpus {
    /// All inputs of `reader` in a folder of `home`, and fixtures beside it.
    pub(crate) fn read(home: &Path, reader: &str) -> io::Result<Self> {
        let folder = home.join(reader);
        let root = home.join("../..");
        let fixtures = FIXTURES.iter().filter(|(name, _)| *name == reader).flat_map(|(_, folders)| folders.iter());
        let mut files = files_of(&folder)?;
        let kept = files.iter().filter(|file| is_kept(file)).count();
        for fixture in fixtures {
            // A folder that was copied elsewhere has no checkout around it.
            files.extend(files_of(&root.join(fixture)).unwrap_or_default());
        }
        let wanted = |file: &PathBuf| match reader {
            "pickle" => file.extension().is_some_and(|ending| ending == "pickle"),
            "json" => file.extension().is_some_and(|ending| ending == "json"),
            _ => true,
        };
        let mut inputs = Vec::new();
        for file in files.iter().filter(|file| is_kept(file) || wanted(file)) {
            let input = std::fs::read(file)?;
            if input.len() <= INPUT_BYTES_MAX {
                inputs.push(input);
            }
        }
        if inputs.is_empty() {
            let what = format!("there is no input in `{}`", folder.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(Self { folder, inputs, kept })
    }

    /// Keeps an input for the runs after this one; whether it did.
    pub(crate) fn keep(&mut self, input: &[u8]) -> io::Result<bool> {
        if input.len() > KEPT_BYTES_MAX || self.kept >= KEPT_MAX {
            return Ok(false);
        }
        let name = Sha256Digest::of(input).to_string();
        std::fs::write(self.folder.join(format!("{KEPT}{}", &name[..12])), input)?;
        self.kept += 1;
        Ok(true)
    }
}

fn is_kept(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(KEPT))
}

fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
