//! Runs about the configuration file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::binary::{Run, lastgood, run};

fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), name, text);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
}

fn with(folder: &TempDir, line: &str, variables: &[(&str, &str)]) -> Run {
    lastgood(folder.path(), line).envs(variables.iter().copied()).output().expect("the binary starts").into()
}

fn origin(run: &Run, key: &str) -> String {
    let rows = run.json();
    let row = rows.as_array().expect("a list").iter().find(|row| row["key"] == key).expect("the setting");
    row["origin"].as_str().expect("a string").to_owned()
}

#[test]
fn show_says_what_counts_and_why() {
    let folder = folder_with("lastgood.toml", "repo = \"a\"\n[pg]\njobs = 2\n[profile.p]\nrepo = \"b\"\n");
    let shown = run(folder.path(), "config show --origin");
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("./lastgood.toml:3"), "{shown:?}");
    let plain = run(folder.path(), "config show");
    assert!(plain.stdout.contains("pg.jobs = 2\n") && plain.stdout.contains("repo = \"./a\"\n"), "{plain:?}");
    let repo = |line: &str, variables: &[(&str, &str)]| origin(&with(&folder, line, variables), "repo");
    assert_eq!(repo("config show --json", &[]), "./lastgood.toml:1");
    assert_eq!(repo("config show --json -P p", &[]), "./lastgood.toml:5");
    assert_eq!(repo("config show --json", &[("LASTGOOD_PROFILE", "p")]), "./lastgood.toml:5");
    assert_eq!(repo("config show --json", &[("LASTGOOD_REPO", "c")]), "LASTGOOD_REPO");
    assert_eq!(repo("config show --json -r d", &[("LASTGOOD_REPO", "c")]), "--repo");
    assert_eq!(repo("config show --json", &[("LASTGOOD_REPO", ""), ("LASTGOOD_CONFIG_FILE", "")]), "./lastgood.toml:1");
}

#[test]
fn the_file_names_the_location_of_every_command() {
    let folder = folder_with("lastgood.toml", "repo = \"from-file\"");
    assert!(run(folder.path(), "pg ls").stderr.contains("`./from-file`"));
    assert!(run(folder.path(), "pg ls -r from-option").stderr.contains("`from-option`"));
    assert_eq!(run(folder.path(), "init -q").code, Some(0));
    assert!(folder.path().join("from-file").is_dir());
}

#[test]
fn usage_shows_no_option_that_only_a_variable_gives() {
    let folder = folder_with("unused.toml", "");
    let run = with(&folder, "pg verify", &[("LASTGOOD_REPO", "/somewhere")]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("Usage: lastgood pg verify <KEY>") && !run.stderr.contains("--repo"), "{run:?}");
}

#[test]
fn the_nearest_file_is_read_and_path_names_it() {
    let folder = folder_with(".config/lastgood/config.toml", "repo = \"of-the-user\"");
    let path = |line: &str, variables: &[(&str, &str)]| with(&folder, line, variables).stdout.trim_end().to_owned();
    assert!(path("config path", &[]).ends_with("/.config/lastgood/config.toml"));
    assert!(run(folder.path(), "pg ls").stderr.contains("of-the-user"));
    write(folder.path(), "lastgood.toml", "repo = \"beside\"");
    assert_eq!(path("config path", &[]), "./lastgood.toml");
    assert!(run(folder.path(), "pg ls").stderr.contains("beside"));
    write(folder.path(), "other.toml", "repo = \"other\"");
    assert_eq!(path("config path --config-file other.toml", &[]), "other.toml");
    assert_eq!(path("config path", &[("LASTGOOD_CONFIG_FILE", "other.toml")]), "other.toml");
    let missing = run(folder.path(), "pg ls --config-file missing.toml");
    assert_eq!(missing.code, Some(2), "{missing:?}");
    let xdg = folder.path().join("xdg");
    write(&xdg, "lastgood/config.toml", "repo = \"x\"");
    fs::remove_file(folder.path().join("lastgood.toml")).expect("it is there");
    assert!(
        path("config path", &[("XDG_CONFIG_HOME", xdg.to_str().expect("UTF-8"))])
            .starts_with(xdg.to_str().expect("UTF-8"))
    );
}

#[test]
fn a_wrong_file_stops_everything_but_documentation() {
    let folder = folder_with("lastgood.toml", "[pg]\nexclude_table = [\"a\"]\n");
    for line in ["pg ls", "pg dump shop", "config show", "config check", "init", "pg restore shop"] {
        let refused = run(folder.path(), line);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{line}: {refused:?}");
        assert!(refused.stderr.contains("unknown setting `pg.exclude_table` (`./lastgood.toml:2`)"), "{refused:?}");
        assert!(refused.stderr.contains("did you mean `exclude-table`?"), "{refused:?}");
    }
    for line in ["version", "completions bash", "config path", "config schema"] {
        assert_eq!(run(folder.path(), line).code, Some(0), "{line}");
    }
}

