//! Settings, a judged configuration file, and what to do about one that cannot be used, in words.

use std::path::Path;

use backup_core::failure::Failure;
use backup_core::location::shell_word;
use lastgood_operator::settings::{Checked, Distrust, Named, NamedKind, SettingsError, Shown, Wanted};

use crate::env;
use crate::render::remedy::words;
use crate::render::table::{Align, Column, table};
use crate::render::units::counted;

/// How a hook is written.
const HOOK_EXAMPLE: &str = "[{ command = \"./migrate.sh\" }, { sql = \"anonymise.sql\" }]";

/// Where passwords go instead.
const NO_SECRETS: &str = "passwords do not belong in this file: put them into ~/.pgpass (mode 0600) or PGPASSFILE, or the \
                          whole URL into LASTGOOD_PG_URL";

/// `key = value` as in the file, or a table with the origins.
pub(crate) fn settings(shown: &[Shown], origin: bool) -> String {
    if origin {
        let columns = ["SETTING", "VALUE", "ORIGIN"].map(|name| Column(name, Align::Left));
        let row = |shown: &Shown| vec![shown.key.to_owned(), value(shown), shown.origin.clone()];
        return table(&columns, shown.iter().map(row));
    }
    shown.iter().map(|shown| format!("{} = {}", shown.key, value(shown))).collect::<Vec<_>>().join("\n")
}

fn value(shown: &Shown) -> String {
    match shown.meaning {
        Some(meaning) => format!("({meaning})"),
        None => shown.value.to_string(),
    }
}

/// Configurations and profiles, with the location of each.
pub(crate) fn named(names: &[Named]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let columns = ["NAME", "KIND", "OPTION", "LOCATION"].map(|name| Column(name, Align::Left));
    let row = |named: &Named| {
        let (kind, option) = match named.kind {
            NamedKind::Configuration => ("configuration", format!("--config {}", shell_word(&named.name))),
            _ => ("profile", format!("-P {}", shell_word(&named.name))),
        };
        vec![named.name.clone(), kind.to_owned(), option, named.repo.clone().unwrap_or_else(|| "–".to_owned())]
    };
    table(&columns, names.iter().map(row))
}

/// A file that can be used.
pub(crate) fn checked(path: &Path, checked: &Checked) -> String {
    let named = |names: &[String], one: &str, several: &str| match names {
        [] => format!("no {several}"),
        names => format!("{} ({})", counted(names.len() as u64, one, several), names.join(", ")),
    };
    format!(
        "`{}` is valid: {}, {}",
        path.display(),
        named(&checked.profiles, "profile", "profiles"),
        named(&checked.configurations, "configuration", "configurations")
    )
}

/// What to do about settings that cannot be used.
pub(crate) fn help(error: &SettingsError) -> String {
    let near = error.nearest().map(|near| format!("did you mean `{near}`?"));
    match error {
        SettingsError::Missing { .. } => format!(
            "--config-file or {} names it; without them `lastgood config path` shows which file is read",
            env::CONFIG_FILE
        ),
        SettingsError::Unreadable { .. } => "check its owner and mode".to_owned(),
        SettingsError::Untrusted { path, distrust: Distrust::Owner { .. } } => {
            format!("run `chown $(id -u) {}` if you trust what it says", path.display())
        }
        SettingsError::Untrusted { path, .. } => format!("run `chmod go-w {}`", path.display()),
        SettingsError::TooLarge { .. } => "name another file with --config-file".to_owned(),
        SettingsError::Syntax { .. } => {
            "write strings in double quotes and lists in brackets; see https://toml.io".to_owned()
        }
        SettingsError::Unknown { key, .. } if key.contains("password") => NO_SECRETS.to_owned(),
        SettingsError::Unknown { known, .. } => {
            near.unwrap_or_else(|| format!("settings that can stand here: {}", known.join(", ")))
        }
        SettingsError::Type { key, wanted, item, .. } => example(last(key), wanted, *item),
        SettingsError::Duration { key, .. } => {
            format!("write a duration with its unit, such as `{} = \"30s\"` or \"5m\"; \"0\" means no limit", last(key))
        }
        SettingsError::Rate { key, .. } => {
            format!("write a size per second, such as `{} = \"10MiB\"`; \"0\" means no limit", last(key))
        }
        SettingsError::Password { .. } => NO_SECRETS.to_owned(),
        SettingsError::Hook { key, .. } => {
            format!("write `{} = {HOOK_EXAMPLE}`, in the order in which they run", last(key))
        }
        SettingsError::Refused { source, .. } => {
            let help = source.downcast_ref::<pg_clone::PgError>().and_then(Failure::remedy);
            help.map_or_else(String::new, |help| words(&help))
        }
        SettingsError::NoSection { table, known, .. } => near.unwrap_or_else(|| match known.as_slice() {
            [] => format!("it has no `[{table}.…]` at all; `lastgood config path` shows which file is read"),
            names => format!("it has {}", names.join(", ")),
        }),
        // Whatever is added later speaks for itself.
        _ => String::new(),
    }
}

/// The key without its table.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn example(key: &str, wanted: &Wanted, item: bool) -> String {
    let value = match wanted {
        Wanted::Text if item => "[\"…\", \"…\"]",
        Wanted::Text => "\"…\"",
        Wanted::Number => "4",
        Wanted::Flag => "false",
        Wanted::Texts => "[\"…\", \"…\"]",
        Wanted::Tables | Wanted::Table(None) => HOOK_EXAMPLE,
        Wanted::Table(Some(name)) => return format!("write its settings below a line `[{name}]`"),
        _ => "{ … }",
    };
    format!("write `{key} = {value}`")
}

#[cfg(test)]
mod tests {
    use lastgood_operator::settings::Origin;

    use super::*;

    fn unknown(key: &str) -> SettingsError {
        let known = vec!["jobs".to_owned(), "lock-timeout".to_owned()];
        SettingsError::Unknown { key: key.to_owned(), at: Origin::Default, known }
    }

    #[test]
    fn an_unknown_key_is_told_the_nearest_or_all() {
        assert_eq!(help(&unknown("pg.lock_timeout")), "did you mean `lock-timeout`?");
        assert_eq!(help(&unknown("pg.frobnicate")), "settings that can stand here: jobs, lock-timeout");
        assert_eq!(help(&unknown("pg.password")), NO_SECRETS);
    }

    #[test]
    fn a_value_of_another_type_is_told_how_to_write_it() {
        let wrong = |wanted, item| {
            help(&SettingsError::Type { key: "pg.x".into(), at: Origin::Default, wanted, found: None, item })
        };
        assert_eq!(wrong(Wanted::Number, false), "write `x = 4`");
        assert_eq!(wrong(Wanted::Flag, false), "write `x = false`");
        assert_eq!(wrong(Wanted::Text, true), "write `x = [\"…\", \"…\"]`");
        assert!(wrong(Wanted::Tables, false).contains("command"));
        assert_eq!(wrong(Wanted::Table(Some("pg.x".into())), false), "write its settings below a line `[pg.x]`");
    }

    #[test]
    fn a_judged_file_names_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let judged = lastgood_operator::settings::check(&path).unwrap().unwrap();
            checked(Path::new("a.toml"), &judged)
        };
        assert_eq!(said(""), "`a.toml` is valid: no profiles, no configurations");
        let text = "[pg.configs.nightly]\n[pg.configs.small]\n[profile.staging]";
        assert_eq!(said(text), "`a.toml` is valid: 1 profile (staging), 2 configurations (nightly, small)");
    }
}
