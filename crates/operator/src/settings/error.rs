//! Why settings cannot be used: which key, where, and what stands there instead.

use std::fmt;
use std::io;
use std::path::PathBuf;

use backup_core::failure::Failure;
use backup_core::failure_kinds;

use crate::settings::near::nearest;
use crate::settings::origin::Origin;

/// Result of reading or judging settings.
pub type SettingsResult<T> = Result<T, SettingsError>;

/// Settings that cannot be used. No text of the file is repeated but its keys: a value may be a secret after all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file that was named is not there.
    #[error("there is no configuration file `{}`", path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else can change the file.
    #[error("the configuration file `{}` {distrust}, and it names programs to run", path.display())]
    Untrusted {
        /// Its path.
        path: PathBuf,
        /// Who can change it.
        distrust: Distrust,
    },
    /// The file is longer than any configuration.
    #[error("the configuration file `{}` is larger than {} KiB", path.display(), bytes_max >> 10)]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is not TOML.
    #[error("`{at}` is not valid TOML: {message}")]
    Syntax {
        /// Where the mistake is.
        at: Origin,
        /// What the parser expected.
        message: String,
    },
    /// A key that is not a setting.
    #[error("unknown setting `{key}` (`{at}`)")]
    Unknown {
        /// The key with its table.
        key: String,
        /// Where it stands.
        at: Origin,
        /// The keys that can stand there.
        known: Vec<String>,
    },
    /// A value of another type.
    #[error("{}`{key}` must be {wanted}{} (`{at}`)", if *item { "each item of " } else { "" }, instead(*found))]
    Type {
        /// The key with its table.
        key: String,
        /// Where the value stands.
        at: Origin,
        /// What should stand there.
        wanted: Wanted,
        /// The type that stands there, if it is another.
        found: Option<&'static str>,
        /// Whether it is an item of a list.
        item: bool,
    },
    /// A value that is not a duration.
    #[error("`{key}` is not a duration (`{at}`)")]
    Duration {
        /// The key with its table.
        key: String,
        /// Where the value stands.
        at: Origin,
    },
    /// A value that is not a limit of bytes per second.
    #[error("`{key}` is not a size per second (`{at}`)")]
    Rate {
        /// The key with its table.
        key: String,
        /// Where the value stands.
        at: Origin,
    },
    /// A password where none belongs.
    #[error("`{key}` holds a password (`{at}`)")]
    Password {
        /// The key with its table.
        key: String,
        /// Where the value stands.
        at: Origin,
    },
    /// A hook that is not exactly one thing to run.
    #[error("`{key}` has {} (`{at}`)", if *both { "both a command and SQL" } else { "neither a command nor SQL" })]
    Hook {
        /// The key with its table.
        key: String,
        /// Where the hook stands.
        at: Origin,
        /// Whether it has both a command and SQL, rather than neither.
        both: bool,
    },
    /// A value that whoever uses it refuses.
    #[error("`{key}` cannot be used (`{at}`)")]
    Refused {
        /// The key with its table.
        key: &'static str,
        /// Where the value stands.
        at: Origin,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A profile or configuration that the file does not have.
    #[error("the configuration file has no `[{table}.{name}]`")]
    NoSection {
        /// `profile` or `pg.configs`.
        table: &'static str,
        /// Its name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

impl Failure for SettingsError {
    failure_kinds! {
        []
        Missing: "settings::missing", Usage, permanent, "the configuration file that was named is not there",
            "name a file that is there, or none";
        Unreadable: "settings::unreadable", Usage, permanent, "the configuration file cannot be read",
            "check its owner and mode";
        Untrusted: "settings::untrusted", Usage, permanent, "others can change the configuration file, which names programs to run",
            "make it yours, and let nobody else write it";
        TooLarge: "settings::too_large", Usage, permanent, "the file is larger than any configuration file", "name another file";
        Syntax: "settings::syntax", Usage, permanent, "the configuration file is not TOML",
            "write strings in double quotes and lists in brackets; see https://toml.io";
        Unknown: "settings::unknown", Usage, permanent, "a key in the configuration file is not a setting",
            "correct or remove it";
        Type: "settings::type", Usage, permanent, "a value in the configuration file has another type than its setting",
            "write a value of that type";
        Duration: "settings::duration", Usage, permanent, "a value in the configuration file is not a duration",
            "write a duration with its unit, such as \"30s\" or \"5m\"";
        Rate: "settings::rate", Usage, permanent, "a value in the configuration file is not a limit of bytes per second",
            "write a size per second with its unit, such as \"10MiB\"";
        Password: "settings::password", Usage, permanent, "a value in the configuration file holds a password",
            "put it into ~/.pgpass (mode 0600) or PGPASSFILE, or the whole URL into LASTGOOD_PG_URL";
        Hook: "settings::hook", Usage, permanent, "a hook in the configuration file is not exactly one thing to run",
            "give it a command or SQL";
        Refused: "settings::refused", Usage, permanent, "a value in the configuration file cannot be used; the cause says why";
        NoSection: "settings::no_section", Usage, permanent, "the configuration file does not have that profile or configuration",
            "name one that it has";
    }
}

impl SettingsError {
    /// The key or name that was probably meant.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        match self {
            Self::Unknown { key, known, .. } => {
                nearest(key.rsplit('.').next().unwrap_or(key), known.iter().map(String::as_str))
            }
            Self::NoSection { name, known, .. } => nearest(name, known.iter().map(String::as_str)),
            _ => None,
        }
    }
}

fn instead(found: Option<&str>) -> String {
    match found {
        None => String::new(),
        Some(found) if found.starts_with(['a', 'i']) => format!(", not an {found}"),
        Some(found) => format!(", not a {found}"),
    }
}

/// What should stand at a place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A string.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A list of strings.
    Texts,
    /// A list of tables.
    Tables,
    /// A table; of this name, unless it is an item of a list.
    Table(Option<String>),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a string",
            Self::Number => "a whole number from 0",
            Self::Flag => "true or false",
            Self::Texts => "a list of strings",
            Self::Tables => "a list of tables",
            Self::Table(None) => "a table",
            Self::Table(Some(name)) => return write!(f, "a table `[{name}]`"),
        })
    }
}

/// Who can change a file that we are to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// It belongs to another user.
    Owner {
        /// That user.
        uid: u32,
    },
    /// The group or everybody can write it.
    Mode {
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { uid } => write!(f, "belongs to another user (uid {uid})"),
            Self::Mode { mode } => write!(f, "can be written by others (mode {mode:04o})"),
        }
    }
}
