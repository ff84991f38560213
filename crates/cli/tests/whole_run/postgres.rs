//! Runs against a throwaway server.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backup_testkit::postgres::Cluster;
use tempfile::TempDir;

use crate::binary::{Run, lastgood};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of its own and an empty folder.
struct Bench {
    database: &'static str,
    folder: TempDir,
}

impl Bench {
    fn new(database: &'static str) -> Self {
        let cluster = Cluster::shared();
        cluster.create_database(database).expect("a database");
        let fill = "CREATE TABLE items (id int PRIMARY KEY, name text); \
                    INSERT INTO items SELECT g, 'item ' || g FROM generate_series(1, 1000) g";
        cluster.psql(database, fill).expect("rows");
        let bench = Self { database, folder: tempfile::tempdir().expect("a temporary folder") };
        bench.ok("init -q");
        bench
    }

    fn command(&self, line: &str) -> Command {
        let mut command = lastgood(self.folder.path(), &line.replace("DB", self.database));
        command.envs(Cluster::shared().env()).env("LASTGOOD_PG_BIN", Cluster::shared().bin_dir());
        command
    }

    fn run(&self, line: &str) -> Run {
        self.command(line).output().expect("the binary starts").into()
    }

    /// A run that must end well, and its standard output.
    fn ok(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        run.stdout
    }

    fn rows(&self, database: &str) -> String {
        Cluster::shared().psql(database, "SELECT count(*) FROM items").expect("a count")
    }

    /// Starts a run that stops at `step`, and waits until it is there.
    fn paused(&self, line: &str, step: &str) -> Child {
        let file = self.folder.path().join("pause");
        let mut command = self.command(line);
        command.env("LASTGOOD_PAUSE_AT", step).env("LASTGOOD_PAUSE_FILE", &file);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        wait_for(&file);
        child
    }
}

fn wait_for(file: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < deadline, "the run never got there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("/bin/kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
}

/// Objects of dumps below the location; the marker and the hint are none.
fn stored(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join(".lastgood/pg")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path())
            } else {
                files.push(entry.path().display().to_string())
            }
        }
    }
    files
}

#[test]
fn a_dump_is_published_listed_shown_verified_and_restored() {
    let bench = Bench::new("cli_cycle");
    let plan = bench.ok("pg dump DB --config nightly -n");
    assert!(plan.contains("1 table") && plan.ends_with("Nothing was written (dry run)\n"), "{plan}");
    assert_eq!(stored(bench.folder.path()), Vec::<String>::new(), "a dry run writes nothing");

    let published = bench.ok("pg dump DB --config nightly");
    assert!(published.starts_with("Published `cli_cycle/") && published.contains(".nightly.dump`"), "{published}");
    assert!(published.contains(" 1 table, 1,000 rows"), "{published}");
    assert_eq!(bench.ok("pg ls --only-db-names"), "cli_cycle\n");
    let listed = bench.ok("pg ls DB");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let key = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).expect("a key").to_owned();
    assert!(bench.ok(&format!("pg show {key}")).contains("public.items"), "shown");
    assert!(bench.ok(&format!("pg verify {key} --read all")).starts_with("ok  "), "verified");

    Cluster::shared().psql("cli_cycle", "DELETE FROM items").expect("damage");
    let plan = bench.ok("pg restore DB -n");
    assert!(plan.contains("replacing") && plan.ends_with("Nothing was changed (dry run)\n"), "{plan}");
    assert_eq!(bench.rows("cli_cycle"), "0");
    let restored = bench.ok("pg restore DB --confirm-database DB");
    assert!(restored.starts_with("Restored `cli_cycle/") && restored.contains("; swapped in "), "{restored}");
    assert_eq!(bench.rows("cli_cycle"), "1000");
    bench.ok(&format!("pg restore {key} --into cli_cycle_copy"));
    assert_eq!(bench.rows("cli_cycle_copy"), "1000");
}

