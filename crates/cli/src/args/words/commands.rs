//! Commands of other programs, and which does here what they mean there.

/// A word, and what to type instead.
pub(super) struct Word {
    /// As other programs have it.
    pub(super) word: &'static str,
    /// For somebody who named no kind of backup.
    pub(super) anywhere: &'static str,
    /// In a group: what stands behind its name, in each that has it.
    pub(super) groups: &'static [(&'static str, &'static str)],
}

/// Words of restic, of PostgreSQL's own programs, and of the other groups.
pub(super) const WORDS: &[Word] = &[
    Word {
        word: "snapshots",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &LISTING,
    },
    Word {
        word: "ls",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &[],
    },
    Word {
        word: "list",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &LISTING,
    },
    Word {
        word: "find",
        anywhere: "`lastgood pg ls DATABASE` lists the dumps of one database, and `lastgood pg show KEY` the tables of one dump",
        groups: &[
            (
                "pg",
                "`lastgood pg ls DATABASE` lists the dumps of one database, and `lastgood pg show KEY` the tables of one dump",
            ),
            ("app", "`lastgood app ls NAME` lists backups, and `lastgood app show KEY` the types of one"),
            ("dict", "`lastgood dict ls` lists backups, and `lastgood dict show FILE` the tables of one"),
            ("ec2", "`lastgood ec2 ls` lists snapshots"),
            ("glacier", "`lastgood glacier ls` lists backups"),
        ],
    },
    Word {
        word: "backup",
        anywhere: "`lastgood pg dump DATABASE` dumps a database; `app backup`, `ec2 snapshot` and `glacier backup` make the other kinds of \
                   backups",
        groups: &[
            ("pg", "`lastgood pg dump DATABASE` dumps a database"),
            (
                "dict",
                "the program whose store it is makes the backups; `lastgood dict compact` writes the newest state as a full one",
            ),
            ("ec2", "`lastgood ec2 snapshot INSTANCE` makes snapshots"),
        ],
    },
    Word {
        word: "create",
        anywhere: "`lastgood pg dump DATABASE` dumps a database; `app backup`, `ec2 snapshot` and `glacier backup` make the other kinds of \
                   backups",
        groups: &[
            ("pg", "`lastgood pg dump DATABASE` dumps a database"),
            ("app", "`lastgood app backup --source SOURCE` backs records up"),
            ("ec2", "`lastgood ec2 snapshot INSTANCE` makes snapshots"),
            ("glacier", "`lastgood glacier backup --files FOLDER` archives the files of a folder"),
        ],
    },
    Word {
        word: "dump",
        anywhere: "`lastgood pg dump DATABASE` dumps a PostgreSQL database",
        groups: &[
            (
                "app",
                "`lastgood app backup --source SOURCE` backs records up, and `lastgood app cat KEY TYPE` prints those of a backup",
            ),
            ("dict", "`lastgood dict restore --to -` prints the newest state"),
            ("ec2", "`lastgood ec2 snapshot INSTANCE` makes snapshots"),
            ("glacier", "`lastgood glacier backup --files FOLDER` archives the files of a folder"),
        ],
    },
    Word {
        word: "restore",
        anywhere: "`lastgood pg restore DATABASE` restores its latest dump; `app restore`, `dict restore` and `glacier restore` restore the \
                   other kinds of backups",
        groups: &[(
            "ec2",
            "`lastgood ec2 import` makes a volume's snapshot of an exported one; EC2 itself makes volumes of snapshots",
        )],
    },
    Word {
        word: "extract",
        anywhere: "`lastgood pg restore DATABASE` restores its latest dump; `app restore`, `dict restore` and `glacier restore` restore the \
                   other kinds of backups",
        groups: &[
            ("pg", "`lastgood pg restore KEY --into NAME` restores a dump beside the live database"),
            (
                "app",
                "`lastgood app restore KEY --to TARGET` restores records, and `lastgood app cat KEY TYPE` prints them",
            ),
            ("dict", "`lastgood dict restore --to FILE` restores the newest state"),
            ("glacier", "`lastgood glacier restore BACKUP` restores files"),
        ],
    },
    Word {
        word: "forget",
        anywhere: "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which. \
                                      `app prune`, `dict prune`, `ec2 trim` and `glacier prune` do it for the other kinds of backups",
        groups: &PRUNING,
    },
    Word {
        word: "prune",
        anywhere: "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which. \
                   `app prune`, `dict prune`, `ec2 trim` and `glacier prune` do it for the other kinds of backups",
        groups: &PRUNING,
    },
    Word { word: "rm", anywhere: DELETING, groups: &PRUNING },
    Word { word: "remove", anywhere: DELETING, groups: &PRUNING },
    Word { word: "delete", anywhere: DELETING, groups: &PRUNING },
    Word { word: "verify", anywhere: VERIFYING, groups: &CHECKING },
    Word { word: "check", anywhere: VERIFYING, groups: &CHECKING },
    Word { word: "stats", anywhere: SHOWN, groups: &SHOWING },
    Word { word: "info", anywhere: SHOWN, groups: &SHOWING },
    Word { word: "show", anywhere: SHOWN, groups: &SHOWING },
    Word {
        word: "status",
        anywhere: "`lastgood doctor` checks the location and the server, and `lastgood pg ls` lists what is there",
        groups: &[
            ("pg", "`lastgood doctor DATABASE` checks location, server and database, and `lastgood pg ls` lists dumps"),
            ("ec2", "`lastgood ec2 report` says how old the newest snapshots are"),
        ],
    },
    Word {
        word: "mount",
        anywhere: "backups are not mounted. `lastgood pg restore KEY --into NAME` restores beside the live database, and \
                   `lastgood app cat KEY TYPE` prints records",
        groups: &[
            (
                "pg",
                "dumps are not mounted: `lastgood pg restore KEY --into NAME` restores one beside the live database",
            ),
            ("app", "backups are not mounted: `lastgood app cat KEY TYPE` prints the records of one"),
            ("dict", "backups are not mounted: `lastgood dict restore --to FILE` writes the state at one into a file"),
        ],
    },
    Word {
        word: "break-lock",
        anywhere: "there is no lock to remove: each ends with the process that holds it. `lastgood pg recover` mends what a killed restore \
                   left",
        groups: &UNLOCKING,
    },
    Word {
        word: "unlock",
        anywhere: "there is no lock to remove: each ends with the process that holds it. `lastgood pg recover` mends what a killed restore \
                   left",
        groups: &UNLOCKING,
    },
    Word {
        word: "tag",
        anywhere: "`lastgood pg tag add KEY TAG` tags a dump, and `lastgood pg ls --tag TAG` lists the dumps that have a tag",
        groups: &[
            ("dict", "backups of stores have no tags: `lastgood dict prune` keeps by time and number alone"),
            ("ec2", "tags of snapshots are EC2's own: `aws ec2 create-tags` changes them"),
            ("glacier", "`lastgood glacier backup --tag TAG` tags a backup as it is made"),
        ],
    },
    Word {
        word: "latest",
        anywhere: "`lastgood pg show DATABASE` shows the latest complete dump of a database, and `lastgood pg restore DATABASE` restores it",
        groups: &[
            (
                "pg",
                "the name of a database means its latest complete dump: `lastgood pg show DATABASE`, `lastgood pg restore DATABASE`",
            ),
            ("app", "`lastgood app show latest` shows the newest complete backup"),
            (
                "dict",
                "`lastgood dict restore --to FILE` restores the newest state, and `lastgood dict ls` lists the newest last",
            ),
        ],
    },
    Word {
        word: "export",
        anywhere: "`lastgood app restore KEY --to ndjson:FOLDER` and `lastgood dict restore --to FILE` write files, and `lastgood ec2 export` \
                   writes the blocks of a snapshot",
        groups: &[
            (
                "pg",
                "`lastgood pg restore KEY --into NAME` restores a dump. FORMAT.md says how its files are read without lastgood",
            ),
            (
                "app",
                "`lastgood app restore KEY --to ndjson:FOLDER` writes the records of a backup as files, and `lastgood app cat KEY TYPE` prints \
                 those of one type",
            ),
            ("dict", "`lastgood dict restore --to FILE` writes the newest state into a file"),
            ("glacier", "`lastgood glacier restore BACKUP` restores files"),
        ],
    },
    Word {
        word: "import",
        anywhere: "`lastgood app backup --source SOURCE` backs records up, and `lastgood ec2 import` makes a snapshot of an exported one",
        groups: &[
            (
                "pg",
                "`pg_restore -d NAME FILE` restores a file of `pg_dump`; `lastgood pg dump NAME` then dumps the database into the location",
            ),
            ("app", "`lastgood app backup --source SOURCE` backs records up, also those of a folder of files"),
            (
                "dict",
                "the program whose store it is makes the backups; `lastgood dict convert FROM TO` converts a file between JSON and pickle",
            ),
            ("glacier", "`lastgood glacier backup --files FOLDER` archives the files of a folder"),
        ],
    },
    Word {
        word: "cat",
        anywhere: "`lastgood app cat KEY TYPE` prints the records of a backup, and `lastgood dict restore --to -` the state of a store",
        groups: &[
            (
                "pg",
                "`lastgood pg show KEY` lists the tables of a dump, and `lastgood pg restore KEY --into NAME --table TABLE` restores the rows \
                 of one",
            ),
            ("dict", "`lastgood dict restore --to -` prints the newest state"),
            ("glacier", "`lastgood glacier restore BACKUP` restores files"),
        ],
    },
    Word {
        word: "copy",
        anywhere: "`lastgood pg copy DATABASE NAME` copies a database on its server, and `lastgood ec2 replicate` copies snapshots to other \
                   regions",
        groups: &[("ec2", "`lastgood ec2 replicate` copies snapshots to other regions")],
    },
    Word { word: "clone", anywhere: CLONED, groups: &[("pg", CLONED)] },
    Word { word: "drop", anywhere: DROPPED, groups: &[("pg", DROPPED)] },
    Word { word: "dumpall", anywhere: EACH, groups: &[("pg", EACH)] },
    Word {
        word: "key",
        anywhere: "backups are not encrypted here, so there are no keys: let the bucket or the disk do it",
        groups: &[],
    },
    Word { word: "repair", anywhere: REPAIRED, groups: &[("pg", REPAIRED)] },
];

