//! Runs that need no server.

use std::fs;

use tempfile::TempDir;

use crate::binary::{Run, lastgood, run};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A location somebody dumped into before.
fn initialized() -> TempDir {
    let folder = folder();
    let made = run(folder.path(), "init -q");
    assert_eq!(made.code, Some(0), "{made:?}");
    folder
}

#[test]
fn help_is_data_and_a_wrong_command_is_not() {
    let folder = folder();
    let help = run(folder.path(), "--help");
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("Usage: lastgood [OPTIONS] <COMMAND>"), "{help:?}");
    assert_eq!(help.stderr, "");
    for command in
        ["pg dump", "pg ls", "pg show", "pg verify", "pg restore", "pg recover", "pg prune", "init", "doctor"]
    {
        let help = run(folder.path(), &format!("{command} --help"));
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{command}");
        assert!(help.stdout.contains("--json") && help.stdout.contains("--help-all"), "{command}");
        let all = run(folder.path(), &format!("{command} --help-all"));
        assert!(all.stdout.contains("--repo <LOCATION>"), "{command}");
    }
    for command in ["pg dump", "pg restore", "pg recover", "pg prune"] {
        assert!(run(folder.path(), &format!("{command} --help")).stdout.contains("-n, --dry-run"), "{command}");
    }
    let wrong = run(folder.path(), "pg frobnicate");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("unrecognized subcommand 'frobnicate'"), "{wrong:?}");
}

#[test]
fn a_wrong_command_is_a_json_line_with_json() {
    let wrong = run(folder().path(), "--json pg frobnicate");
    let error: serde_json::Value = serde_json::from_str(&wrong.stderr).expect("one JSON line");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert_eq!((&error["event"], &error["exit"]), (&"exit_error".into(), &2.into()));
}

#[test]
fn completions_name_the_commands_of_every_shell() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(folder.path(), &format!("completions {shell}"));
        assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(script.stdout.contains("exclude-table-data"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = folder();
    let written = run(folder.path(), "man --out man");
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""), "{written:?}");
    for page in ["lastgood.1", "lastgood-pg.1", "lastgood-pg-restore.1", "lastgood-doctor.1"] {
        let text = fs::read_to_string(folder.path().join("man").join(page)).expect(page);
        assert!(text.contains(".TH lastgood"), "{page}");
    }
}

#[test]
fn the_reference_has_every_option_variable_and_code() {
    let folder = folder();
    let mut command = lastgood(folder.path(), "reference --out reference");
    command.env("LASTGOOD_PG_BIN", "/somewhere/of/this/machine");
    let written: Run = command.output().expect("the binary starts").into();
    assert_eq!(written.code, Some(0), "{written:?}");
    let page = |name: &str| fs::read_to_string(folder.path().join("reference").join(name)).expect(name);
    assert!(page("cli.md").contains("## `lastgood pg restore`") && page("cli.md").contains("--confirm-database"));
    assert!(!page("cli.md").contains("/somewhere/of/this/machine"));
    assert!(page("env.md").contains("| `LASTGOOD_REPO` |"));
    assert!(page("exit-codes.md").contains("| 143 |"));
}

#[test]
fn x2_a_reader_that_goes_away_is_no_failure() {
    let folder = folder();
    for line in ["completions bash", "--help", "version", "version --json"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        // Nobody reads from the beginning, so that the first write fails.
        drop(reader);
        let output = lastgood(folder.path(), line).stdout(writer).output().expect("the binary starts");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}: {output:?}");
    }
}

#[test]
fn c17_a_password_on_the_command_line_is_refused_and_not_repeated() {
    let folder = folder();
    for line in [
        "pg dump postgres://app:hush-hush@db/shop",
        "pg dump postgres://app@db/shop?password=hush-hush",
        "pg dump host=db\u{a0}password=hush-hush",
        "pg ls postgresql://app:hush-hush@db/shop",
        "pg restore postgres://app:hush-hush@db/shop",
        "pg prune postgres://app:hush-hush@db/shop --keep-last 1 --json",
        "doctor postgres://app:hush-hush@db/shop",
        "pg postgres://app:hush-hush@db/shop",
        "-vvv pg dump shop postgres://app:hush-hush@db/shop",
    ] {
        // A connection string has a space in it, which the line cannot have.
        let arguments: Vec<String> = line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
        let refused: Run = lastgood(folder.path(), "").args(arguments).output().expect("the binary starts").into();
        assert!(matches!(refused.code, Some(1 | 2)), "{line}: {refused:?}");
        assert!(!format!("{refused:?}").contains("hush-hush"), "{line}: {refused:?}");
    }
    let refused = run(folder.path(), "pg dump postgres://app:hush-hush@db/shop");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.starts_with("error[pg::usage]: "), "{refused:?}");
    assert!(refused.stderr.contains("PGPASSFILE") && refused.stderr.contains("LASTGOOD_PG_URL"), "{refused:?}");
}

