//! Every environment variable that lastgood reads, for code and documentation; `pg_clone::libpq` has those of libpq.

/// A variable and what it does.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) meaning: &'static str,
}

/// Who a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Lastgood,
    Postgres,
    Aws,
    Testing,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Lastgood, Self::Postgres, Self::Aws, Self::Testing];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Lastgood => "lastgood",
            Self::Postgres => "PostgreSQL",
            Self::Aws => "AWS and S3-compatible stores",
            Self::Testing => "Acceptance tests",
        }
    }
}

pub(crate) const REPO: &str = "LASTGOOD_REPO";
pub(crate) const HOST: &str = backup_core::source::HOST_VARIABLE;
pub(crate) const PG_BIN: &str = "LASTGOOD_PG_BIN";
pub(crate) const CONFIG_FILE: &str = "LASTGOOD_CONFIG_FILE";
pub(crate) const PROFILE: &str = "LASTGOOD_PROFILE";
pub(crate) const ALLOW_RESTORE: &str = pg_clone::guard::ALLOW_RESTORE;
pub(crate) const LIMIT_UPLOAD: &str = "LASTGOOD_LIMIT_UPLOAD";
pub(crate) const LIMIT_DOWNLOAD: &str = "LASTGOOD_LIMIT_DOWNLOAD";
pub(crate) const HINTS: &str = "LASTGOOD_HINTS";
pub(crate) const PROGRESS: &str = "LASTGOOD_PROGRESS";
pub(crate) const LOG: &str = "LASTGOOD_LOG";
pub(crate) const RUST_LOG: &str = "RUST_LOG";
pub(crate) const CRASH_AT: &str = "LASTGOOD_CRASH_AT";
pub(crate) const PAUSE_AT: &str = "LASTGOOD_PAUSE_AT";
pub(crate) const PAUSE_FILE: &str = "LASTGOOD_PAUSE_FILE";
pub(crate) const LISTS_OVER: &str = "LASTGOOD_LISTS_OVER";
pub(crate) const RANGE_BYTES: &str = "LASTGOOD_RANGE_BYTES";