/// What is said of words for taking one backup away, where no group is named.
const DELETING: &str = "`lastgood pg prune --keep-last 3` deletes dumps that no rule keeps; `-n` only shows which";

/// What is said of words for looking whether a backup is whole.
const VERIFYING: &str = "`lastgood pg verify DATABASE --read all` checks a dump, and `lastgood doctor` the location and the server; `app verify` and \
                         `dict verify` check the other kinds of backups";

/// What is said of words for looking at a backup.
const SHOWN: &str = "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all; `app show`, `dict show` and \
                     `ec2 show` show other kinds of backups";

const SHOWING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all"),
    ("app", "`lastgood app show KEY` shows the sizes and records of a backup, and `lastgood app ls` those of all"),
    ("dict", "`lastgood dict show FILE` shows the size and records of a backup, and `lastgood dict ls` those of all"),
    ("ec2", "`lastgood ec2 report` sums snapshots up"),
    ("glacier", "`lastgood glacier status` says what is where, and `lastgood glacier ls` lists all backups"),
];

const LISTING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg ls` lists dumps"),
    ("app", "`lastgood app ls` lists backups"),
    ("dict", "`lastgood dict ls` lists backups"),
    ("ec2", "`lastgood ec2 ls` lists snapshots"),
    ("glacier", "`lastgood glacier ls` lists backups"),
];

const PRUNING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which"),
    ("app", "`lastgood app prune --keep-daily 7` deletes backups that no rule keeps; `-n` only shows which"),
    ("dict", "`lastgood dict prune --keep-daily 7` deletes backups that no rule keeps; `-n` only shows which"),
    ("ec2", "`lastgood ec2 trim` deletes snapshots that no rule keeps; `-n` only shows which"),
    ("glacier", "`lastgood glacier prune` deletes backups that no rule keeps; `-n` only shows which"),
];

const CHECKING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg verify KEY --read all` checks a dump, and `--restorable` also restores it for a trial"),
    ("app", "`lastgood app verify` reads every backup"),
    ("dict", "`lastgood dict verify` reads every backup"),
    ("ec2", "`lastgood ec2 verify` compares a snapshot with its replica"),
    ("glacier", "`lastgood glacier audit` and `lastgood glacier reconcile` check what is archived"),
];

