//! Every setting with the value that is used and where it comes from.

use std::fmt::Display;
use std::time::Duration;

use pg_clone::hook::TIMEOUT_DEFAULT;
use serde::Serialize;
use serde_json::Value;

use crate::settings::layer::{HookEntry, Layer};
use crate::settings::origin::{Origin, Set};
use crate::settings::rate::Rate;

/// One value; a list is several of the same key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// As it is written in the file, with its table: `pg.jobs`.
    pub key: &'static str,
    /// The value; none where it depends on the machine or the server.
    pub value: Value,
    /// What a default means, where that is no plain value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// `lastgood.toml:7`, `LASTGOOD_REPO`, `--repo` or `default`.
    pub origin: String,
}

pub(super) fn shown(layer: &Layer) -> Vec<Shown> {
    let default_repo = Value::from(backup_core::location::DEFAULT_FOLDER);
    let mut all = vec![
        one("repo", layer.repo.as_ref(), |repo| repo.as_str().into(), default_repo, None),
        one("limit-upload", layer.limit_upload.as_ref(), rate, Value::Null, Some("no limit")),
        one("limit-download", layer.limit_download.as_ref(), rate, Value::Null, Some("no limit")),
        one("pg.url", layer.url.as_ref(), |url| url.as_str().into(), Value::Null, Some("from PGHOST and its kin")),
        one(
            "pg.bin-dir",
            layer.bin_dir.as_ref(),
            |path| path.display().to_string().into(),
            Value::Null,
            Some("the installation that matches the server"),
        ),
        one(
            "pg.application-name",
            layer.application_name.as_ref(),
            |name| name.as_str().into(),
            "lastgood".into(),
            None,
        ),
        one("pg.jobs", layer.jobs.as_ref(), |jobs| (*jobs).into(), Value::Null, Some("by the number of cores")),
        one("pg.connect-timeout", layer.connect_timeout.as_ref(), time, "15s".into(), None),
        one("pg.lock-timeout", layer.lock_timeout.as_ref(), time, "30s".into(), None),
        one("pg.statement-timeout", layer.statement_timeout.as_ref(), time, "0".into(), None),
        one("pg.hook-timeout", layer.hook_timeout.as_ref(), time, time(&TIMEOUT_DEFAULT), None),
        one("pg.reversible", layer.reversible.as_ref(), |flag| (*flag).into(), false.into(), None),
        one("pg.managed", layer.managed.as_ref(), |flag| (*flag).into(), false.into(), None),
        one("pg.allow-restore", layer.allow_restore.as_ref(), |flag| (*flag).into(), true.into(), None),
    ];
    let name = |name: &String| name.as_str().into();
    for (key, set) in
        [("ec2.tag", &layer.ec2_tag), ("ec2.primary", &layer.ec2_primary), ("ec2.secondary", &layer.ec2_secondary)]
    {
        all.extend(set.as_ref().map(|set| row(key, name(&set.value), &set.origin)));
    }
    all.extend(of_glacier(layer));
    for (key, list) in [
        ("pg.protected", &layer.protected),
        ("pg.exclude-table", &layer.exclude_table),
        ("pg.exclude-table-data", &layer.exclude_table_data),
        ("pg.exclude-setting", &layer.exclude_setting),
        ("ec2.regions", &layer.ec2_regions),
    ] {
        all.extend(list.iter().map(|item| row(key, item.value.as_str().into(), &item.origin)));
    }
    for (key, list) in [
        ("pg.pre-dump", &layer.pre_dump),
        ("pg.post-create", &layer.post_create),
        ("pg.pre-swap", &layer.pre_swap),
        ("pg.post-swap", &layer.post_swap),
    ] {
        all.extend(list.iter().map(|item| row(key, hook(&item.value), &item.origin)));
    }
    all
}

/// What is said of files in cold storage; nothing where nothing is.
fn of_glacier(layer: &Layer) -> Vec<Shown> {
    let texts = [
        ("glacier.class", &layer.glacier_class),
        ("glacier.queue", &layer.glacier_queue),
        ("glacier.topic", &layer.glacier_topic),
        ("glacier.gem-schema", &layer.glacier_gem_schema),
        ("glacier.gem-tables", &layer.glacier_gem_tables),
    ];
    let paths = [
        ("glacier.files", &layer.glacier_files),
        ("glacier.state", &layer.glacier_state),
        ("glacier.prices", &layer.glacier_prices),
    ];
    let mut all: Vec<Shown> = Vec::new();
    for (key, set) in paths {
        all.extend(set.as_ref().map(|set| row(key, set.value.display().to_string().into(), &set.origin)));
    }
    all.extend(layer.glacier_exclude.iter().map(|set| row("glacier.exclude", set.value.as_str().into(), &set.origin)));
    for (key, set) in texts {
        all.extend(set.as_ref().map(|set| row(key, set.value.as_str().into(), &set.origin)));
    }
    all.extend(layer.glacier_bundles.as_ref().map(|set| row("glacier.bundles", set.value.into(), &set.origin)));
    all.extend(layer.glacier_per_hour.as_ref().map(|set| row("glacier.per-hour", rate(&set.value), &set.origin)));
    all
}

fn row(key: &'static str, value: Value, origin: &impl Display) -> Shown {
    Shown { key, value, meaning: None, origin: origin.to_string() }
}

fn one<T>(
    key: &'static str,
    set: Option<&Set<T>>,
    value: impl FnOnce(&T) -> Value,
    default: Value,
    meaning: Option<&'static str>,
) -> Shown {
    match set {
        Some(set) => row(key, value(&set.value), &set.origin),
        None => Shown { meaning, ..row(key, default, &Origin::Default) },
    }
}

fn rate(rate: &Rate) -> Value {
    rate.to_string().into()
}

/// In the form in which it is written.
fn time(time: &Duration) -> Value {
    match (time.as_secs(), time.subsec_millis()) {
        (0, 0) => "0".into(),
        (seconds, 0) => format!("{seconds}s").into(),
        _ => format!("{}ms", time.as_millis()).into(),
    }
}

fn hook(hook: &HookEntry) -> Value {
    match hook {
        HookEntry::Command { command, .. } => serde_json::json!({ "command": command }),
        HookEntry::Sql(path) => serde_json::json!({ "sql": path.display().to_string() }),
    }
}
