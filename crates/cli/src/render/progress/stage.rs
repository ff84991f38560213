//! What a run is doing, in words: one line a step.

/// How a step stands to the total that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Its work is not counted: how long it takes is all that is known.
    No,
    /// A total is about it: told just before it, or in it.
    Begins,
    /// It goes on with what was counted before it.
    GoesOn,
}

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    /// The step's name, as programs know it.
    pub(super) name: &'static str,
    /// What is done in it.
    pub(super) words: &'static str,
    pub(super) counted: Counted,
    /// What is done in it once everything counted is done.
    pub(super) afterwards: Option<&'static str>,
}

const fn stage(name: &'static str, words: &'static str) -> Stage {
    Stage { name, words, counted: Counted::No, afterwards: None }
}

const fn counted(name: &'static str, words: &'static str) -> Stage {
    Stage { counted: Counted::Begins, ..stage(name, words) }
}

const fn goes_on(name: &'static str, words: &'static str) -> Stage {
    Stage { counted: Counted::GoesOn, ..stage(name, words) }
}

/// All of them, in order of their names.
const STAGES: &[Stage] = &[
    counted("app.check", "checking the backup"),
    stage("app.commit", "making the records visible"),
    goes_on("app.finish", "writing the rest"),
    stage("app.load", "loading records"),
    stage("app.manifest", "publishing the backup"),
    stage("app.open", "opening the source"),
    stage("app.published", "backup published"),
    counted("app.read", "reading records"),
    goes_on("app.type", "reading records"),
    stage("app.verify", "reading a backup"),
    stage("copy.create", "copying the database"),
    stage("copy.mark", "finishing the copy"),
    counted("data_only.check", "checking the dump"),
    stage("data_only.commit", "committing the rows"),
    stage("data_only.compare", "comparing rows"),
    stage("data_only.done", "rows restored"),
    stage("data_only.empty", "emptying tables"),
    stage("data_only.keys", "checking foreign keys"),
    goes_on("data_only.large_objects", "loading large objects"),
    stage("data_only.lock", "waiting for the lock"),
    counted("data_only.rows", "loading rows"),
    stage("data_only.sequences", "setting sequences"),
    stage("data_only.tables", "locking tables"),
    stage("dict.delta", "writing a delta"),
    stage("dict.file", "writing the file"),
    stage("dict.full", "writing a full backup"),
    stage("dict.publish", "publishing the backup"),
    stage("dict.read", "reading a backup"),
    stage("dict.reserve", "reserving what the delta builds on"),
    stage("dict.verify", "reading a backup"),
    stage("dump.catalogue", "describing the database"),
    stage("dump.connect", "connecting to the server"),
    // Rows are read before the last of them are in the location.
    Stage { afterwards: Some("storing the last rows"), ..counted("dump.data", "dumping rows") },
    goes_on("dump.large_objects", "dumping large objects"),
    stage("dump.lists", "writing lists of tables"),
    stage("dump.lock", "locking tables"),
    stage("dump.manifest", "publishing the dump"),
    stage("dump.probe", "opening the location"),
    stage("dump.published", "dump published"),
    stage("dump.reuse", "looking at what is stored already"),
    stage("dump.schema", "dumping the schema"),
    stage("dump.schema_before", "dumping the schema"),
    stage("dump.snapshot", "taking the snapshot"),
    stage("dump.summaries", "waiting for the server's summaries"),
    stage("ec2.delete", "deleting snapshots"),
    counted("ec2.export", "exporting blocks"),
    stage("ec2.export.publish", "publishing the export"),
    stage("ec2.frozen", "file systems are frozen"),
    counted("ec2.image", "writing the image"),
    counted("ec2.import", "importing blocks"),
    stage("ec2.list", "listing snapshots"),
    stage("ec2.snapshot", "taking snapshots"),
    stage("ec2.thawed", "file systems are thawed"),
    counted("ec2.verify", "comparing blocks"),
    stage("ec2.wait", "waiting for snapshots"),
    stage("glacier.adopt", "adopting a backup"),
    stage("glacier.adopt_fetch", "fetching an archive"),
    stage("glacier.adopt_file", "unpacking a file"),
    stage("glacier.adopt_request", "requesting an archive"),
    stage("glacier.archive", "archiving a file"),
    stage("glacier.ask", "asking what was retrieved"),
    stage("glacier.assemble", "assembling the dump"),
    stage("glacier.audit", "auditing archives"),
    stage("glacier.bundle", "archiving small files"),
    stage("glacier.clear", "clearing up"),
    stage("glacier.completed", "archive stored"),
    stage("glacier.database", "dumping the database"),
    stage("glacier.fetch", "fetching an archive"),
    stage("glacier.forget", "forgetting what is gone"),
    stage("glacier.intended", "requesting an archive"),
    stage("glacier.inventory", "reading the inventory"),
    stage("glacier.manifest", "publishing the backup"),
    stage("glacier.orphan", "moving a file away"),
    stage("glacier.orphan_back", "moving a file back"),
    stage("glacier.orphans", "looking for other files"),
    stage("glacier.part", "archiving a file"),
    stage("glacier.place", "placing a file"),
    stage("glacier.published", "backup published"),
    stage("glacier.rebuild", "rebuilding the catalogue"),
    stage("glacier.recover", "recovering archives"),
    stage("glacier.requested", "archive requested"),
    stage("glacier.reserve", "reserving archives"),
    stage("glacier.room", "looking for room"),
    stage("glacier.scan", "scanning the folder"),
    stage("glacier.settle", "waiting for the store"),
    stage("glacier.wait", "waiting for retrievals"),
    stage("hook.post_create", "running a hook"),
    stage("hook.post_swap", "running a hook"),
    stage("hook.pre_dump", "running a hook"),
    stage("hook.pre_swap", "running a hook"),
    stage("hooks.create", "creating a scratch database"),
    stage("local.done", "database restored"),
    stage("local.drop", "dropping the copy"),
    stage("local.lock", "waiting for the lock"),
    stage("local.settings", "restoring settings"),
    stage("prune.abandoned", "deleting leftovers"),
    stage("prune.claim", "claiming leftovers"),
    stage("prune.external", "deleting what is elsewhere"),
    stage("prune.look", "looking again"),
    stage("prune.manifests", "deleting backups"),
    stage("prune.mark", "marking backups"),
    stage("prune.marked", "backups marked"),
    stage("prune.parts", "deleting objects"),
    stage("prune.put_back", "putting a backup back"),
    stage("prune.room", "making room"),
    stage("prune.unmarked", "marking a backup"),
    stage("recover.act", "recovering"),
    stage("replicate.copy", "copying snapshots"),
    stage("restore.again", "restoring again with one job"),
    stage("restore.analyze", "collecting statistics"),
    stage("restore.archive", "restoring the archive"),
    stage("restore.archive_again", "trying refused entries again"),
    stage("restore.carry", "reading carried tables"),
    stage("restore.carry_definitions", "defining carried tables"),
    counted("restore.check", "checking the dump"),
    stage("restore.create", "creating the database"),
    stage("restore.current", "copying the new database"),
    counted("restore.data", "loading rows"),
    goes_on("restore.data_again", "loading refused rows again"),
    stage("restore.done", "database restored"),
    stage("restore.event_triggers", "creating event triggers"),
    goes_on("restore.large_objects", "loading large objects"),
    stage("restore.later", "creating what comes last"),
    stage("restore.lock", "waiting for the lock"),
    stage("restore.matviews", "refreshing views"),
    Stage { afterwards: Some("adding constraints"), ..counted("restore.post_data", "building indexes") },
    stage("restore.pre_data", "creating tables"),
    stage("restore.sequences", "setting sequences"),
    stage("restore.settings", "reading settings"),
    stage("restore.verify", "comparing with the dump"),
    stage("swap.carry", "carrying rows over"),
    stage("swap.carry_commit", "committing carried rows"),
    stage("swap.committed", "database swapped"),
    stage("swap.drop", "dropping the old database"),
    stage("swap.forbid", "closing the live database"),
    stage("swap.mark", "marking the databases"),
    stage("swap.rename", "swapping the databases"),
    stage("swap.terminate", "disconnecting sessions"),
    stage("swap.verify", "checking the swap"),
    stage("sync.send", "sending files"),
    stage("temporary.remove", "removing temporary resources"),
    stage("temporary.watch", "watching temporary resources"),
    stage("transfer.claim", "claiming a volume"),
    stage("transfer.claimed", "volume claimed"),
    stage("transfer.copy", "copying a volume"),
    stage("transfer.snapshot", "taking the replica's snapshot"),
    stage("transfer.snapshotted", "replica made"),
    stage("transfer.start", "starting an instance"),
    counted("verify.read", "reading the dump"),
];