/// What is said of words for a second database like the first.
const CLONED: &str = "`lastgood pg copy DATABASE NAME` copies a database on its server, and `lastgood pg restore KEY --into NAME` restores a dump \
                      beside it";

/// What is said of words for taking a database away.
const DROPPED: &str = "`lastgood pg drop-local NAME` drops a copy that lastgood made; `lastgood pg prune --keep-last 3` deletes dumps that no rule keeps";

/// What is said of words for all databases at once.
pub(super) const EACH: &str = "a dump is of one database: run `lastgood pg dump DATABASE` for each. `pg_dumpall --globals-only` prints roles and tablespaces, which \
                    are the server's";

/// What is said of words for mending.
const REPAIRED: &str = "`lastgood pg recover` mends what a killed restore left, and `lastgood pg verify --all --read all` finds damaged dumps";

/// What is said of words for removing locks.
const UNLOCKING: [(&str, &str); 5] = [
    (
        "pg",
        "there is no lock to remove: each ends with its process. `lastgood pg recover` mends what a killed restore left",
    ),
    ("app", "there is no lock to remove: each ends with its process"),
    ("dict", "there is no lock to remove: each ends with its process"),
    (
        "ec2",
        "there is no lock to remove. `lastgood ec2 thaw INSTANCE` thaws file systems that a killed run left frozen",
    ),
    ("glacier", "there is no lock to remove: each ends with its process or with its time"),
];