/// Variables whose values are secrets and never appear in anything printed.
pub(crate) const SECRETS: &[&str] = &["PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Variables that hold a connection URL, in order of precedence.
pub(crate) const PG_URLS: &[&str] = &["LASTGOOD_PG_URL", "DATABASE_URL"];

const fn variable(group: Group, name: &'static str, meaning: &'static str) -> Variable {
    Variable { name, group, meaning }
}

/// The list.
pub(crate) const VARIABLES: &[Variable] = &[
    variable(
        Group::Lastgood,
        REPO,
        "Location of the backups, as for `-r`. Default: `./.lastgood`. Created by `lastgood init`.",
    ),
    variable(
        Group::Lastgood,
        HOST,
        "Name of this machine in backups of its files, folders and in-memory stores, instead of its host name. \
         Machines with different names are different sources: set it in containers, whose host names change at every \
         start.",
    ),
    variable(Group::Lastgood, PG_BIN, "Folder of `pg_dump` and `pg_restore`, as for `--pg-bin`."),
    variable(
        Group::Lastgood,
        CONFIG_FILE,
        "Configuration file, as for `--config-file`. Default: `./lastgood.toml`, or \
         `$XDG_CONFIG_HOME/lastgood/config.toml`.",
    ),
    variable(Group::Lastgood, PROFILE, "Profile of the configuration file, as for `-P`."),
    variable(
        Group::Lastgood,
        ALLOW_RESTORE,
        "With `false`, nothing is restored, replaced or dropped, whatever the options say (exit code 15). `true` does \
         not override a configuration file that forbids it.",
    ),
    variable(Group::Lastgood, LIMIT_UPLOAD, "Bytes sent per second at most, as for `--limit-upload`."),
    variable(Group::Lastgood, LIMIT_DOWNLOAD, "Bytes received per second at most, as for `--limit-download`."),
    variable(
        Group::Lastgood,
        "XDG_STATE_HOME",
        "Folder that contains `lastgood/glacier`, what this machine knows of archived files. Default: `~/.local/state`.",
    ),
    variable(Group::Lastgood, "XDG_CONFIG_HOME", "Folder that contains `lastgood/config.toml`. Default: `~/.config`."),
    variable(
        Group::Lastgood,
        HINTS,
        "With `never`, `pg ls` reads every manifest, as it does without `XDG_CACHE_HOME`, and keeps nothing there.",
    ),
    variable(
        Group::Lastgood,
        "XDG_CACHE_HOME",
        "Folder that contains `lastgood`, what `pg ls` saw of folders with many dumps, so that it need not read them again. \
         Nothing is lost with it. Default: `~/.cache`.",
    ),
    variable(
        Group::Lastgood,
        PROGRESS,
        "`auto` (one line on a terminal; elsewhere a line after 5 s and every 30 s), `never`, or `json` (every event as a \
         JSON line on standard error, with time, totals, percent and time left).",
    ),
    variable(Group::Lastgood, LOG, "Log filter, such as `pg_clone=debug`; overrides `-v`. Logs go to standard error."),
    variable(Group::Lastgood, RUST_LOG, "Log filter, as for other Rust programs; used if `LASTGOOD_LOG` is not set."),
    variable(Group::Lastgood, "NO_COLOR", "Disables colour if set. `--color` overrides it."),
    variable(
        Group::Postgres,
        "LASTGOOD_PG_URL",
        "Connection URL or string of the server; may contain a password. Takes precedence over `DATABASE_URL`.",
    ),
    variable(
        Group::Postgres,
        "DATABASE_URL",
        "Connection URL of the server, if `LASTGOOD_PG_URL` is not set; parameters of application frameworks are \
         ignored. A URL of another kind of database is refused.",
    ),
    variable(Group::Aws, "AWS_PROFILE", "Profile of the AWS configuration files."),
    variable(Group::Aws, "AWS_REGION", "Region of the bucket."),
    variable(Group::Aws, "AWS_ACCESS_KEY_ID", "Access key."),
    variable(Group::Aws, "AWS_SECRET_ACCESS_KEY", "Secret key."),
    variable(Group::Aws, "AWS_SESSION_TOKEN", "Session token of temporary credentials."),
    variable(Group::Aws, "AWS_ENDPOINT_URL_S3", "Endpoint of an S3-compatible store."),
    variable(Group::Aws, "AWS_ENDPOINT_URL_SQS", "Endpoint of an SQS-compatible queue."),
    variable(Group::Aws, "AWS_ENDPOINT_URL", "Endpoint of all services, if `AWS_ENDPOINT_URL_S3` is not set."),
    variable(
        Group::Aws,
        "AWS_CA_BUNDLE",
        "File of certificates to trust for AWS instead of the system's; `ca_bundle` in a profile is the same.",
    ),
    variable(
        Group::Aws,
        "SSL_CERT_FILE",
        "File of certificates to trust instead of the system's, for AWS if there is no `AWS_CA_BUNDLE`.",
    ),
    variable(
        Group::Testing,
        CRASH_AT,
        "`STEP` or `STEP#N`: the process kills itself with SIGKILL when that step begins (for the Nth time). For \
         acceptance tests only.",
    ),
    variable(
        Group::Testing,
        PAUSE_AT,
        "`STEP`: the run writes the step's name to the file `LASTGOOD_PAUSE_FILE` and waits until that file is \
         deleted. For acceptance tests only.",
    ),
    variable(Group::Testing, PAUSE_FILE, "See `LASTGOOD_PAUSE_AT`."),
    variable(
        Group::Testing,
        LISTS_OVER,
        "Bytes of a dump's manifest after which its tables and frames are stored in lists. For acceptance tests only.",
    ),
    variable(
        Group::Testing,
        RANGE_BYTES,
        "Bytes of a table that a dump reads as one: what did not change is kept in such ranges. For acceptance tests only.",
    ),
];

/// The variable's value, unless unset, empty or not UTF-8.
pub(crate) fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the environment says which server is meant.
pub(crate) fn names_a_server() -> bool {
    const PLACES: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE"];
    PG_URLS.iter().chain(&PLACES).any(|name| value(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        for listed in VARIABLES {
            assert_eq!(VARIABLES.iter().filter(|other| other.name == listed.name).count(), 1, "{}", listed.name);
        }
        let libpqs = |name: &str| pg_clone::libpq::SETTINGS.iter().any(|setting| setting.variable == Some(name));
        for name in SECRETS.iter().chain(PG_URLS) {
            assert!(VARIABLES.iter().any(|listed| listed.name == *name) != libpqs(name), "{name}");
        }
        assert!(!VARIABLES.iter().any(|listed| libpqs(listed.name)), "libpq's have a table of their own");
    }
}