/// The step of this name. Of one that the table does not have, its name says what it is.
pub(super) fn of(name: &str) -> Option<&'static Stage> {
    STAGES.binary_search_by(|stage| stage.name.cmp(name)).ok().map(|at| &STAGES[at])
}

/// What is done in the step, in words.
pub(super) fn words(name: &str) -> String {
    of(name).map_or_else(|| name.replace(['.', '_'], " "), |stage| stage.words.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_words_are_plain() {
        for pair in STAGES.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
        for stage in STAGES {
            assert!(stage.words.len() <= 34 && !stage.words.contains(['.', '_']), "{}", stage.words);
            assert_eq!(of(stage.name), Some(stage));
        }
        assert_eq!(words("later.new_step"), "later new step");
    }

    /// Every step that a library names is in the table.
    #[test]
    fn no_step_is_without_words() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut found = 0;
        for library in
            ["backup-core", "pg-clone", "dictstore-backup", "object-backup", "ec2-snapshots", "glacier-archive"]
        {
            found += look(&crates.join(library).join("src"));
        }
        assert!(found > 100, "only {found} steps were found");
    }

    fn look(folder: &Path) -> usize {
        let mut found = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found += look(&path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
                continue;
            }
            for call in code.split("step(").skip(1) {
                let Some(name) = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                    continue;
                };
                if name.contains('.') {
                    assert!(of(name).is_some(), "{}: the step `{name}` has no words", path.display());
                    found += 1;
                }
            }
        }
        found
    }
}
