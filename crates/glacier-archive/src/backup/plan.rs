//! Which files a backup has to read and store: a pure decision, and what `--dry-run` prints.

use std::collections::BTreeMap;
use std::path::PathBuf;

use backup_core::units;
use serde::Serialize;

use crate::catalogue::KnownFile;
use crate::class::Class;
use crate::detail::FailedFile;
use crate::money::Usd;
use crate::pattern::Excluded;
use crate::price::PriceBook;
use crate::scan::{Found, Scan};

/// Files up to this size are bundled: of larger ones the request costs less than a thousandth of a year's storage.
pub const BUNDLED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of content that a bundle gets at most: in memory while it is made, and retrieved for a single file of it.
pub const BUNDLE_BYTES: u64 = 64 * 1024 * 1024;

/// What is backed up, and how.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// What the files are called.
    pub name: String,
    /// The folder they are in; absent: only a database is backed up, and nothing is said of files.
    pub files: Option<PathBuf>,
    /// What of the folder is left out.
    pub excluded: Excluded,
    /// The class archives are written in; absent for a store without classes.
    pub class: Option<Class>,
    /// The vault that archives go to; absent where they go to the location.
    pub vault: Option<String>,
    /// Whether small files share objects. Without it each file is an archive of its own, as GlacierOnRails has it.
    pub bundles: bool,
    /// Whether a folder without files is backed up.
    pub allow_empty: bool,
    /// Labels of the backup.
    pub tags: Vec<String>,
}

impl BackupSettings {
    /// The folder to read files in. Whoever names none has no file to read.
    pub(super) fn folder(&self) -> PathBuf {
        self.files.clone().unwrap_or_default()
    }
}

/// What a backup has to do with each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Archived before, and recognised without reading.
    pub unchanged: Vec<KnownFile>,
    /// Of an archived name and size, but no longer recognised: to be read and compared.
    pub suspects: Vec<(Found, KnownFile)>,
    /// Small files never seen before, in bundles.
    pub bundles: Vec<Vec<Found>>,
    /// Files never seen before that become archives of their own, unless their content is there already.
    pub archives: Vec<Found>,
    /// Empty files: no archive can be empty.
    pub empty: Vec<Found>,
    /// Archived before, and now another file, none, or unreadable: the backup has what was archived.
    pub kept: Vec<KnownFile>,
    /// Files that are not backed up as they are, and why.
    pub failed: Vec<FailedFile>,
    /// Things in the folder that are left out on request.
    pub excluded: u64,
}

impl Work {
    /// Whether anything has to be read or noted.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let Self { suspects, bundles, archives, empty, .. } = self;
        !(suspects.is_empty() && bundles.is_empty() && archives.is_empty() && empty.is_empty())
    }
}

/// What a backup would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupPlan {
    /// What the files are called.
    pub name: String,
    /// The class archives are written in.
    pub class: Option<Class>,
    /// Files in the folder.
    pub files: u64,
    /// Those that are archived already, and are not read.
    pub unchanged: u64,
    /// Those that are archived already, and are read to see whether they have changed.
    pub compared: u64,
    /// Files that are archived by this run.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Objects that are written for them at most: equal contents are stored once.
    pub objects: u64,
    /// What writing those costs.
    pub put: Usd,
    /// What keeping those costs a month.
    pub month: Usd,
    /// The day of the prices.
    pub prices_as_of: String,
    /// Files that are not backed up, and why.
    pub failed: Vec<FailedFile>,
    /// Things in the folder that are left out on request; a folder counts as one.
    pub excluded: u64,
}

/// Decides what is to be done with each file that was found.
#[must_use]
pub fn sort(scan: Scan, known: &BTreeMap<String, KnownFile>, bundles: bool) -> Work {
    let kept = kept(&scan.failed, known);
    let mut work = Work { failed: scan.failed, kept, excluded: scan.excluded, ..Work::default() };
    let mut small = Vec::new();
    for file in scan.files {
        match known.get(&file.name) {
            Some(known) if known.entry.bytes != file.bytes => {
                work.failed.push(changed(&file, known));
                work.kept.push(known.clone());
            }
            Some(known) if is_recognised(known, &file) => work.unchanged.push(known.clone()),
            Some(known) => work.suspects.push((file, known.clone())),
            None if file.bytes == 0 => work.empty.push(file),
            None if bundles && file.bytes <= BUNDLED_BYTES_MAX => small.push(file),
            None => work.archives.push(file),
        }
    }
    work.bundles = grouped(small);
    work
}

/// What was archived of files that cannot be looked at now, also of all in a folder that cannot be read.
fn kept(failed: &[FailedFile], known: &BTreeMap<String, KnownFile>) -> Vec<KnownFile> {
    let each = failed.iter().flat_map(|failed| {
        let is_folder = failed.name.ends_with('/');
        let is_meant = move |name: &str| *name == failed.name || is_folder && name.starts_with(&failed.name);
        known.range(failed.name.clone()..).take_while(move |(name, _)| is_meant(name))
    });
    each.map(|(_, known)| known.clone()).collect()
}

fn is_recognised(known: &KnownFile, file: &Found) -> bool {
    known.stamp == Some(file.stamp)
}

/// Archived files never change; one that has is reported, and its archived content stays what it was.
pub(super) fn changed(file: &Found, known: &KnownFile) -> FailedFile {
    let sizes = match (file.bytes, known.entry.bytes) {
        (found, archived) if found == archived => String::new(),
        (found, archived) => format!(" ({} instead of {})", units::exact_bytes(found), units::exact_bytes(archived)),
    };
    let what = format!("it has another content than when it was archived{sizes}; give the new content a new name");
    FailedFile { name: file.name.clone(), what }
}