#[test]
fn c17_a_password_of_the_environment_is_in_no_log_and_no_error() {
    let folder = initialized();
    let mut command = lastgood(folder.path(), "-vvv pg dump shop");
    command.env("LASTGOOD_PG_URL", "postgres://app:hush%2Dhush@localhost:1/shop").env("LASTGOOD_LOG", "trace");
    let failed: Run = command.output().expect("the binary starts").into();
    assert_eq!(failed.code, Some(21), "{failed:?}");
    assert!(!format!("{failed:?}").contains("hush"), "{failed:?}");
}

#[test]
fn without_a_repository_reading_ends_in_10() {
    let folder = folder();
    for line in ["pg ls", "pg show shop", "pg verify shop", "pg prune --keep-last 1", "pg restore shop"] {
        let failed = run(folder.path(), line);
        assert_eq!((failed.code, failed.stdout.as_str()), (Some(10), ""), "{line}: {failed:?}");
        assert!(failed.stderr.contains("error[store::no_location]: there is no folder `./.lastgood`"), "{failed:?}");
        assert!(failed.stderr.contains("`lastgood init -r ./.lastgood`"), "{failed:?}");
    }
    assert!(!folder.path().join(".lastgood").exists(), "reading creates nothing");
    let failed = run(folder.path(), "pg ls --json");
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).expect("one JSON line");
    assert_eq!((&error["event"], &error["exit"]), (&"exit_error".into(), &10.into()));
}

#[test]
fn r1_prune_without_a_rule_ends_in_14() {
    let folder = initialized();
    for line in ["pg prune shop", "pg prune shop --yes", "pg prune -n", "pg prune shop --keep-daily 0"] {
        let refused = run(folder.path(), line);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(14), ""), "{line}: {refused:?}");
        assert!(refused.stderr.contains("--keep-daily 7"), "{refused:?}");
    }
    let refused = run(folder.path(), "pg prune shop --keep-within soon");
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn r2_an_empty_repository_has_nothing_to_list_or_prune() {
    let folder = initialized();
    let listed = run(folder.path(), "pg ls");
    assert_eq!((listed.code, listed.stdout.as_str()), (Some(0), ""));
    assert!(listed.stderr.contains("no dumps in"), "{listed:?}");
    let listed = run(folder.path(), "pg ls --json");
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    assert_eq!(listed.json(), serde_json::json!([]));
    let pruned = run(folder.path(), "pg prune --keep-last 3");
    assert_eq!((pruned.code, pruned.stdout.trim_end()), (Some(0), "Nothing to prune"), "{pruned:?}");
}

#[test]
fn c8_a_location_of_a_newer_version_ends_in_16() {
    let folder = initialized();
    fs::write(folder.path().join(".lastgood/lastgood.json"), r#"{"format":2,"created_at":"2030-01-01T00:00:00Z"}"#)
        .expect("the marker");
    let refused = run(folder.path(), "pg ls");
    assert_eq!(refused.code, Some(16), "{refused:?}");
    assert!(refused.stderr.contains("upgrade lastgood"), "{refused:?}");
}

#[test]
fn c18_a_folder_others_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    let folder = initialized();
    let repository = folder.path().join(".lastgood");
    assert_eq!(fs::metadata(&repository).expect("it is there").permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&repository, fs::Permissions::from_mode(0o755)).expect("chmod");
    let warned = run(folder.path(), "pg ls");
    assert_eq!(warned.code, Some(0));
    assert!(warned.stderr.contains("chmod 700"), "{warned:?}");
    // What is no location is not to be closed, and no location can be made of it.
    for slip in ["/dev/null", "/"] {
        let refused = run(folder.path(), &format!("init -r {slip}"));
        assert!(!refused.stderr.contains("chmod") && !refused.stderr.contains("lastgood init"), "{refused:?}");
        assert_eq!(refused.code, Some(10), "{refused:?}");
    }
}

#[test]
fn the_environment_can_name_the_location_and_an_option_wins() {
    let folder = folder();
    let with_variable = |line: &str| {
        let run: Run = lastgood(folder.path(), line).env("LASTGOOD_REPO", "from-env").output().expect("starts").into();
        run
    };
    assert!(with_variable("pg ls").stderr.contains("`from-env`"));
    assert!(with_variable("pg ls -r from-option").stderr.contains("`from-option`"));
    let refused = with_variable("pg ls -r s3://key:secret@bucket/x");
    assert_eq!(refused.code, Some(2));
    assert!(!refused.stderr.contains("secret@"), "{refused:?}");
}

