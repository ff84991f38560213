//! Examples and exit codes of every command, as its `--help` page shows them.

pub(crate) mod archives;
pub(crate) mod ec2;
pub(crate) mod names;

use crate::args::reach::{Footer, Reach, footer};
use crate::exit::Exit;

/// Deleting backups is confirmed, may be refused or done in part, and takes the lock of a folder.
const PRUNE: &[Exit] = &[Exit::Partial, Exit::Held, Exit::RetentionRefused, Exit::Confirmation];

/// Changing databases of a server is confirmed, and done by one run at a time.
const CHANGE: &[Exit] = &[Exit::Held, Exit::Confirmation];

/// What is not ready yet is named, and one run at a time uses a catalogue.
const COLD: &[Exit] = &[Exit::Partial, Exit::Held];

/// All of them.
pub(crate) const FOOTERS: &[Footer] = &[
    footer(
        "",
        Reach::Group,
        &[],
        &[
            ("lastgood init -r s3://acme-backups/prod", "Create a location for backups"),
            ("lastgood pg dump shop", "Dump the database `shop`"),
            ("lastgood pg restore shop --into shop_copy", "Restore its latest complete dump into a new database"),
        ],
    ),
    footer(
        "init",
        Reach::Location,
        &[Exit::Held],
        &[
            ("lastgood init", "Create a location in ./.lastgood"),
            ("lastgood init -r s3://acme-backups/prod", "Create a location in a bucket"),
        ],
    ),
    footer(
        "doctor",
        Reach::Nothing,
        &[Exit::Interrupted, Exit::Terminated],
        &[
            ("lastgood doctor", "Check the location, and the server that the environment names"),
            ("lastgood doctor shop", "Also check that the database `shop` can be dumped and restored"),
        ],
    ),
    footer(
        "completions",
        Reach::Nothing,
        &[],
        &[
            ("lastgood completions bash > /etc/bash_completion.d/lastgood", "Install completions for bash"),
            ("lastgood completions zsh > ~/.zfunc/_lastgood", "Install completions for zsh"),
        ],
    ),
    footer("man", Reach::Nothing, &[], &[("lastgood man --out man1", "Write the manual pages to ./man1")]),
    footer(
        "version",
        Reach::Nothing,
        &[],
        &[
            ("lastgood version", "Print the version and the formats it reads and writes"),
            ("lastgood version --json", "The same, for programs"),
        ],
    ),
    footer(
        "config",
        Reach::Group,
        &[],
        &[
            ("lastgood config show --origin", "Print effective settings and where each comes from"),
            ("lastgood config check", "Check the configuration file"),
            ("lastgood config path", "Print the path of the configuration file in use"),
        ],
    ),
    footer(
        "config show",
        Reach::Nothing,
        &[],
        &[
            ("lastgood config show --origin", "Print effective settings and where each comes from"),
            ("lastgood config show --config nightly -P staging", "Settings of a configuration under a profile"),
        ],
    ),
    footer(
        "config check",
        Reach::Nothing,
        &[],
        &[
            ("lastgood config check", "Check the configuration file in use"),
            ("lastgood config check --config-file new.toml", "Check a file before it is put in place"),
        ],
    ),
    footer(
        "config schema",
        Reach::Nothing,
        &[],
        &[("lastgood config schema > lastgood.schema.json", "Write the schema to a file that an editor can use")],
    ),
    footer(
        "config path",
        Reach::Nothing,
        &[],
        &[
            ("lastgood config path", "Print the path of the configuration file in use"),
            ("lastgood config path --json", "Also list the paths that were looked for"),
        ],
    ),
    footer(
        "pg",
        Reach::Group,
        &[],
        &[
            ("lastgood pg dump shop", "Dump the database `shop`"),
            ("lastgood pg ls shop", "List its dumps"),
            ("lastgood pg restore shop --into shop_copy", "Restore its latest complete dump into a new database"),
        ],
    ),
    footer(
        "pg dump",
        Reach::Location,
        &[Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood pg dump shop", "Dump the database `shop`"),
            ("lastgood pg dump shop --config nightly -n", "Show what the configuration `nightly` would dump"),
            ("lastgood pg dump shop --exclude-table-data audit.log", "Leave out the rows of one table"),
        ],
    ),
    footer(
        "pg ls",
        Reach::Location,
        &[],
        &[
            ("lastgood pg ls", "List all dumps"),
            ("lastgood pg ls shop --config nightly", "List dumps of one database and configuration"),
            ("lastgood pg ls --local", "List the databases on the server"),
        ],
    ),
    footer(
        "pg show",
        Reach::Location,
        &[],
        &[
            ("lastgood pg show shop", "Show the latest complete dump of `shop`"),
            ("lastgood pg show shop~1 --json", "Show the one before, for programs"),
        ],
    ),
    footer(
        "pg verify",
        Reach::Location,
        &[],
        &[
            ("lastgood pg verify shop --read all", "Read the latest complete dump and compare every digest"),
            ("lastgood pg verify shop --read 1/7", "Read one seventh, for example one share per weekday"),
            ("lastgood pg verify --all", "Look whether all dumps in the location are there and as long as they were"),
        ],
    ),
    footer(
        "pg restore",
        Reach::Location,
        &[Exit::Partial, Exit::Held, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood pg restore shop --into shop_copy", "Restore the latest complete dump into a new database"),
            ("lastgood pg restore shop --reversible -n", "Show what replacing the live database would do"),
            ("lastgood pg restore :previous --into shop", "Undo a reversible restore"),
        ],
    ),
    footer(
        "pg copy",
        Reach::Server,
        CHANGE,
        &[
            ("lastgood pg copy shop shop_test", "Copy a database"),
            ("lastgood pg copy shop shop_test --confirm-database shop_test", "Replace an existing copy"),
        ],
    ),
    footer(
        "pg drop-local",
        Reach::Server,
        CHANGE,
        &[
            ("lastgood pg drop-local shop__previous", "Drop a copy that a reversible restore kept"),
            ("lastgood pg drop-local shop_test -n", "Show what would be dropped"),
        ],
    ),
    footer(
        "pg recover",
        Reach::Server,
        CHANGE,
        &[
            ("lastgood pg recover -n", "Show what killed restores left on the server"),
            ("lastgood pg recover", "Finish or undo it"),
        ],
    ),
    footer(
        "pg prune",
        Reach::Location,
        PRUNE,
        &[
            ("lastgood pg prune shop --keep-daily 7 --keep-weekly 4 -n", "Show which dumps would be kept, and why"),
            ("lastgood pg prune shop --keep-daily 7 --keep-weekly 4 --yes", "Delete the others without asking"),
            ("lastgood pg prune --incomplete", "Delete only leftovers of interrupted runs"),
        ],
    ),
    footer(
        "pg hooks",
        Reach::Group,
        &[],
        &[
            ("lastgood pg hooks test shop --config nightly", "Run the hooks of a configuration on an empty database"),
            ("lastgood pg hooks rds-prep > rds-prep.sql", "Write the SQL file that Amazon RDS needs"),
        ],
    ),
    footer(
        "pg hooks test",
        Reach::Location,
        &[Exit::Held, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood pg hooks test shop --config nightly", "Run the hooks of a configuration on an empty database"),
            ("lastgood pg hooks test shop --from shop --pre-swap-hook ./migrate.sh", "Run a hook on the latest dump"),
        ],
    ),
    footer(
        "pg hooks rds-prep",
        Reach::Nothing,
        &[],
        &[("lastgood pg hooks rds-prep > rds-prep.sql", "Write the file for `pg dump --pre-dump-sql rds-prep.sql`")],
    ),
    footer(
        "dict",
        Reach::Group,
        &[],
        &[
            ("lastgood dict ls -r ./data/backups", "List the backups of a service"),
            ("lastgood dict restore -r ./data/backups --to state.json", "Restore the newest state into a file"),
            ("lastgood dict verify -r ./data/backups", "Report which backups can be restored"),
        ],
    ),
    footer(
        "dict ls",
        Reach::Location,
        &[],
        &[
            ("lastgood dict ls -r ./data/backups", "List all backups in a folder"),
            ("lastgood dict ls s3://acme-backups/state --source web1", "List those of one host's store"),
        ],
    ),
    footer(
        "dict show",
        Reach::Location,
        &[],
        &[
            ("lastgood dict show dictdb_backup_1795230000_136215.json -r ./data/backups", "Show one backup"),
            (
                "lastgood dict show dictdb_delta_1795230100_136215.json -r ./data/backups --json",
                "The same, for programs",
            ),
        ],
    ),
    footer(
        "dict verify",
        Reach::Location,
        &[],
        &[
            ("lastgood dict verify -r ./data/backups", "Read all backups in a folder"),
            ("lastgood dict verify -r ./data/backups --source web1", "Read those of one host's store"),
        ],
    ),
    footer(
        "dict restore",
        Reach::Location,
        &[],
        &[
            ("lastgood dict restore -r ./data/backups --to state.json", "Restore the newest state"),
            (
                "lastgood dict restore -r ./data/backups --to old.pickle --at 2026-11-21T03:00:00Z",
                "Restore an earlier state",
            ),
            ("lastgood dict restore -r ./data/backups -n", "Show which files would be read"),
        ],
    ),
    footer(
        "dict compact",
        Reach::Location,
        &[Exit::Confirmation],
        &[
            ("lastgood dict compact -r ./data/backups", "Write the newest state as a full backup"),
            ("lastgood dict compact -r ./data/backups -n", "Show which files it would be made of"),
        ],
    ),
    footer(
        "dict diff",
        Reach::Location,
        &[],
        &[
            ("lastgood dict diff before.json after.pickle", "Compare two files"),
            (
                "lastgood dict diff dictdb_backup_1795230000_136215.json state.json -r ./data/backups",
                "Compare a backup with a file",
            ),
        ],
    ),
    footer(
        "dict convert",
        Reach::Nothing,
        &[Exit::Integrity, Exit::Confirmation],
        &[
            ("lastgood dict convert old.pickle new.json", "Convert pickle to JSON; no code in the file is executed"),
            ("lastgood dict convert state.json state.pickle", "Convert JSON to pickle"),
        ],
    ),
    footer(
        "dict prune",
        Reach::Location,
        PRUNE,
        &[
            ("lastgood dict prune -r ./data/backups --keep-daily 7 -n", "Show which backups would be kept, and why"),
            ("lastgood dict prune -r ./data/backups --keep-daily 7 --yes", "Delete the others without asking"),
            ("lastgood dict prune -r ./data/backups --incomplete", "Delete only leftovers of interrupted runs"),
        ],
    ),
    footer(
        "dict watch",
        Reach::Location,
        &[],
        &[
            ("lastgood dict watch -r ./data/backups --exec ./ship-it", "Run ./ship-it FILE for each new backup"),
            ("lastgood dict watch -r ./data/backups --exec ./ship-it --count 1", "Exit after the first one"),
        ],
    ),
    footer(
        "app",
        Reach::Group,
        &[],
        &[
            ("lastgood app backup --source sqlite:app.db", "Back up the records of a SQLite database"),
            ("lastgood app ls", "List backups"),
            ("lastgood app restore latest --to sqlite:new.db", "Restore the latest complete backup"),
        ],
    ),
    footer(
        "app backup",
        Reach::Location,
        &[Exit::Partial, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood app backup --source sqlite:app.db", "Back up the records of a SQLite database"),
            ("lastgood app backup --source postgres:shop --name nightly --min-age 20h", "At most one backup per night"),
            ("lastgood app backup --source 'exec:./export.sh {type}' --type User", "Back up what a program prints"),
        ],
    ),
    footer(
        "app ls",
        Reach::Location,
        &[],
        &[
            ("lastgood app ls", "List all backups"),
            ("lastgood app ls nightly --source web1", "List those with one name and of one host"),
        ],
    ),
    footer(
        "app show",
        Reach::Location,
        &[],
        &[
            ("lastgood app show", "Show the latest complete backup"),
            ("lastgood app show nightly/Backup_UTC_2026-11-21T03_13_45.696797.tar.gz", "Show one backup"),
        ],
    ),
    footer(
        "app verify",
        Reach::Location,
        &[],
        &[
            ("lastgood app verify", "Read all backups in full"),
            ("lastgood app verify latest --name nightly", "Read the latest complete one of a name"),
        ],
    ),
    footer(
        "app cat",
        Reach::Location,
        &[],
        &[
            ("lastgood app cat latest User | jq .name", "Print the records of the type `User`"),
            ("lastgood app cat latest Order--orders --name nightly", "Print those of one type and table"),
        ],
    ),
    footer(
        "app restore",
        Reach::Location,
        &[],
        &[
            ("lastgood app restore latest --to sqlite:new.db", "Restore the latest complete backup into a new file"),
            ("lastgood app restore latest --to postgres:shop --on-conflict skip -n", "Show what would be restored"),
            ("lastgood app restore latest --to ndjson:out --type User", "Restore one type into a folder"),
        ],
    ),
    footer(
        "app prune",
        Reach::Location,
        PRUNE,
        &[
            ("lastgood app prune --keep-daily 7 --keep-monthly 12 -n", "Show which backups would be kept, and why"),
            ("lastgood app prune nightly --keep-last 14 --yes", "Delete all but 14 backups of a name without asking"),
            ("lastgood app prune --incomplete", "Delete only leftovers of interrupted runs"),
        ],
    ),
    footer(
        "app lifecycle",
        Reach::Location,
        &[],
        &[
            ("lastgood app lifecycle daily --expire-after 30d --apply", "Have the bucket delete daily backups"),
            ("lastgood app lifecycle monthly --glacier-after 60d --print", "Print rules to apply with the AWS CLI"),
        ],
    ),
    footer(
        "glacier",
        Reach::Group,
        &[],
        &[
            ("lastgood glacier backup --files ./uploads", "Archive the files of a folder, each once"),
            ("lastgood glacier plan uploads --deadline 12h", "Show what bringing them back takes and costs"),
            ("lastgood glacier retrieve uploads", "Request them from cold storage"),
        ],
    ),
    footer(
        "glacier backup",
        Reach::Location,
        &[Exit::Partial, Exit::Held, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood glacier backup --files ./uploads -n", "Show what would be archived, and what it costs"),
            ("lastgood glacier backup --database shop --files ./uploads/store", "Archive a database and its files"),
            ("lastgood glacier backup --files ./uploads --vault attachments", "Archive to a vault of the account"),
        ],
    ),
    footer(
        "glacier ls",
        Reach::Location,
        &[],
        &[
            ("lastgood glacier ls", "List all backups"),
            ("lastgood glacier ls uploads --json", "List those with one name, for programs"),
        ],
    ),
    footer(
        "glacier status",
        Reach::Location,
        &[],
        &[
            ("lastgood glacier status uploads", "Show where each file of the newest backup is"),
            ("lastgood glacier status uploads --only '*.pdf'", "Show some of its files"),
        ],
    ),
    footer(
        "glacier plan",
        Reach::Location,
        &[],
        &[
            ("lastgood glacier plan uploads", "Show every tier with its hours and price"),
            ("lastgood glacier plan uploads --deadline 12h --max-cost 5usd", "Show which tier keeps both limits"),
        ],
    ),
    footer(
        "glacier retrieve",
        Reach::Location,
        COLD,
        &[
            ("lastgood glacier retrieve uploads --files ./uploads", "Request what the folder does not have"),
            ("lastgood glacier retrieve uploads --tier standard --only 'a*.pdf'", "Request some files within hours"),
            ("lastgood glacier retrieve uploads --per-hour 100GiB", "Request no more than that an hour"),
        ],
    ),
    footer(
        "glacier watch",
        Reach::Location,
        COLD,
        &[
            ("lastgood glacier watch --once uploads", "Ask once, as from cron"),
            ("lastgood glacier watch --until-ready uploads", "Wait until everything is ready"),
        ],
    ),
    footer(
        "glacier fetch",
        Reach::Location,
        COLD,
        &[
            ("lastgood glacier fetch uploads --files ./uploads", "Download what is ready and not in the folder"),
            ("lastgood glacier fetch uploads --only 1.pdf", "Download one file"),
        ],
    ),
    footer(
        "glacier restore",
        Reach::Location,
        &[Exit::Partial, Exit::Held, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood glacier restore uploads --files ./uploads", "Put fetched files into their folder"),
            ("lastgood glacier restore uploads --files ./uploads --repair", "Also replace files that have changed"),
            (
                "lastgood glacier restore shop --database-only --into shop_copy",
                "Restore only the database, beside the live one",
            ),
        ],
    ),
    footer(
        "glacier adopt",
        Reach::Server,
        &[Exit::Partial, Exit::Integrity, Exit::Held, Exit::Confirmation, Exit::Tool],
        &[
            ("lastgood glacier adopt --database shop", "List the backups of GlacierOnRails"),
            (
                "lastgood glacier adopt --database shop --vault MySite --files ./store --retrieve bulk",
                "Request the newest",
            ),
            ("lastgood glacier adopt --database shop --vault MySite --files ./store --into shop_old", "Go on, later"),
        ],
    ),
    footer(
        "glacier orphans",
        Reach::Group,
        &[],
        &[("lastgood glacier orphans ls --files ./uploads", "List files that restored backups did not know")],
    ),
    footer(
        "glacier orphans ls",
        Reach::Nothing,
        &[],
        &[("lastgood glacier orphans ls --files ./uploads", "List what each restore moved away")],
    ),
    footer(
        "glacier orphans undo",
        Reach::Nothing,
        &[Exit::Partial],
        &[(
            "lastgood glacier orphans undo 2026-11-21-03-00-04-123456 --files ./uploads",
            "Move the files of a restore back",
        )],
    ),
    footer(
        "glacier catalogue",
        Reach::Group,
        &[],
        &[("lastgood glacier catalogue rebuild uploads", "Build the catalogue of a new machine")],
    ),
    footer(
        "glacier catalogue rebuild",
        Reach::Location,
        COLD,
        &[
            ("lastgood glacier catalogue rebuild uploads", "Read all backups with this name"),
            (
                "lastgood glacier catalogue rebuild uploads --from-archives",
                "Find out what archives of a lost location contain",
            ),
        ],
    ),
];
