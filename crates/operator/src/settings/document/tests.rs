//! What the configuration file may say, and what is said of mistakes in it.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::settings::layer::HookEntry;
use crate::settings::origin::{Origin, Set};

const FILE: &str = r#"# A comment.
repo = "backups"

[pg]
url = "postgres://backup@db1/shop"
jobs = 2
exclude-table = ["tmp_*"]
allow-restore = false
protected = ["prod-*/shop", "*/billing"]
pre-swap = [{ command = "./migrate.sh" }]

[pg.configs.nightly]
repo = "s3://acme/nightly"
jobs = 4
lock-timeout = "5m"
exclude-table = ["audit.log", "tmp_*"]
pre-swap = [{ sql = "sql/anonymise.sql" }]

[profile.staging]
repo = "/srv/backups"

[profile.staging.pg]
jobs = 3
allow-restore = true

[profile.staging.pg.configs.weekly]
reversible = true
"#;

fn read(text: &str) -> SettingsResult<Document> {
    Document::read(Path::new("conf/lastgood.toml"), text.to_owned())
}

fn example() -> Document {
    read(FILE).unwrap()
}

fn at(line: usize) -> Origin {
    Origin::File { path: Path::new("conf/lastgood.toml").into(), line }
}

fn values<T: Clone>(list: &[Set<T>]) -> Vec<T> {
    list.iter().map(|set| set.value.clone()).collect()
}

#[test]
fn a_value_knows_its_line() {
    let layer = example().layer(None, None).unwrap();
    assert_eq!(layer.jobs, Some(Set { value: 2, origin: at(6) }));
    assert_eq!(layer.allow_restore, Some(Set { value: false, origin: at(8) }));
    assert_eq!(layer.protected[1], Set { value: "*/billing".into(), origin: at(9) });
}

#[test]
fn relative_paths_start_at_the_file() {
    let layer = example().layer(None, Some("nightly")).unwrap();
    assert_eq!(layer.repo.unwrap().value, "s3://acme/nightly");
    assert_eq!(example().layer(None, None).unwrap().repo.unwrap().value, "conf/backups");
    assert_eq!(example().layer(Some("staging"), None).unwrap().repo.unwrap().value, "/srv/backups");
    let folder = PathBuf::from("conf");
    assert_eq!(
        values(&layer.pre_swap),
        [
            HookEntry::Command { command: "./migrate.sh".into(), folder },
            HookEntry::Sql("conf/sql/anonymise.sql".into())
        ]
    );
}

#[test]
fn a_configuration_says_more_than_the_rest_of_its_section_and_a_profile_more_than_the_top() {
    let jobs = |profile, config| example().layer(profile, config).unwrap().jobs.unwrap();
    assert_eq!(jobs(None, None).value, 2);
    assert_eq!(jobs(None, Some("default")).value, 2);
    assert_eq!(jobs(None, Some("nightly")), Set { value: 4, origin: at(14) });
    assert_eq!(jobs(Some("staging"), Some("nightly")), Set { value: 3, origin: at(23) });
    let nightly = example().layer(None, Some("nightly")).unwrap();
    assert_eq!(nightly.lock_timeout.unwrap().value, Duration::from_secs(300));
    assert_eq!(values(&nightly.exclude_table), ["tmp_*", "audit.log"]);
    assert!(example().layer(Some("staging"), Some("weekly")).unwrap().reversible.unwrap().value);
}

#[test]
fn a_profile_does_not_allow_what_the_top_forbids() {
    let staging = example().layer(Some("staging"), None).unwrap();
    assert_eq!(staging.allow_restore, Some(Set { value: false, origin: at(8) }));
}

#[test]
fn names_that_are_not_there_are_refused_with_the_nearest() {
    for (profile, config, said, near) in [
        (Some("stagin"), None, "[profile.stagin]", Some("staging")),
        (Some("x"), None, "[profile.x]", None),
        (None, Some("nigthly"), "[pg.configs.nigthly]", Some("nightly")),
        (None, Some("weekly"), "[pg.configs.weekly]", None),
    ] {
        let error = example().layer(profile, config).unwrap_err();
        assert!(error.to_string().contains(said), "{error:?}");
        assert_eq!(error.nearest(), near, "{error:?}");
    }
    // Where no configuration is written down, a name is only a name.
    read("repo = \"x\"").unwrap().layer(None, Some("anything")).unwrap();
    let error = Document::default().layer(Some("prod"), None).unwrap_err();
    assert!(matches!(&error, SettingsError::NoSection { known, .. } if known.is_empty()), "{error:?}");
}

