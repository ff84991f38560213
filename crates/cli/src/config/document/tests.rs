//! What the configuration file may say, and what is said of mistakes in it.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::origin::Origin;

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

fn read(text: &str) -> CliResult<Document> {
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
    for (profile, config, said) in [
        (Some("stagin"), None, "did you mean `staging`?"),
        (Some("x"), None, "there are staging"),
        (None, Some("nigthly"), "did you mean `nightly`?"),
        (None, Some("weekly"), "there are nightly"),
    ] {
        let error = example().layer(profile, config).unwrap_err();
        assert!(matches!(&error, CliError::Usage { help, .. } if help == said), "{error:?}");
    }
    // Where no configuration is written down, a name is only a name.
    read("repo = \"x\"").unwrap().layer(None, Some("anything")).unwrap();
    let error = Document::default().layer(Some("prod"), None).unwrap_err();
    assert!(matches!(&error, CliError::Usage { help, .. } if help.contains("`[profile.…]`")), "{error:?}");
}

#[test]
fn whatever_cannot_be_used_is_told_by_key_file_and_line() {
    for (text, what, help) in [
        (
            "[pg]\nexclude_table = []",
            "`pg.exclude_table` is no setting (`conf/lastgood.toml`, line 2)",
            "`exclude-table`",
        ),
        ("repos = 'x'", "`repos` is no setting (`conf/lastgood.toml`, line 1)", "`repo`"),
        ("[pg.configs.a]\n\njbos = 1", "`pg.configs.a.jbos` is no setting (`conf/lastgood.toml`, line 3)", "`jobs`"),
        ("[pg.configs.a]\nallow-restore = true", "`pg.configs.a.allow-restore` is no setting", "here can be"),
        ("[profile.p.pg]\nfrobnicate = 1", "`profile.p.pg.frobnicate` is no setting", "here can be"),
        ("[pg]\npassword = 'hush'", "`pg.password` is no setting", "~/.pgpass"),
        ("[pg]\njobs = '4'", "`pg.jobs` must be a number from 0, and is of the type string", "`jobs = 4`"),
        ("[pg]\njobs = -4", "`pg.jobs` must be a number", "`jobs = 4`"),
        ("[pg]\nallow-restore = 'no'", "`pg.allow-restore` must be true or false", "`allow-restore = false`"),
        ("[pg]\nexclude-table = 'a'", "`pg.exclude-table` must be a list of strings", "["),
        ("[pg]\nprotected = [1]", "`pg.protected` must be a string", "["),
        ("[pg]\nlock-timeout = '30'", "`pg.lock-timeout` is no length of time", "\"30s\""),
        ("pg = 1", "`pg` must be a table `[pg]`", ""),
        ("profile = { a = 1 }", "`profile.a` must be a table `[profile.a]`", ""),
        ("[pg]\npre-dump = ['x']", "`pg.pre-dump` must be a list of tables", "command"),
        ("[pg]\npre-dump = [{ comand = 'x' }]", "`pg.pre-dump.comand` is no setting", "`command`"),
        ("[pg]\npre-dump = [{}]", "`pg.pre-dump` has neither a command nor SQL", "command"),
        ("[pg]\npre-dump = [{ command = 'x', sql = 'y' }]", "`pg.pre-dump` has both a command and SQL", "order"),
        ("[pg]\njobs = ", "`conf/lastgood.toml`, line 2 is no TOML", "double quotes"),
    ] {
        match read(text).unwrap_err() {
            CliError::Usage { what: said, help: helped } => {
                assert!(said.contains(what), "{text:?}: {said}");
                assert!(helped.contains(help), "{text:?}: {helped}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
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
    ] {
        let error = read(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hu"), "{error:?}");
    }
    let error = read("[pg]\nurl = 'postgres://app:hush@db/shop'").unwrap_err();
    assert!(
        matches!(&error, CliError::Usage { what, help }
        if what.starts_with("`pg.url` holds a password") && help.contains("LASTGOOD_PG_URL")),
        "{error:?}"
    );
}
