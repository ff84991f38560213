//! N-terminal: names that would steer a terminal, through every command: shown, never sent.

use std::process::{Command, Stdio};

use backup_testkit::postgres::quote_identifier;

use crate::harness::{Failure, Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Sets the window's title, returns to the line's beginning, colours by a single control character, turns the writing around.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\r\u{9b}31m\u{202e}evil";

/// Runs a command line on a terminal of its own, answers `no`, and prints all that the terminal was sent.
const ON_A_TERMINAL: &str = "import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b''
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    said += piece
    if b'to continue:' in said and b'answered' not in said:
        os.write(terminal, b'no\\n')
        said += b'answered'
os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
";

/// Whether a terminal would do something else with the character than to show it.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

pub(crate) fn shown(output: Output) -> RowResult<Output> {
    match output.stdout.chars().chain(output.stderr.chars()).find(|c| is_obeyed(*c)) {
        None => Ok(output),
        Some(sent) => Err(output.fault(&format!("it should send no {sent:?} to a terminal"))),
    }
}

/// N-terminal.
pub(super) async fn hostile_names(world: &World) -> RowResult {
    let database = format!("{}{HOSTILE}", world.name("d"));
    let (role, copy) = (format!("{}{HOSTILE}", world.name("r")), format!("{}{HOSTILE}", world.name("c")));
    let [quoted_database, quoted_role, hostile] = [&*database, &*role, HOSTILE].map(quote_identifier);
    world.psql("postgres", &format!("CREATE ROLE {quoted_role}"))?;
    world.psql("postgres", &format!("CREATE DATABASE {quoted_database} TEMPLATE template0"))?;
    world.psql(
        &database,
        &format!(
            "CREATE SCHEMA {hostile}; CREATE TABLE {hostile}.{hostile} ({hostile} integer PRIMARY KEY); \
             CREATE TABLE plain AS SELECT 1 AS id; ALTER TABLE {hostile}.{hostile} OWNER TO {quoted_role}; \
             INSERT INTO {hostile}.{hostile} VALUES (1)"
        ),
    )?;
    let ended = cycle(world, &database, &role, &copy).await;
    world.clear_server()?;
    world.psql("postgres", &format!("DROP ROLE {quoted_role}"))?;
    ended
}

async fn cycle(world: &World, database: &str, role: &str, copy: &str) -> RowResult {
    let hook = format!("printf '{HOSTILE}'; true '{HOSTILE}'");
    let table = format!("{0}.{0}", quote_identifier(HOSTILE));
    let run = async |arguments: &[&str]| run(world, arguments).await;
    run(&["pg", "dump", "-n", "--pre-dump-hook", &hook, "--exclude-table-data", &table, database])
        .await?
        .expect_code(0)?;
    run(&["pg", "dump", "--tag", HOSTILE, database]).await?;
    let dumped = run(&["pg", "dump", "--pre-dump-hook", &hook, database]).await?.expect_code(0)?;
    dumped.says("\\u{202e}evil")?;
    // Programs get the very name.
    let listed = world.lastgood(["pg", "ls", "--json"]).ok().await?.json()?;
    let newest = listed.as_array().and_then(|listed| listed.last()).cloned().unwrap_or_default();
    ensure_eq!(newest["database"].as_str(), Some(database), "the name as JSON has it");
    let key = newest["key"].as_str().unwrap_or_default().to_owned();

    for command in [
        &["pg", "ls"][..],
        &["pg", "ls", database],
        &["pg", "ls", "--only-db-names"],
        &["pg", "ls", "--local"],
        &["pg", "show", &key],
        &["pg", "verify", &key, "--read", "all"],
        &["pg", "restore", &key, "-n"],
        &["pg", "restore", &key, "-n", "--table", &table, "--pre-swap-hook", &hook],
        &["pg", "restore", &key, "--into", copy, "--post-swap-hook", &hook],
        &["pg", "copy", database, "spare", "-n"],
        &["pg", "copy", database, "spare"],
        &["pg", "drop-local", "spare", "-n"],
        &["pg", "drop-local", "spare", "--yes"],
        &["pg", "recover"],
        &["pg", "hooks", "test", database, "--pre-swap-hook", &hook],
        &["pg", "prune", database, "--keep-last", "1", "-n"],
        &["pg", "prune", database, "--keep-last", "1", "--yes"],
        &["doctor", database],
    ] {
        run(command).await?.expect_code(0)?;
    }
    run(&["pg", "restore", &key, "-n", "--data-only", "--replace-rows"]).await?;
    run(&["config", "show", "--config", HOSTILE]).await?;
    refusals(world, database, role, copy, &key, &hook, &table).await?;
    on_a_terminal(world, &key)
}

/// Runs a command, and looks at what it shows.
async fn run(world: &World, arguments: &[&str]) -> RowResult<Output> {
    shown(world.lastgood(arguments.iter().copied()).run().await?)
}

/// What fails, with hostile arguments.
async fn refusals(
    world: &World,
    database: &str,
    role: &str,
    copy: &str,
    key: &str,
    hook: &str,
    table: &str,
) -> RowResult {
    for command in [
        &["pg", "restore", key][..],
        &["pg", "restore", key, "--confirm-database", HOSTILE],
        &["pg", "restore", key, "--into", copy, "--post-swap-hook", &format!("{hook}; false")],
        &["pg", "drop-local", copy],
        &["pg", "show", &format!("{HOSTILE}/none")],
        &["pg", "verify", HOSTILE],
        &["pg", "dump", HOSTILE],
        &["pg", "dump", database, "--pre-dump-sql", HOSTILE],
        &["pg", "restore", key, "--carry-over", table, "--table", HOSTILE],
        &["pg", "dump", database, "-U", role],
        &["pg", HOSTILE],
        &["pg", "ls", &format!("--{HOSTILE}")],
        &["-r", HOSTILE, "pg", "ls"],
        &["app", "show", HOSTILE],
        &["app", "backup", "--source", &format!("ndjson:{HOSTILE}")],
        &["app", "backup", "--source", "ndjson:records", "--name", HOSTILE],
        &["dict", "show", HOSTILE],
        &["dict", "diff", HOSTILE, HOSTILE],
        &["dict", "restore", "--to", &format!("{HOSTILE}/x")],
        &["glacier", "ls", HOSTILE],
        &["--config-file", HOSTILE, "config", "check"],
    ] {
        let failed = run(world, command).await?;
        ensure!(failed.code() != Some(0), "`{}` should fail", failed.line);
    }
    Ok(())
}

/// The plan that somebody reads before the name is typed.
fn on_a_terminal(world: &World, key: &str) -> RowResult {
    let mut command = Command::new("python3");
    command.args(["-c", ON_A_TERMINAL]).arg(world.lastgood_binary()).args(["pg", "restore", key]);
    command
        .env_clear()
        .envs(world.environment())
        .env("LASTGOOD_PROGRESS", "never")
        .env("NO_COLOR", "1")
        .env("TERM", "xterm");
    let output = command.current_dir(world.folder()).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        said.contains("Type the database name"),
        "nobody was asked: {said:?} {:?}",
        String::from_utf8_lossy(&output.stderr)
    );
    for sent in ["\u{1b}]0;", "\u{9b}", "\u{202e}", "\r\u{9b}"] {
        ensure!(!said.contains(sent), "the terminal was sent {sent:?}: {said:?}");
    }
    if !said.contains("\\u{1b}]0;owned") {
        return Err(Failure::new(format!("the plan does not show the name: {said:?}")));
    }
    Ok(())
}
