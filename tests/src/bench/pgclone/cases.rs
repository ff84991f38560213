//! The cases. Each gives what was seen of django-pgclone and of lastgood.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::super::context::{SHOP, text};
use super::{Arena, Ran, Seen, left};
use crate::Outcome;

type Case = fn(&Arena) -> Outcome<[Seen; 2]>;

/// All of them, in the order of the table.
pub(super) const ALL: [(&str, Case); 9] = [
    ("dump", dump),
    ("list", list),
    ("restore over the live database", restore),
    ("reversible restore, and back", reversible),
    ("restore of a dump cut at 60 %", truncated),
    ("restore of a dump that is not there", missing),
    ("`pg_dump` fails", failing_dump),
    ("password with `/` and a space", password),
    ("database name of 63 bytes", long_name),
];

fn dump(arena: &Arena) -> Outcome<[Seen; 2]> {
    let peer = Ran::of(arena.peer.pgclone(SHOP, &["dump"]))?.must()?;
    let ours = Ran::of(arena.ours(&["pg", "dump", SHOP]))?.must()?;
    Ok([timed(&peer), timed(&ours)])
}

/// The line each prints of the dump.
fn list(arena: &Arena) -> Outcome<[Seen; 2]> {
    let peer = Ran::of(arena.peer.pgclone(SHOP, &["ls"]))?.must()?;
    let ours = Ran::of(arena.ours(&["pg", "ls", SHOP]))?.must()?;
    let seen = |ran: &Ran| {
        let stdout = ran.stdout();
        let lines: Vec<_> = stdout.lines().filter(|line| line.contains(".dump")).collect();
        let words = lines.iter().map(|line| format!("`{}`", line.split_whitespace().collect::<Vec<_>>().join(" ")));
        Seen { words: words.collect::<Vec<_>>().join(", "), good: lines.len() == 1 }
    };
    Ok([seen(&peer), seen(&ours)])
}

fn restore(arena: &Arena) -> Outcome<[Seen; 2]> {
    let before = fingerprint(arena)?;
    let ours = Ran::of(arena.ours(&["pg", "restore", SHOP, "--confirm-database", SHOP]))?.must()?;
    let after_ours = fingerprint(arena)?;
    let key = newest(arena, SHOP)?;
    let peer = Ran::of(arena.peer.pgclone(SHOP, &["restore", &key]))?.must()?;
    let after_peer = fingerprint(arena)?;
    let seen = |ran: &Ran, same: bool| Seen {
        words: format!(
            "{}, {}",
            timed(ran).words,
            if same { "equal to the source" } else { "differs from the source" }
        ),
        good: same,
    };
    Ok([seen(&peer, before == after_peer), seen(&ours, before == after_ours)])
}

fn reversible(arena: &Arena) -> Outcome<[Seen; 2]> {
    let mut seen = Vec::new();
    for database in ["back_theirs", "back_ours"] {
        arena.fresh(database)?;
        let is_peer = database == "back_theirs";
        let run = |args: &[&str]| {
            if is_peer {
                return Ran::of(arena.peer.pgclone(database, args))?.must();
            }
            let mut command = arena.ours(&["pg"]);
            command.args(args);
            if args[0] == "restore" {
                command.args(["--confirm-database", database]);
            }
            Ran::of(command)?.must()
        };
        let restore = |what: &str| {
            if is_peer { run(&["restore", what]) } else { run(&["restore", what, "--into", database]) }
        };
        if is_peer { run(&["dump"]) } else { run(&["dump", database]) }?;
        arena.grow(database)?;
        let dumped = if is_peer { newest(arena, database)? } else { database.to_owned() };
        let live = arena.number(database)?;
        run(&["restore", &dumped, "--reversible"])?;
        let mut counts = vec![arena.accounts(database).unwrap_or_default()];
        let last = restore(if is_peer { ":pre" } else { ":previous" })?.seconds;
        let back = arena.number(database)?;
        counts.push(arena.accounts(database).unwrap_or_default());
        restore(if is_peer { ":post" } else { ":current" })?;
        counts.push(arena.accounts(database).unwrap_or_default());
        let how = if back == live { "the very database of before" } else { "a copy of it" };
        seen.push(Seen {
            words: format!(
                "accounts {} → {} → {}; going back took {last:.1} s and gave {how}",
                counts[0], counts[1], counts[2]
            ),
            good: counts == [1_000, 1_500, 1_000],
        });
    }
    pair(seen)
}

