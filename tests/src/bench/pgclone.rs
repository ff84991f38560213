//! django-pgclone beside lastgood, on one server: what both do, and what became of the data where things go wrong.

mod cases;
mod peer;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use super::context::{Context, text};
use super::data;
use super::machine;
use crate::Outcome;
use crate::printer::say;
use crate::server::Server;
use peer::Peer;

/// What one side did with one case.
#[derive(Clone, Debug)]
struct Seen {
    /// In words: exit code, what is there now.
    words: String,
    /// Whether that is what its user needed.
    good: bool,
}

/// One line of the table.
#[derive(Clone, Debug)]
struct Line {
    what: &'static str,
    peer: Seen,
    ours: Seen,
}

/// Both sides with a server between them.
struct Arena {
    context: Context,
    peer: Peer,
}

/// Runs every case and prints the table; fails if lastgood fails one.
pub(crate) fn run(python: &str, scale: f64, write: Option<&PathBuf>) -> Outcome {
    let context = Context {
        server: Server::start(&[], true)?,
        lastgood: crate::lastgood_binary()?,
        work: tempfile::Builder::new().prefix("lastgood-pgclone-").tempdir()?,
        scale,
        rounds: 1,
        jobs: None,
        runtime: super::runtime()?,
    };
    let version = Command::new(&context.lastgood).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    data::shop(&context.server, scale)?;
    let peer = Peer::set_up(python, &context)?;
    let about = format!(
        "{}- peer: django-pgclone {}\n",
        machine::description(&super::about(&context.server, &version)),
        peer.version
    );
    let arena = Arena { context, peer };
    Ran::of(arena.ours(&["init"]))?.must()?;
    let mut lines = Vec::new();
    for (what, case) in cases::ALL {
        say(what);
        let [peer, ours] = case(&arena).map_err(|error| format!("{what}: {error}"))?;
        for (who, seen) in [("django-pgclone", &peer), ("lastgood", &ours)] {
            say(&format!("  {who:<15} {:<5} {}", if seen.good { "good" } else { "BAD" }, seen.words));
        }
        lines.push(Line { what, peer, ours });
    }
    let page = format!("{}\n{about}\n{}", include_str!("pgclone/page.md"), table(&lines));
    say(&format!("\n{}", table(&lines)));
    if let Some(file) = write {
        std::fs::write(file, page)?;
        say(&format!("wrote `{}`", file.display()));
    }
    let bad = lines.iter().filter(|line| !line.ours.good).count();
    if bad > 0 { Err(format!("lastgood failed {bad} of {} cases", lines.len()).into()) } else { Ok(()) }
}

fn table(lines: &[Line]) -> String {
    let mut text = String::from("| case | django-pgclone | lastgood |\n|---|---|---|\n");
    for line in lines {
        let cell = |seen: &Seen| {
            format!("{}{}", if seen.good { "" } else { "**" }, seen.words.replace('|', "\\|"))
                + if seen.good { "" } else { "**" }
        };
        text.push_str(&format!("| {} | {} | {} |\n", line.what, cell(&line.peer), cell(&line.ours)));
    }
    text
}

/// A program's end, with the time it took.
struct Ran {
    output: Output,
    seconds: f64,
}

impl Ran {
    fn of(mut command: Command) -> Outcome<Self> {
        let begin = Instant::now();
        let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(Self { output, seconds: begin.elapsed().as_secs_f64() })
    }

    fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    fn succeeded(&self) -> bool {
        self.output.status.success()
    }

    /// Its end as the table says it.
    fn ended(&self) -> String {
        format!("exit {}", self.code())
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// An error with everything it printed, unless it succeeded.
    fn must(self) -> Outcome<Self> {
        if self.succeeded() {
            return Ok(self);
        }
        let said = String::from_utf8_lossy(&self.output.stderr).into_owned();
        Err(format!("it should succeed and ended with {}: {said}", self.output.status).into())
    }
}

impl Arena {
    /// `lastgood` with its own location.
    fn ours(&self, args: &[&str]) -> Command {
        let mut command = self.context.lastgood(args);
        command.arg("-r").arg(text(&self.context.path("ours")));
        command
    }

    /// A new database with 1,000 accounts.
    fn fresh(&self, database: &str) -> Outcome {
        self.context.server.sql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        self.context.server.sql("postgres", &format!("CREATE DATABASE {database}"))?;
        self.context.server.sql(
            database,
            "CREATE TABLE accounts AS SELECT g AS id, repeat(md5(g::text), 40) AS note FROM generate_series(1, 1000) g",
        )?;
        Ok(())
    }

    /// 500 accounts more, which no dump has.
    fn grow(&self, database: &str) -> Outcome {
        self.context.server.sql(database, "INSERT INTO accounts SELECT g, 'new' FROM generate_series(1001, 1500) g")?;
        Ok(())
    }

    /// The number the server gave `database`, which a rename leaves and a copy has not.
    fn number(&self, database: &str) -> Outcome<String> {
        self.context.server.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{database}'"))
    }

    /// How many accounts `database` has; none if it or its table is gone.
    fn accounts(&self, database: &str) -> Option<u64> {
        self.context.server.sql(database, "SELECT count(*) FROM accounts").ok()?.trim().parse().ok()
    }
}

/// What is left, in words.
fn left(accounts: Option<u64>) -> String {
    accounts.map_or("the live data is GONE".to_owned(), |count| format!("the live database has {count} accounts"))
}