#[test]
fn limits_of_bytes_are_settings_with_an_origin() {
    let text = "limit-upload = \"64KiB/s\"\nlimit-download = \"1MiB\"\n[profile.night]\nlimit-upload = \"0\"\n";
    let folder = folder_with("lastgood.toml", text);
    let origins = |line: &str, variables: &[(&str, &str)]| {
        let shown = with(&folder, line, variables);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        shown.stdout
    };
    let shown = origins("config show", &[]);
    assert!(shown.contains("limit-upload = \"64KiB\"") && shown.contains("limit-download = \"1MiB\""), "{shown}");
    assert!(origins("config show -P night", &[]).contains("limit-upload = \"0\""));
    let by_variable = origins("config show --origin", &[("LASTGOOD_LIMIT_UPLOAD", "2MiB")]);
    assert!(by_variable.contains("LASTGOOD_LIMIT_UPLOAD"), "{by_variable}");
    let by_option = origins("config show --origin --limit-upload 3MiB", &[("LASTGOOD_LIMIT_UPLOAD", "2MiB")]);
    assert!(by_option.contains("--limit-upload") && by_option.contains("3MiB"), "{by_option}");

    let folder = folder_with("lastgood.toml", "limit-upload = \"fast\"\n");
    let refused = run(folder.path(), "pg ls");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`limit-upload` is not a size per second"), "{refused:?}");
    assert!(refused.stderr.contains("limit-upload = \"10MiB\""), "{refused:?}");
}

#[test]
fn c18_a_file_others_can_write_is_refused() {
    let folder = folder_with("lastgood.toml", "repo = \"a\"");
    fs::set_permissions(folder.path().join("lastgood.toml"), fs::Permissions::from_mode(0o646)).expect("chmod");
    let refused = run(folder.path(), "pg ls");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("chmod go-w ./lastgood.toml"), "{refused:?}");
}

#[test]
fn c17_a_password_in_the_file_is_refused_and_not_repeated() {
    for url in ["postgres://app:hush-hush@db/shop", "postgres://app@db/shop?password=hush-hush"] {
        let folder = folder_with("lastgood.toml", &format!("[pg]\nurl = \"{url}\"\n"));
        for line in ["pg dump", "-vvv config show --origin", "config show --json"] {
            let refused = run(folder.path(), line);
            assert_eq!(refused.code, Some(2), "{line}: {refused:?}");
            assert!(!format!("{refused:?}").contains("hush"), "{refused:?}");
            assert!(refused.stderr.contains("`pg.url` holds a password"), "{refused:?}");
            assert!(refused.stderr.contains("PGPASSFILE") && refused.stderr.contains("LASTGOOD_PG_URL"), "{refused:?}");
        }
    }
}

#[test]
fn p11_a_guard_nobody_understands_lets_nothing_through() {
    let folder = folder_with("lastgood.toml", "[pg]\nprotected = [\"shop\"]\n");
    let refused = run(folder.path(), "pg restore shop");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    fs::remove_file(folder.path().join("lastgood.toml")).expect("it is there");
    let refused = with(&folder, "pg restore shop", &[("LASTGOOD_ALLOW_RESTORE", "fasle")]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("LASTGOOD_ALLOW_RESTORE is neither true nor false"), "{refused:?}");
}

#[test]
fn profiles_and_configurations_that_are_not_there_are_named() {
    let folder = folder_with("lastgood.toml", "[pg.configs.nightly]\njobs = 1\n[profile.staging]\nrepo = \"x\"\n");
    for (line, said) in [("pg ls -P stagin", "`staging`"), ("pg dump shop --config nigthly", "`nightly`")] {
        let refused = run(folder.path(), line);
        assert_eq!(refused.code, Some(2), "{line}: {refused:?}");
        assert!(refused.stderr.contains(said), "{line}: {refused:?}");
    }
}

#[test]
fn check_judges_all_of_the_file_and_does_nothing() {
    let folder =
        folder_with("lastgood.toml", "repo = \"a\"\n[pg.configs.nightly]\njobs = 1\n[profile.p]\nrepo = \"b\"\n");
    let good = run(folder.path(), "config check");
    assert_eq!(good.code, Some(0), "{good:?}");
    assert_eq!(good.stdout, "`./lastgood.toml` is valid: 1 profile (p), 1 configuration (nightly)\n");
    let json = run(folder.path(), "config check --json").json();
    assert_eq!((&json["path"], &json["profiles"][0]), (&"./lastgood.toml".into(), &"p".into()));
    assert!(!folder.path().join("a").exists() && !folder.path().join("b").exists());
    // Another profile's value, which no other command looks at.
    write(folder.path(), "lastgood.toml", "repo = \"a\"\n[profile.p.pg]\nprotected = [\n  \"shop\"]\n");
    assert_eq!(run(folder.path(), "config show").code, Some(0));
    let wrong = run(folder.path(), "config check");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    assert!(wrong.stderr.contains("`pg.protected` cannot be used (`./lastgood.toml:4`)\n  cause: "), "{wrong:?}");
    assert!(wrong.stderr.contains("`prod-*/shop`"), "{wrong:?}");
    fs::remove_file(folder.path().join("lastgood.toml")).expect("it is there");
    let none = run(folder.path(), "config check");
    assert_eq!(none.code, Some(0), "{none:?}");
    assert!(none.stderr.contains("there is no configuration file; looked for ./lastgood.toml"), "{none:?}");
}

#[test]
fn schema_describes_every_setting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = run(folder.path(), "config schema");
    assert_eq!(plain.code, Some(0), "{plain:?}");
    let schema: serde_json::Value = serde_json::from_str(&plain.stdout).expect("JSON");
    assert_eq!(schema, run(folder.path(), "config schema --json").json());
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let settings = schema["definitions"]["Pg"]["properties"].as_object().expect("settings");
    assert!(settings.values().all(|setting| setting["description"].is_string()), "{schema:#}");
}