fn truncated(arena: &Arena) -> Outcome<[Seen; 2]> {
    let (theirs, ours) = ("cut_theirs", "cut_ours");
    for database in [theirs, ours] {
        arena.fresh(database)?;
    }
    Ran::of(arena.peer.pgclone(theirs, &["dump"]))?.must()?;
    Ran::of(arena.ours(&["pg", "dump", ours]))?.must()?;
    let key = newest(arena, theirs)?;
    cut(&arena.peer.folder(theirs).join(&key))?;
    cut(&find(&arena.context.path("ours").join("pg").join(ours), "pack")?)?;
    for database in [theirs, ours] {
        arena.grow(database)?;
    }
    let peer = Ran::of(arena.peer.pgclone(theirs, &["restore", &key]))?;
    let own = Ran::of(arena.ours(&["pg", "restore", ours, "--confirm-database", ours]))?;
    Ok([refused(arena, &peer, theirs), refused(arena, &own, ours)])
}

fn missing(arena: &Arena) -> Outcome<[Seen; 2]> {
    let (theirs, ours) = ("none_theirs", "none_ours");
    for database in [theirs, ours] {
        arena.fresh(database)?;
        arena.grow(database)?;
    }
    let key = "peer/default/none/2026-01-01-00-00-00-000000.dump";
    let peer = Ran::of(arena.peer.pgclone(theirs, &["restore", key]))?;
    let key = format!("{ours}/2026-01-01-00-00-00-000000.default.dump");
    let own = Ran::of(arena.ours(&["pg", "restore", &key, "--confirm-database", ours]))?;
    Ok([refused(arena, &peer, theirs), refused(arena, &own, ours)])
}

/// A `pg_dump` that ends badly: wrong version, lost connection, full disk.
fn failing_dump(arena: &Arena) -> Outcome<[Seen; 2]> {
    let (theirs, ours) = ("fail_theirs", "fail_ours");
    for database in [theirs, ours] {
        arena.fresh(database)?;
        arena.grow(database)?;
    }
    let bin = arena.context.path("failing");
    fs::create_dir_all(&bin)?;
    let real = arena.context.server.program("pg_dump");
    let stub = format!("#!/bin/sh\n[ \"$1\" = --version ] && exec {} --version\nexit 1\n", text(&real));
    fs::write(bin.join("pg_dump"), stub)?;
    fs::set_permissions(bin.join("pg_dump"), fs::Permissions::from_mode(0o755))?;
    symlink(arena.context.server.program("pg_restore"), bin.join("pg_restore"))?;

    let mut command = arena.peer.pgclone(theirs, &["dump"]);
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value?.to_str());
    let path = format!("{}:{}", bin.display(), path.unwrap_or_default());
    command.env("PATH", path);
    let peer = Ran::of(command)?;
    let keys = arena.peer.keys(theirs)?;
    // A prefix of keys names the latest of them, as cron jobs and people use it.
    let prefix = keys.first().and_then(|key| key.rsplit_once('/')).map_or("peer", |(prefix, _)| prefix);
    let peer_restore = Ran::of(arena.peer.pgclone(theirs, &["restore", prefix]))?;
    let own = Ran::of(arena.ours(&["pg", "dump", ours, "--pg-bin", text(&bin)]))?;
    let listed = Ran::of(arena.ours(&["pg", "ls", ours]))?.stdout().matches(".dump").count();
    let own_restore = Ran::of(arena.ours(&["pg", "restore", ours, "--confirm-database", ours]))?;
    let seen = |dump: &Ran, listed: usize, restore: &Ran, database: &str| {
        let accounts = arena.accounts(database);
        Seen {
            words: format!(
                "{}; listed: {listed}; restoring the latest: {}, {}",
                dump.ended(),
                restore.ended(),
                left(accounts)
            ),
            good: !dump.succeeded() && listed == 0 && accounts == Some(1_500),
        }
    };
    Ok([seen(&peer, keys.len(), &peer_restore, theirs), seen(&own, listed, &own_restore, ours)])
}