/// Files in turn until a bundle has [`BUNDLE_BYTES`].
fn grouped(small: Vec<Found>) -> Vec<Vec<Found>> {
    let mut groups: Vec<Vec<Found>> = Vec::new();
    let mut bytes = 0;
    for file in small {
        match groups.last_mut() {
            Some(group) if bytes + file.bytes <= BUNDLE_BYTES => {
                bytes += file.bytes;
                group.push(file);
            }
            _ => {
                bytes = file.bytes;
                groups.push(vec![file]);
            }
        }
    }
    groups
}

/// What `work` comes to.
#[must_use]
pub fn plan(settings: &BackupSettings, work: &Work, prices: &PriceBook) -> BackupPlan {
    let sizes = |files: &[Found]| files.iter().map(|file| file.bytes).sum::<u64>();
    let bundles: Vec<u64> = work.bundles.iter().map(|group| sizes(group)).collect();
    let objects: Vec<u64> = bundles.iter().copied().chain(work.archives.iter().map(|file| file.bytes)).collect();
    let bundled: usize = work.bundles.iter().map(Vec::len).sum();
    let new_files = (bundled + work.archives.len() + work.empty.len()) as u64;
    let (unchanged, compared) = (work.unchanged.len() as u64, work.suspects.len() as u64);
    let month = |bytes: &u64| settings.class.map_or(Usd::ZERO, |class| prices.month(class, *bytes));
    BackupPlan {
        name: settings.name.clone(),
        class: settings.class,
        files: unchanged + compared + new_files + work.failed.len() as u64,
        unchanged,
        compared,
        new_files,
        new_bytes: objects.iter().sum(),
        objects: objects.len() as u64,
        put: settings.class.map_or(Usd::ZERO, |class| prices.put(class, objects.len() as u64)),
        month: objects.iter().map(month).sum(),
        prices_as_of: prices.as_of.clone(),
        failed: work.failed.clone(),
        excluded: work.excluded,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::catalogue::Stamp;
    use crate::entry::Entry;

    fn file(name: &str, bytes: u64) -> Found {
        let stamp = Stamp { modified_ns: 5, inode: 7 };
        Found { name: name.to_owned(), bytes, mode: 0o644, modified: Timestamp::UNIX_EPOCH, stamp }
    }

    fn known(name: &str, bytes: u64, inode: u64) -> (String, KnownFile) {
        let mut entry = Entry::example(name, b"");
        entry.bytes = bytes;
        (name.to_owned(), KnownFile { entry, stamp: Some(Stamp { modified_ns: 5, inode }), place: None })
    }

    #[test]
    fn g1_each_file_goes_where_it_belongs() {
        let files = vec![
            file("changed", 8),
            file("empty", 0),
            file("large", BUNDLED_BYTES_MAX + 1),
            file("same", 9),
            file("small", 1),
            file("touched", 10),
        ];
        let catalogue = BTreeMap::from([known("changed", 9, 7), known("same", 9, 7), known("touched", 10, 8)]);
        let scan = Scan { files, ..Scan::default() };
        let work = sort(scan.clone(), &catalogue, true);
        assert_eq!(work.unchanged.len(), 1);
        assert_eq!(work.suspects[0].0.name, "touched");
        assert_eq!((work.bundles.len(), work.archives.len(), work.empty.len()), (1, 1, 1));
        assert!(work.failed[0].what.contains("8 bytes instead of 9 bytes"), "{:?}", work.failed);
        assert_eq!(work.kept[0].entry.bytes, 9, "what was archived stays in the backup");
        assert_eq!(sort(scan, &catalogue, false).archives.len(), 2, "each file an archive of its own");
    }

    #[test]
    fn what_cannot_be_looked_at_stays_as_it_was_archived() {
        let names = ["a/1", "a/2", "ab", "b", "c"];
        let catalogue: BTreeMap<_, _> = names.iter().map(|name| known(name, 9, 7)).collect();
        let failed = |name: &str| FailedFile { name: name.to_owned(), what: "permission denied".to_owned() };
        let scan = Scan { failed: vec![failed("a/"), failed("b"), failed("new")], ..Scan::default() };
        let work = sort(scan, &catalogue, true);
        let kept: Vec<&str> = work.kept.iter().map(|file| file.entry.name.as_str()).collect();
        assert_eq!((kept, work.failed.len()), (vec!["a/1", "a/2", "b"], 3));
    }

    #[test]
    fn a_hundred_thousand_small_files_are_some_bundles() {
        let files = (0..100_000).map(|at| file(&at.to_string(), 10_240)).collect();
        let work = sort(Scan { files, ..Scan::default() }, &BTreeMap::new(), true);
        let settings = BackupSettings {
            name: "x".to_owned(),
            files: None,
            excluded: Excluded::default(),
            class: Some(Class::Glacier),
            vault: None,
            bundles: true,
            allow_empty: false,
            tags: Vec::new(),
        };
        let plan = plan(&settings, &work, &PriceBook::builtin().unwrap());
        assert_eq!((plan.new_files, plan.objects), (100_000, 16), "fewer than a five-hundredth of the requests");
        assert!(plan.put < "0.001".parse().unwrap(), "{}", plan.put);
    }
}