#[test]
fn x1_every_result_is_one_json_document() {
    let bench = Bench::new("cli_json");
    let json = |line: &str| -> serde_json::Value {
        let run = bench.run(line);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{line}: {run:?}");
        run.json()
    };
    assert_eq!(json("--json init")["atomic"], true);
    assert_eq!(json("--json pg dump DB -n")["tables"], 1);
    let key = json("--json pg dump DB")["key"].as_str().expect("a key").to_owned();
    assert_eq!(json("--json pg ls")[0]["key"], key.as_str());
    assert_eq!(json("--json pg ls --only-db-names"), serde_json::json!(["cli_json"]));
    assert_eq!(json("--json pg show DB")["key"], key.as_str());
    assert_eq!(json("--json pg verify DB --read all")["damage_count"], 0);
    assert_eq!(json("--json pg restore DB -n")["target"], "cli_json");
    assert_eq!(json("--json pg restore DB --confirm-database DB")["replaced"], true);
    assert_eq!(json("--json pg recover")["actions"], serde_json::json!([]));
    assert_eq!(json("--json pg prune --keep-last 1 -n")["dumps"][0]["action"], "keep");
    assert_eq!(json("--json pg prune --keep-last 1")["removed"], serde_json::json!([]));
    assert!(json("--json doctor")["checks"].as_array().is_some_and(|checks| checks.len() > 3));
}

#[test]
fn x3_a_live_database_is_not_replaced_without_its_name() {
    let bench = Bench::new("cli_confirm");
    bench.ok("pg dump DB");
    Cluster::shared().psql("cli_confirm", "DELETE FROM items WHERE id > 1").expect("a change");
    for line in ["pg restore DB", "pg restore DB --yes", "pg restore DB --confirm-database other"] {
        let begun = Instant::now();
        let refused = bench.run(line);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(15), ""), "{line}: {refused:?}");
        assert!(refused.stderr.contains("--confirm-database cli_confirm"), "{refused:?}");
        assert!(begun.elapsed() < PATIENCE / 4, "it waited for somebody");
    }
    assert_eq!(bench.rows("cli_confirm"), "1");
}

#[test]
fn x3_dumps_are_not_deleted_without_a_yes() {
    let bench = Bench::new("cli_prune");
    bench.ok("pg dump DB");
    bench.ok("pg dump DB");
    let refused = bench.run("pg prune DB --keep-last 1");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(15), ""), "{refused:?}");
    let plan = bench.ok("pg prune DB --keep-last 1 -n");
    assert!(plan.contains("Would delete 1 of 2 dumps") && plan.ends_with("Nothing was changed (dry run)\n"), "{plan}");
    assert_eq!(bench.ok("pg ls DB").lines().count(), 3);
    assert!(bench.ok("pg prune DB --keep-last 1 --yes").starts_with("Deleted 1 dump ("));
    assert_eq!(bench.ok("pg ls DB").lines().count(), 2);
    assert_eq!(bench.ok("pg prune DB --keep-last 1"), "Nothing to prune\n");
}

#[test]
fn c16_a_signal_is_answered_by_clearing_up() {
    let bench = Bench::new("cli_signal");
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let child = bench.paused("pg dump DB", "dump.manifest");
        assert!(!stored(bench.folder.path()).is_empty(), "something was stored already");
        signal(&child, name);
        let ended: Run = child.wait_with_output().expect("it ends").into();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.stderr.contains("error[pg::interrupted]"), "{ended:?}");
        assert_eq!(stored(bench.folder.path()), Vec::<String>::new(), "nothing is left");
        fs::remove_file(bench.folder.path().join("pause")).expect("the pause's file");
    }
    assert_eq!(bench.ok("pg ls DB"), "");
}

#[test]
fn c2_a_run_killed_before_the_manifest_leaves_nothing_that_looks_like_a_dump() {
    let bench = Bench::new("cli_kill");
    let output = bench.command("pg dump DB").env("LASTGOOD_CRASH_AT", "dump.manifest").output().expect("it starts");
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    assert!(!stored(bench.folder.path()).is_empty());
    assert_eq!(bench.ok("pg ls DB"), "");
    assert_eq!(bench.run("pg restore DB --into cli_kill_copy").code, Some(1));
    let plan = bench.ok("pg prune --incomplete --grace 0s -n");
    assert!(plan.contains("is a leftover of an interrupted dump"), "{plan}");
    bench.ok("pg prune --incomplete --grace 0s");
    assert!(!stored(bench.folder.path()).iter().any(|file| file.contains("pack")), "{:?}", stored(bench.folder.path()));
    bench.ok("pg dump DB");
    assert_eq!(bench.ok("pg ls DB").lines().count(), 2);
}

#[test]
fn progress_events_are_json_lines_on_request() {
    let bench = Bench::new("cli_progress");
    let mut command = bench.command("pg dump DB");
    let run: Run = command.env("LASTGOOD_PROGRESS", "json").output().expect("the binary starts").into();
    let events: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert!(events.iter().any(|event| event["event"] == "step" && event["name"] == "dump.manifest"), "{events:?}");
    assert!(run.stdout.starts_with("Published "), "{run:?}");
}
