//! P-progress: how far a run is, on terminals of two widths, in a log, and for programs.

use regex_lite::Regex;
use serde_json::Value;

use crate::harness::{Failure, Output, RowResult, World};
use crate::{ensure, ensure_eq};

/// Runs a command line on a terminal of so many columns, and prints all that the terminal was sent.
const ON_A_TERMINAL: &str = "import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
said = b''
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    said += piece
sys.stdout.buffer.write(said)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

/// Slower than what is read of the dump takes to tell of.
const SLOWLY: [&str; 2] = ["--limit-download", "1MiB"];

/// A dump of some megabytes, whose restore builds two indexes for a second each.
async fn dump(world: &World) -> RowResult<String> {
    let database = world.create("shop")?;
    world.psql(
        &database,
        "CREATE FUNCTION public.slowly(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql \
            AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN $1; END'; \
         CREATE TABLE public.a AS SELECT generate_series(1, 60) AS id; \
         CREATE TABLE public.b AS SELECT generate_series(1, 60) AS id; \
         CREATE INDEX ON public.a (public.slowly(id)); CREATE INDEX ON public.b (public.slowly(id)); \
         CREATE TABLE public.noise AS SELECT md5(random()::text) AS x FROM generate_series(1, 250000)",
    )?;
    world.lastgood(["pg", "dump", &database, "-q"]).ok().await?;
    Ok(database)
}

/// P-progress-80.
pub(super) async fn eighty(world: &World) -> RowResult {
    let database = dump(world).await?;
    let read = pictures(world, 80, &verify(&database)).await?;
    shows(
        &read,
        "^reading the dump(  [█░]{8,24})? +[0-9]+ %  [0-9.]+ MiB of about [0-9.]+ MiB  [0-9.]+ [KM]iB/s  00:0[0-9] left$",
    )?;
    let restored = pictures(world, 80, &restore(world, &database)).await?;
    shows(&restored, "^building indexes 1 of 2, 00:0[0-9]  [█░]{24}   50 %$")?;
    // What is not counted shows its time, and no bar of what was.
    shows(&restored, "^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] [a-z ]+( \\([ -~]*\\))?, 00:0[0-9]$")?;
    for picture in restored.iter().filter(|picture| picture.contains('%')) {
        let is_counted =
            ["checking the dump", "loading rows", "building indexes"].iter().any(|it| picture.starts_with(it));
        ensure!(is_counted, "a bar stands still in `{picture}`");
    }
    Ok(())
}

/// P-progress-40.
pub(super) async fn forty(world: &World) -> RowResult {
    let database = dump(world).await?;
    let read = pictures(world, 40, &verify(&database)).await?;
    shows(&read, "^reading the dump +[0-9]+ %  00:0[0-9] left$")?;
    let restored = pictures(world, 40, &restore(world, &database)).await?;
    shows(&restored, "^building indexes 1 of 2, 00:0[0-9]   50 %$")
}

fn verify(database: &str) -> Vec<String> {
    ["pg", "verify", database, "--read", "all"].into_iter().chain(SLOWLY).map(str::to_owned).collect()
}

fn restore(world: &World, database: &str) -> Vec<String> {
    ["pg", "restore", database, "--into", &world.name("copy"), "--jobs", "1"].map(str::to_owned).into()
}

/// The pictures that a command shows one after the other, none of which is wider than the terminal.
async fn pictures(world: &World, columns: usize, arguments: &[String]) -> RowResult<Vec<String>> {
    let through = ["python3".to_owned(), "-c".to_owned(), ON_A_TERMINAL.to_owned(), columns.to_string()];
    let run =
        world.lastgood(arguments.to_vec()).through(through).env("TERM", "xterm").env("NO_COLOR", "1").ok().await?;
    let escapes = Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").map_err(|error| Failure::new(error.to_string()))?;
    let drawn = escapes.replace_all(&run.stdout, "\r");
    let mut pictures: Vec<&str> = Vec::new();
    for lines in drawn.split_inclusive('\n') {
        let texts = lines.split('\r').map(str::trim_end).filter(|text| !text.is_empty());
        pictures.extend(texts);
        // What a line ends with that stays is a warning or the result, and no picture.
        if lines.ends_with('\n') {
            pictures.pop();
        }
    }
    let pictures: Vec<String> = pictures.into_iter().map(str::to_owned).collect();
    ensure!(pictures.len() > 3, "only {} pictures were drawn: {:?}", pictures.len(), run.stdout);
    for picture in &pictures {
        let width = picture.chars().count();
        ensure!(width < columns, "`{picture}` has {width} columns of {columns}");
    }
    Ok(pictures)
}

fn shows(pictures: &[String], pattern: &str) -> RowResult {
    let wanted = Regex::new(pattern).map_err(|error| Failure::new(error.to_string()))?;
    if pictures.iter().any(|picture| wanted.is_match(picture)) {
        return Ok(());
    }
    let mut seen: Vec<&String> = pictures.iter().collect();
    seen.dedup();
    Err(Failure::new(format!("no picture is like `{pattern}`:\n{seen:#?}")))
}

/// P-progress-lines: without a terminal, a line after five seconds, in words.
pub(super) async fn lines(world: &World) -> RowResult {
    let database = world.create("shop")?;
    world.psql(&database, "CREATE TABLE t AS SELECT 1 AS id")?;
    let slow = ["pg", "dump", &database, "--pre-dump-hook", "sleep 7"];
    let run = world.lastgood(slow).ok().await?;
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("running a hook (")).collect();
    ensure_eq!(told.len(), 1, "lines about the hook in {:?}", run.stderr);
    let quiet = world.lastgood(slow).arg("-q").ok().await?;
    ensure_eq!(quiet.stderr.as_str(), "", "nothing with -q");
    Ok(())
}

/// P-progress-json: what a program needs to draw its own picture is in every line.
pub(super) async fn json(world: &World) -> RowResult {
    let database = dump(world).await?;
    let run = world.lastgood(verify(&database)).env("LASTGOOD_PROGRESS", "json").ok().await?;
    let events = events(&run)?;
    for event in &events {
        let time = event["time"].as_str().unwrap_or_default();
        ensure!(time.parse::<jiff::Timestamp>().is_ok(), "`time` of {event}");
        ensure!(event["event"] != "step" || event["stage"].is_string(), "`stage` of {event}");
    }
    let step = events.iter().find(|event| event["name"] == "verify.read");
    ensure_eq!(step.map(|step| step["stage"].clone()), Some("reading the dump".into()), "the stage");
    let advances: Vec<&Value> = events.iter().filter(|event| event["event"] == "advance").collect();
    let Some(last) = advances.last() else { return Err(Failure::new("no event `advance`")) };
    let number = |event: &Value, name: &str| event[name].as_u64().unwrap_or(u64::MAX);
    ensure!(number(last, "bytes_total") > 1 << 20, "the total of {last}");
    ensure_eq!(number(last, "bytes_done"), number(last, "bytes_total"), "bytes in the end");
    ensure_eq!(number(last, "items_done"), number(last, "items_total"), "objects in the end");
    ensure_eq!(number(last, "percent"), 100, "percent in the end");
    let percents: Vec<u64> = advances.iter().map(|event| number(event, "percent")).collect();
    ensure!(percents.is_sorted() && percents[0] < 100, "{percents:?} grows");
    ensure!(advances.iter().any(|event| event["eta_s"].is_u64()), "no `eta_s` in {advances:?}");
    Ok(())
}

fn events(run: &Output) -> RowResult<Vec<Value>> {
    let lines = run.stderr.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().map_err(|error| run.fault(&format!("standard error is not JSON: {error}")))
}