#[test]
fn a_wrong_duration_or_choice_is_told_with_its_option_and_what_to_write() {
    let folder = folder();
    for (line, option, help) in [
        ("pg dump shop --lock-timeout 30", "'30' for '--lock-timeout <TIME>'", "write 30s or 30m"),
        ("pg dump shop --hook-timeout=-5m", "'-5m' for '--hook-timeout <TIME>'", "cannot be negative"),
        ("pg prune --keep-within soon", "'soon' for '--keep-within <TIME>'", "such as `30s`"),
        ("pg prune --logarithmic 1d", "'1d' for '--logarithmic <BASE,RATIO>'", "`1d,0.5`"),
        ("pg verify shop --read some", "'some' for '--read <all|n/t>'", "`1/7`"),
        ("pg restore shop --excluded hide", "'hide' for '--excluded <WHAT>'", "keep-empty, drop"),
        ("app lifecycle x --print --expire-after 36h", "'36h' for '--expire-after <TIME>'", "`30d`"),
        ("dict watch x --exec y --every 0s", "'0s' for '--every <TIME>'", "above zero"),
        ("dict restore x --at yesterday", "'yesterday' for '--at <TIME>'", "time zone"),
    ] {
        let refused = run(folder.path(), line);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{line}: {refused:?}");
        assert!(refused.stderr.contains(&format!("invalid value {option}")), "{line}: {refused:?}");
        assert!(refused.stderr.contains(help), "{line}: {refused:?}");
    }
    let json = run(folder.path(), "pg dump shop --lock-timeout 30 --json");
    let error: serde_json::Value = serde_json::from_str(&json.stderr).expect("one JSON line");
    assert_eq!((&error["code"], &error["exit"]), (&"cli::usage".into(), &2.into()), "{json:?}");
}

#[test]
fn a_log_shows_the_steps_of_every_crate_and_nothing_unasked() {
    let folder = folder();
    let records = folder.path().join("records");
    fs::create_dir(&records).expect("a folder");
    fs::write(records.join("User--users.json"), "{\"id\": 1}\n").expect("a file");
    let silent = run(folder.path(), "app backup --source ndjson:records --init");
    assert!(silent.code == Some(0) && !silent.stderr.contains("app.published"), "{silent:?}");
    let logged = run(folder.path(), "-v app backup --source ndjson:records");
    assert_eq!(logged.code, Some(0), "{logged:?}");
    assert!(logged.stderr.contains("INFO app.backup: lastgood::step: app.published detail="), "{logged:?}");
    let by = |variables: &[(&str, &str)]| -> Run {
        let mut command = lastgood(folder.path(), "app backup --source ndjson:records");
        command.envs(variables.iter().copied()).output().expect("the binary starts").into()
    };
    assert!(by(&[("RUST_LOG", "info")]).stderr.contains("app.published"));
    assert!(!by(&[("RUST_LOG", "info"), ("LASTGOOD_LOG", "off")]).stderr.contains("app.published"));
}

#[test]
fn doctor_names_what_to_mend() {
    let folder = folder();
    let ill = run(folder.path(), "doctor --json");
    assert_eq!(ill.code, Some(1));
    let findings = ill.json();
    assert_eq!(findings["checks"][0]["state"], "fail", "{findings}");
    assert!(ill.stderr.contains(r#""code":"cli::unhealthy""#), "{ill:?}");

    let folder = initialized();
    let mut command = lastgood(folder.path(), "doctor");
    command.env_remove("PGHOST");
    let well: Run = command.output().expect("the binary starts").into();
    assert_eq!(well.code, Some(0), "{well:?}");
    assert!(well.stdout.lines().all(|line| line.starts_with("ok")), "{well:?}");
}

#[test]
fn an_unknown_way_of_progress_is_a_usage_error() {
    let refused: Run =
        lastgood(folder().path(), "version").env("LASTGOOD_PROGRESS", "often").output().expect("starts").into();
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("`auto`, `never` or `json`"), "{refused:?}");
}

#[test]
fn version_is_one_line_or_one_document() {
    let folder = folder();
    assert!(run(folder.path(), "version").stdout.starts_with(concat!("lastgood ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(run(folder.path(), "version --json").json()["version"], env!("CARGO_PKG_VERSION"));
}
