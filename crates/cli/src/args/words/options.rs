//! Options of other programs, and what to type instead.

use super::commands::EACH;

/// An option of another program, where it is typed (below any command if that is empty), and advice.
pub(super) type Foreign = (&'static str, &'static str, &'static str);

/// Options of restic and of PostgreSQL's own programs.
pub(super) const OPTIONS: &[Foreign] = &[
    (
        "--latest",
        "",
        "the latest complete one is what a name alone means: `lastgood pg restore DATABASE`, `lastgood app restore latest --to TARGET`",
    ),
    (
        "--target",
        "",
        "`lastgood pg restore KEY --into DATABASE` restores into another database; `app restore`, `dict restore` and `glacier \
                  restore` take `--to`",
    ),
    ("--to", "pg", "`lastgood pg restore KEY --into DATABASE` restores into another database"),
    (
        "--read-data",
        "",
        "`lastgood pg verify KEY --read all` reads every byte; `app verify` and `dict verify` always do",
    ),
    ("--read-data-subset", "", "`lastgood pg verify KEY --read 1/7` reads a seventh, another one each day"),
    ("--read", "app", "`lastgood app verify` reads every backup, all of it"),
    ("--read", "dict", "`lastgood dict verify` reads every backup, all of it"),
    (
        "--password-file",
        "",
        "backups are not encrypted here: let the bucket or the disk do it. A server's password is in ~/.pgpass",
    ),
    ("--all", "pg dump", EACH),
    ("--last", "pg", KEPT),
    ("--last", "app", KEPT),
    ("--last", "dict", KEPT),
    ("--last", "glacier", KEPT),
    ("--name", "pg restore", INTO),
    ("--as", "pg restore", INTO),
    ("--name", "pg", "the name of the database is an argument, as in `lastgood pg ls DATABASE`"),
    ("-t", "pg dump", PART),
    ("--table", "pg dump", PART),
    ("-t", "pg restore", "`--table TABLE` restores the rows of some tables only"),
    ("-T", "pg", "`--exclude-table TABLE` leaves a table out"),
    ("-N", "pg", "`--exclude-table 'SCHEMA.*'` leaves a schema's tables out"),
    ("-s", "pg", PART),
    ("-a", "pg", PART),
    ("--schema-only", "pg dump", PART),
    ("--data-only", "pg dump", PART),
    ("-F", "pg", FORMAT),
    ("--format", "pg", FORMAT),
    ("-Z", "pg", FORMAT),
    ("--compress", "pg", FORMAT),
    ("-f", "pg", "dumps are kept in a location: `-r LOCATION`, or LASTGOOD_REPO"),
    ("--file", "pg", "dumps are kept in a location: `-r LOCATION`, or LASTGOOD_REPO"),
    ("-c", "pg", SWAPPED),
    ("--clean", "pg", SWAPPED),
    ("-C", "pg", SWAPPED),
    ("--create", "pg", SWAPPED),
    ("--if-exists", "pg", SWAPPED),
    ("-1", "pg", SWAPPED),
    ("--single-transaction", "pg", SWAPPED),
    ("-O", "pg restore", "`--no-owner` restores no owners"),
    ("-x", "pg restore", "`--no-acl` restores no privileges"),
    ("--no-privileges", "pg restore", "`--no-acl` restores no privileges"),
    ("-l", "pg restore", "`lastgood pg show KEY` lists what is in a dump"),
    ("--list", "pg restore", "`lastgood pg show KEY` lists what is in a dump"),
];

/// Somebody wants to keep so many.
const KEPT: &str = "`prune --keep-last N` keeps the newest N, and `-n` only shows which go";

/// Somebody wants another name for what is restored.
const INTO: &str = "`lastgood pg restore KEY --into NAME` restores into another database";

/// Somebody wants a part of a database.
const PART: &str = "a dump has the whole database, but for what `--exclude-table` and `--exclude-table-data` leave out. A restore takes the part: \
                    `lastgood pg restore KEY --table TABLE`, `--schema-only` or `--data-only`";

/// Somebody wants a format of `pg_dump`.
const FORMAT: &str =
    "a dump has one format, compressed and with digests. FORMAT.md says how `zstd`, `psql` and `pg_restore` read it";

/// Somebody wants to say how `pg_restore` gets the old database out of its way.
const SWAPPED: &str = "nothing has to be cleaned or created before a restore: it fills a new database, and swaps that in with one transaction";