fn password(arena: &Arena) -> Outcome<[Seen; 2]> {
    const PASSWORD: &str = "p/ss w@rd";
    arena.fresh("secret")?;
    arena
        .context
        .server
        .sql("postgres", &format!("CREATE ROLE owner_of_secret SUPERUSER LOGIN PASSWORD '{PASSWORD}'"))?;
    let mut command = arena.peer.pgclone("secret", &["dump"]);
    command.env("PEER_USER", "owner_of_secret").env("PEER_PASSWORD", PASSWORD);
    let peer = Ran::of(command)?;
    let mut command = arena.ours(&["pg", "dump", "secret"]);
    command.env("PGUSER", "owner_of_secret").env("PGPASSWORD", PASSWORD).env_remove("PGPASSFILE");
    let own = Ran::of(command)?;
    let seen = |ran: &Ran| Seen {
        words: format!("{}, {}", ran.ended(), if ran.succeeded() { "dumped" } else { "no dump" }),
        good: ran.succeeded(),
    };
    Ok([seen(&peer), seen(&own)])
}

fn long_name(arena: &Arena) -> Outcome<[Seen; 2]> {
    let (theirs, ours) = ("t".repeat(63), "o".repeat(63));
    for database in [&theirs, &ours] {
        arena.fresh(database)?;
    }
    Ran::of(arena.peer.pgclone(&theirs, &["dump"]))?.must()?;
    Ran::of(arena.ours(&["pg", "dump", &ours]))?.must()?;
    for database in [&theirs, &ours] {
        arena.grow(database)?;
    }
    let key = newest(arena, &theirs)?;
    let peer = Ran::of(arena.peer.pgclone(&theirs, &["restore", &key]))?;
    let own = Ran::of(arena.ours(&["pg", "restore", &ours, "--confirm-database", &ours]))?;
    let seen = |ran: &Ran, database: &str| {
        let accounts = arena.accounts(database);
        // Either it works, or it changes nothing.
        let good = if ran.succeeded() { accounts == Some(1_000) } else { accounts == Some(1_500) };
        Seen { words: format!("{}; {}", ran.ended(), left(accounts)), good }
    };
    Ok([seen(&peer, &theirs), seen(&own, &ours)])
}

/// A restore that cannot succeed must fail and leave the live database alone.
fn refused(arena: &Arena, ran: &Ran, database: &str) -> Seen {
    let accounts = arena.accounts(database);
    Seen { words: format!("{}; {}", ran.ended(), left(accounts)), good: !ran.succeeded() && accounts == Some(1_500) }
}

fn timed(ran: &Ran) -> Seen {
    Seen { words: format!("{:.1} s", ran.seconds), good: ran.succeeded() }
}

/// Rows and contents of the shop's tables.
fn fingerprint(arena: &Arena) -> Outcome<String> {
    arena.context.server.sql(
        SHOP,
        "SELECT count(*), sum(hashtext(m::text)) FROM messages m UNION ALL SELECT count(*), sum(hashtext(o::text)) FROM orders o",
    )
}

fn newest(arena: &Arena, database: &str) -> Outcome<String> {
    Ok(arena.peer.keys(database)?.into_iter().next().ok_or("django-pgclone lists no dump")?)
}

fn cut(file: &Path) -> Outcome {
    let bytes = fs::metadata(file)?.len();
    fs::OpenOptions::new().write(true).open(file)?.set_len(bytes * 6 / 10)?;
    Ok(())
}

/// The first file below `folder` with that extension.
fn find(folder: &Path, extension: &str) -> Outcome<PathBuf> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Ok(found) = find(&path, extension) {
                return Ok(found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            return Ok(path);
        }
    }
    Err(format!("no .{extension} below `{}`", folder.display()).into())
}

fn pair(seen: Vec<Seen>) -> Outcome<[Seen; 2]> {
    Ok(<[Seen; 2]>::try_from(seen).map_err(|_| "a case has two sides")?)
}
