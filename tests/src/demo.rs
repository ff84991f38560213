//! The demo: a sample database is dumped, damaged and restored, and a damaged dump is refused.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tempfile::TempDir;

use crate::check;
use crate::printer::{note, say};
use crate::server::Server;
use crate::{Outcome, lastgood_binary};

const SAMPLE: &str = include_str!("demo/shop.sql");

/// What a customer of the shop would notice.
const LOOK: &str = include_str!("demo/look.sql");

const LOOK_FILE: &str = "look.sql";

/// What goes wrong on the bad day.
const DAMAGE: [&str; 4] = [
    "DROP TABLE items CASCADE",
    "DELETE FROM orders WHERE id % 3 = 0",
    "UPDATE customers SET email = id || '@lost'",
    "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
];

/// Exit code of lastgood for what is not what was written (docs/reference).
const INTEGRITY: i32 = 13;

/// Runs the demo; fails if anything is not as it says.
#[must_use]
pub fn main() -> ExitCode {
    match Demo::start().and_then(|demo| demo.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

struct Demo {
    server: Server,
    lastgood: PathBuf,
    folder: TempDir,
}

impl Demo {
    fn start() -> Outcome<Self> {
        let server = Server::start(&[], false)?;
        let folder = tempfile::Builder::new().prefix("lastgood-demo-").tempdir()?;
        Ok(Self { server, lastgood: lastgood_binary()?, folder })
    }

    fn run(&self) -> Outcome {
        title("Start a throwaway PostgreSQL server with a sample database");
        say(&format!("PostgreSQL {} runs in a temporary folder, which is deleted at the end", self.server.version()));
        self.server.sql("postgres", "CREATE DATABASE shop")?;
        self.server.sql("shop", SAMPLE)?;
        fs::write(self.folder.path().join(LOOK_FILE), LOOK)?;
        self.look()?;
        let before = check::fingerprint(&self.server, "shop")?;

        title("Dump the database in parallel, from one consistent snapshot, into ./.lastgood");
        self.lastgood(&["init"], 0)?;
        self.lastgood(&["pg", "dump", "shop"], 0)?;
        let key = self.only_dump()?;

        title("List and verify dumps");
        self.lastgood(&["pg", "ls"], 0)?;
        self.lastgood(&["pg", "show", "shop"], 0)?;
        self.lastgood(&["pg", "verify", "shop", "--read", "all"], 0)?;

        title("Damage the database");
        DAMAGE.iter().try_for_each(|statement| self.psql(["-c", statement]))?;
        self.look()?;

        title("Restore it: verify the dump, fill a temporary database, swap it in");
        self.lastgood(&["pg", "restore", "shop", "--dry-run"], 0)?;
        self.lastgood(&["pg", "restore", "shop", "--confirm-database", "shop"], 0)?;
        self.look()?;
        self.expect_same(&before, "the restored database")?;

        self.refuse_a_damaged_dump(&key)?;
        self.expect_same(&before, "the live database after the refusal")?;
        say("\nEverything was as expected.");
        Ok(())
    }

    /// A copy of the dump with one byte of its rows changed must restore nothing.
    fn refuse_a_damaged_dump(&self, key: &str) -> Outcome {
        title("Damage one byte of the stored dump: the restore refuses before it touches anything");
        let (dump, damaged) = (self.folder.path().join(".lastgood"), self.folder.path().join("damaged"));
        copy(&dump, &damaged)?;
        let pack = first_pack(&damaged).ok_or("the dump has no pack")?;
        let mut bytes = fs::read(&pack)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&pack, bytes)?;
        let shown = pack.strip_prefix(self.folder.path()).unwrap_or(&pack).display();
        say(&format!("one bit of byte {middle} of `{shown}` is flipped"));
        self.lastgood(&["pg", "verify", key, "--read", "all", "-r", "damaged"], INTEGRITY)?;
        self.lastgood(&["pg", "restore", key, "--confirm-database", "shop", "-r", "damaged"], INTEGRITY)
    }

    fn expect_same(&self, before: &str, whose: &str) -> Outcome {
        check::same(before, &check::fingerprint(&self.server, "shop")?, whose)?;
        let lines = before.lines().count();
        say(&format!(
            "compared: every row, index, constraint, sequence and large object is as before ({lines} checks)"
        ));
        Ok(())
    }

    /// Shows and runs `lastgood`; it must end with `code`.
    fn lastgood(&self, args: &[&str], code: i32) -> Outcome {
        say(&format!("\n$ lastgood {}", args.join(" ")));
        // One stream, so that what a reader sees stays in order wherever it goes.
        let status = self.command(args).stderr(io::stdout()).status()?;
        if code != 0 {
            say(&format!("(exit code {})", status.code().unwrap_or_default()));
        }
        if status.code() == Some(code) {
            return Ok(());
        }
        Err(format!("`lastgood {}` ended with {status}, not with exit code {code}", args.join(" ")).into())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.lastgood);
        command.args(args).current_dir(self.folder.path()).env_remove("LASTGOOD_REPO");
        self.server.point(&mut command);
        command
    }

    fn look(&self) -> Outcome {
        self.psql(["-f", LOOK_FILE])
    }

    /// Shows and runs `psql` on the shop.
    fn psql(&self, [option, argument]: [&str; 2]) -> Outcome {
        let quote = if option == "-c" { "\"" } else { "" };
        say(&format!("\n$ psql shop {option} {quote}{argument}{quote}"));
        let mut command = Command::new(self.server.program("psql"));
        command.args(["-X", "-v", "ON_ERROR_STOP=1", "-d", "shop", option, argument]).current_dir(self.folder.path());
        self.server.point(&mut command);
        let status = command.stderr(io::stdout()).status()?;
        if status.success() { Ok(()) } else { Err(format!("`psql` ended with {status}").into()) }
    }

    /// The key of the dump just made, as `ls` gives it to scripts.
    fn only_dump(&self) -> Outcome<String> {
        let listing = self.command(&["pg", "ls", "shop", "--json"]).output()?;
        check::newest_key(&String::from_utf8(listing.stdout)?)
            .ok_or_else(|| "`lastgood pg ls --json` names no dump".into())
    }
}

fn title(text: &str) {
    say(&format!("\n== {text}"));
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn first_pack(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let pack = entries.iter().find(|path| path.extension().is_some_and(|extension| extension == "pack"));
    pack.cloned().or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| first_pack(path)))
}