#[test]
fn an_unknown_key_is_told_by_file_and_line_with_the_nearest() {
    for (text, said, near) in [
        ("[pg]\nexclude_table = []", "`pg.exclude_table` (`conf/lastgood.toml:2`)", Some("exclude-table")),
        ("repos = 'x'", "`repos` (`conf/lastgood.toml:1`)", Some("repo")),
        ("[pg.configs.a]\n\njbos = 1", "`pg.configs.a.jbos` (`conf/lastgood.toml:3`)", Some("jobs")),
        ("pg.jbos = 1", "`pg.jbos` (`conf/lastgood.toml:1`)", Some("jobs")),
        ("[pg.configs.a]\nallow-restore = true", "`pg.configs.a.allow-restore` (`conf/lastgood.toml:2`)", None),
        ("[profile.p.pg]\nfrobnicate = 1", "`profile.p.pg.frobnicate` (`conf/lastgood.toml:2`)", None),
        ("[profile.p.profile.q]", "`profile.p.profile` (`conf/lastgood.toml:1`)", None),
        ("[pg]\npassword = 'hush'", "`pg.password` (`conf/lastgood.toml:2`)", None),
        ("[pg]\npre-dump = [{ comand = 'x' }]", "`pg.pre-dump.comand` (`conf/lastgood.toml:2`)", Some("command")),
        ("[[pg.pre-dump]]\ncommand = 'x'\nsqll = 'y'", "`pg.pre-dump.sqll` (`conf/lastgood.toml:3`)", Some("sql")),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.to_string(), format!("unknown setting {said}"), "{text:?}");
        assert_eq!(error.nearest(), near, "{text:?}: {error:?}");
    }
    let Err(SettingsError::Unknown { known, .. }) = read("[pg.configs.a]\nurl = 'x'") else { panic!("no error") };
    assert!(known.iter().any(|key| key == "jobs") && !known.iter().any(|key| key == "url"), "{known:?}");
}

#[test]
fn whatever_cannot_be_used_is_told_by_key_file_and_line() {
    for (text, said) in [
        ("[pg]\njobs = '4'", "`pg.jobs` must be a whole number from 0, not a string (`conf/lastgood.toml:2`)"),
        ("[pg]\njobs = -4", "`pg.jobs` must be a whole number from 0 (`conf/lastgood.toml:2`)"),
        ("[pg]\nallow-restore = 'no'", "`pg.allow-restore` must be true or false, not a string"),
        (
            "[pg]\n\nexclude-table = 'a'",
            "`pg.exclude-table` must be a list of strings, not a string (`conf/lastgood.toml:3`)",
        ),
        (
            "[pg]\nprotected = [\n1]",
            "each item of `pg.protected` must be a string, not an integer (`conf/lastgood.toml:3`)",
        ),
        ("[pg]\nlock-timeout = '30'", "`pg.lock-timeout` is not a duration (`conf/lastgood.toml:2`)"),
        ("[pg]\nlock-timeout = 30", "`pg.lock-timeout` must be a string, not an integer"),
        ("[pg]\nbin-dir = 2026-01-01", "`pg.bin-dir` must be a string, not a datetime"),
        ("pg = 1", "`pg` must be a table `[pg]`, not an integer (`conf/lastgood.toml:1`)"),
        ("profile = { a = 1 }", "`profile.a` must be a table `[profile.a]`, not an integer"),
        ("[pg.configs]\na = 'x'", "`pg.configs.a` must be a table `[pg.configs.a]`, not a string"),
        ("[pg]\npre-dump = ['x']", "each item of `pg.pre-dump` must be a table, not a string"),
        ("[pg]\npre-dump = 'x'", "`pg.pre-dump` must be a list of tables, not a string"),
        ("[pg]\npre-dump = [{ command = 1 }]", "`pg.pre-dump.command` must be a string, not an integer"),
        ("[pg]\npre-dump = [{}]", "`pg.pre-dump` has neither a command nor SQL"),
        ("[pg]\npre-dump = [{ command = 'x', sql = 'y' }]", "`pg.pre-dump` has both a command and SQL"),
        ("[pg]\njobs = ", "`conf/lastgood.toml:2` is not valid TOML: "),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{text:?}: {error}");
    }
}

#[test]
fn c17_a_secret_in_the_file_is_refused_and_not_repeated() {
    for text in [
        "[pg]\nurl = 'postgres://app:hush@db/shop'",
        "[pg]\nurl = 'postgres://app:hu/sh@db/shop'",
        "[pg]\nurl = 'host=db password=hush'",
        "repo = 's3://key:hush@bucket/x'",
        "[pg]\npre-dump = [{ command = 'psql postgres://app:hush@db/shop' }]",
        "[pg]\nprotected = ['postgres://app:hush@db/shop']",
        "[pg]\nurl = \"postgres://app:hush@db/shop",
        "[pg]\njobs = 'postgres://app:hush@db/shop'",
        "[pg]\npre-dump = ['hush']",
    ] {
        let error = read(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hu"), "{error:?}");
    }
    let error = read("[pg]\nurl = 'postgres://app:hush@db/shop'").unwrap_err();
    assert!(matches!(&error, SettingsError::Password { key, .. } if key == "pg.url"), "{error:?}");
}
