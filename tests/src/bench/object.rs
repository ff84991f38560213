//! `bench object`: an application's records, against gludb and against the best pipe a user can build.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::context::{Context, succeed, text};
use super::measure::{self, Measurement};
use super::peer::S3;
use super::report::{self, Row, mib};
use super::{ObjectArgs, machine};
use crate::Outcome;
use crate::printer::say;

/// The bound, whatever the number of records.
const MEMORY_BYTES_MAX: u64 = 96 * 1024 * 1024;

/// How much faster than gludb.
const GLUDB_RATIO_MIN: f64 = 10.0;

/// Wall time, CPU time and bytes against `sqlite3 | gzip -6`, at most.
const PIPE_WALL_MAX: f64 = 0.40;
const PIPE_CPU_MAX: f64 = 0.60;
const PIPE_BYTES_MAX: f64 = 1.02;

/// Speed against `sqlite3 .import`, at least.
const IMPORT_RATIO_MIN: f64 = 1.5;

/// What the pipe reads.
const SELECT: &str = "SELECT value FROM Thing";

/// Bytes of the records of the memory run that are not text of their own.
const LONG_TEXT_BYTES: u64 = 4096;

/// The table of every database here, with its index, as gludb makes it.
const TABLE: &str = "CREATE TABLE Thing (id text primary key, value text, city text); \
    CREATE INDEX Thing_city_idx ON Thing(city);";

/// The setting.
struct Bench<'a> {
    args: &'a ObjectArgs,
    lastgood: PathBuf,
    work: TempDir,
}

/// Runs every job and prints the table.
pub(crate) fn run(args: &ObjectArgs) -> Outcome {
    let lastgood = crate::lastgood_binary()?;
    let version = Command::new(&lastgood).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let bench = Bench { args, lastgood, work: tempfile::Builder::new().prefix("lastgood-object-").tempdir()? };
    bench.database("all.db", args.records, 0)?;
    bench.database("some.db", args.peer_records, 0)?;
    let (mut rows, limits) = bench.backups()?;
    rows.push(bench.restores()?);
    rows.push(bench.memory()?);
    let about = machine::description(&[format!("lastgood: {version}")]);
    let peers = format!("- peers: gludb 0.2.0, {}, pigz {}", sqlite_version()?, pigz_version()?);
    let table = format!("{about}{peers}\n\n{}\n{limits}", report::table(&rows));
    say(&format!("\n{table}"));
    let met = rows.iter().filter(|row| row.met).count();
    say(&format!("{met} met, {} not met", rows.len() - met));
    if let Some(file) = &args.write {
        std::fs::write(file, format!("{}\n{table}", include_str!("object/page.md")))?;
        say(&format!("wrote `{}`", file.display()));
    }
    Ok(())
}

fn sqlite_version() -> Outcome<String> {
    let output = Command::new("sqlite3").arg("--version").output();
    let output = output.map_err(|error| format!("`sqlite3`: {error}; on Debian: sudo apt-get install -y sqlite3"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(format!("SQLite {}", said.split(' ').next().unwrap_or_default()))
}

fn pigz_version() -> Outcome<String> {
    let output = Command::new("pigz").arg("--version").output();
    let output = output.map_err(|error| format!("`pigz`: {error}; on Debian: sudo apt-get install -y pigz"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok(said.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

fn sqlite3(database: &Path, sql: &str) -> Outcome {
    succeed(Context::program_on_path("sqlite3", &["-bail", text(database), sql]))
}

impl Bench<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// A database of `records` records, each with `more_bytes` of text besides.
    fn database(&self, name: &str, records: u64, more_bytes: u64) -> Outcome {
        say(&format!("{name}: {records} records"));
        let value = format!(
            "json_object('id', printf('%08x%024x', (i * 2654435761) & 4294967295, i), 'name', printf('Zoë %d', i), \
             'city', printf('city %d', i % 997), 'age', i % 90, 'note', hex(randomblob(48 + {more_bytes} / 2)), \
             '_create_date', 'UTC:2026-11-21T03:13:45.696797', '_last_update', 'UTC:2026-11-21T03:13:45.696797')"
        );
        let sql = format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {TABLE} \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records}), \
             v(value) AS (SELECT {value} FROM n) \
             INSERT INTO Thing SELECT value ->> 'id', value, value ->> 'city' FROM v; COMMIT;"
        );
        sqlite3(&self.path(name), &sql)
    }

    fn lastgood(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.lastgood);
        command.args(args).env("LASTGOOD_PROGRESS", "never").env("NO_COLOR", "1").env_remove("LASTGOOD_REPO");
        command
    }

    fn measure(
        &self,
        round: usize,
        name: &str,
        commands: Vec<Command>,
        made: impl Fn() -> u64,
    ) -> Outcome<Measurement> {
        let mut run = measure::run(commands, None, None).map_err(|error| format!("{name}: {error}"))?;
        run.output_bytes = made();
        report::show(round, name, &run);
        Ok(run)
    }

    fn backup(&self, database: &str, location: &str) -> Command {
        let source = format!("sqlite:{}", self.path(database).display());
        self.lastgood(&["app", "backup", "--source", &source, "-r", location, "--init"])
    }

    fn verified(&self, mut verify: Command, records: u64) -> Outcome {
        let output = verify.args(["app", "verify", "--json"]).output()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let whole = output.status.success() && said[0]["records"].as_u64() == Some(records);
        if whole { Ok(()) } else { Err(format!("the backup is not whole: {said}").into()) }
    }

    /// The rows, and what the machine's limits were meanwhile.
    fn backups(&self) -> Outcome<(Vec<Row>, String)> {
        let s3 = S3::start(self.path("s3"), 0)?;
        let (mut folder, mut bucket, mut gludb) = (Vec::new(), Vec::new(), Vec::new());
        let (mut pipe, mut reading, mut pigz) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..self.args.rounds.into() {
            for contender in Context::order(round, [0, 1, 2, 3, 4, 5]) {
                match contender {
                    0 => folder.push(self.to_folder(round)?),
                    1 => bucket.push(self.to_s3(round, &s3)?),
                    2 => gludb.push(self.gludb(round)?),
                    3 => pipe.push(self.pipe(round, &["gzip", "-6"])?),
                    4 => reading.push(self.pipe(round, &[])?),
                    _ => pigz.push(self.pipe(round, &["pigz", "-6", "-p2"])?),
                }
            }
        }
        let mut rows = vec![
            self.against_gludb("back up to a folder", &folder, &gludb),
            self.against_gludb("back up to the S3 peer", &bucket, &gludb),
        ];
        rows.extend(pipe_rows(self.args.records, &folder, &pipe, self.piped_bytes()?));
        Ok((rows, limits(&folder, &reading, &pigz)))
    }

    fn to_folder(&self, round: usize) -> Outcome<Measurement> {
        let location = self.path("location");
        let command = self.backup("all.db", text(&location));
        let run = self.measure(round, "lastgood to a folder", vec![command], || measure::size_bytes(&location))?;
        let mut verify = self.lastgood(&[]);
        verify.env("LASTGOOD_REPO", &location);
        self.verified(verify, self.args.records)?;
        std::fs::remove_dir_all(&location)?;
        Ok(run)
    }

    fn to_s3(&self, round: usize, s3: &S3) -> Outcome<Measurement> {
        let url = s3.url("bench");
        let mut command = self.backup("all.db", &url);
        s3.point(&mut command);
        let run = self.measure(round, "lastgood to S3", vec![command], || s3.stored_bytes())?;
        let mut verify = self.lastgood(&[]);
        verify.env("LASTGOOD_REPO", &url);
        s3.point(&mut verify);
        self.verified(verify, self.args.records)?;
        s3.clear();
        Ok(run)
    }

    fn gludb(&self, round: usize) -> Outcome<Measurement> {
        let (script, folder) = (self.path("peer.py"), self.path("gludb"));
        std::fs::write(&script, include_str!("object/peer.py"))?;
        std::fs::create_dir_all(&folder)?;
        let database = self.path("some.db");
        let command = Context::program_on_path(&self.args.python, &[text(&script), text(&database), text(&folder)]);
        let run = self.measure(round, "gludb to a file", vec![command], || measure::size_bytes(&folder))?;
        let count = format!("tar xzOf {}/*.tar.gz | wc -l", folder.display());
        let counted = Command::new("sh").args(["-c", &count]).output()?;
        let lines = String::from_utf8_lossy(&counted.stdout).trim().parse::<u64>().unwrap_or_default();
        std::fs::remove_dir_all(&folder)?;
        if lines == self.args.peer_records { Ok(run) } else { Err(format!("gludb wrote {lines} records").into()) }
    }

    /// What a user without any of the two would type: the rows into a program, and what it makes of them into nothing.
    fn pipe(&self, round: usize, into: &[&str]) -> Outcome<Measurement> {
        let database = self.path("all.db");
        let mut commands = vec![Context::program_on_path("sqlite3", &[text(&database), SELECT])];
        if let [program, args @ ..] = into {
            commands.push(Context::program_on_path(program, args));
        }
        let name = ["sqlite3"].into_iter().chain((!into.is_empty()).then_some("|")).chain(into.iter().copied());
        self.measure(round, &name.collect::<Vec<_>>().join(" "), commands, || 0)
    }

    /// How much the pipe would store.
    fn piped_bytes(&self) -> Outcome<f64> {
        let script = format!("sqlite3 \"$1\" '{SELECT}' | gzip -6 | wc -c");
        let counted = Command::new("sh").args(["-c", &script, "sh"]).arg(self.path("all.db")).output()?;
        Ok(String::from_utf8_lossy(&counted.stdout).trim().parse()?)
    }

    fn against_gludb(&self, job: &str, ours: &[Measurement], peer: &[Measurement]) -> Row {
        let per_second = |records: u64, runs: &[Measurement]| records as f64 / report::wall_s(runs);
        let (fast, slow) = (per_second(self.args.records, ours), per_second(self.args.peer_records, peer));
        Row {
            job: format!("{job}, {} records", self.args.records),
            against: format!("gludb, {} records, a file", self.args.peer_records),
            ours: format!("{fast:.0} records/s, {}", report::times(ours)),
            peer: format!("{slow:.0} records/s, {}", report::times(peer)),
            outcome: format!("{:.1}×", fast / slow),
            target: format!("≥ {GLUDB_RATIO_MIN}×"),
            met: fast / slow >= GLUDB_RATIO_MIN,
        }
    }

    fn restores(&self) -> Outcome<Row> {
        let location = self.path("location");
        succeed(self.backup("all.db", text(&location)))?;
        let rows = self.path("rows.csv");
        let export = ["-csv", "-cmd", &format!(".output {}", rows.display())].map(str::to_owned);
        let export: Vec<&str> = export.iter().map(String::as_str).collect();
        let all = self.path("all.db");
        succeed(Context::program_on_path("sqlite3", &[&export[..], &[text(&all), "SELECT * FROM Thing"]].concat()))?;
        let (mut ours, mut import) = (Vec::new(), Vec::new());
        for round in 0..self.args.rounds.into() {
            for contender in Context::order(round, [0, 1]) {
                let copy = self.path("copy.db");
                if contender == 0 {
                    let to = format!("sqlite:{}", copy.display());
                    let command = self.lastgood(&["app", "restore", "--to", &to, "-r", text(&location)]);
                    ours.push(
                        self.measure(round, "lastgood into SQLite", vec![command], || measure::size_bytes(&copy))?,
                    );
                } else {
                    let make = ["-cmd", TABLE, "-cmd", ".mode csv", text(&copy)];
                    let import_rows = format!(".import {} Thing", rows.display());
                    let command = Context::program_on_path("sqlite3", &[&make[..], &[import_rows.as_str()]].concat());
                    import.push(self.measure(round, "sqlite3 .import", vec![command], || measure::size_bytes(&copy))?);
                }
                self.same(&copy)?;
                std::fs::remove_file(&copy)?;
            }
        }
        std::fs::remove_dir_all(&location)?;
        std::fs::remove_file(&rows)?;
        let ratio = report::wall_s(&import) / report::wall_s(&ours);
        Ok(Row {
            job: format!("restore {} records into SQLite", self.args.records),
            against: "`sqlite3 .import` of the same rows".to_owned(),
            ours: report::times(&ours),
            peer: report::times(&import),
            outcome: format!("{ratio:.2}×"),
            target: format!("≥ {IMPORT_RATIO_MIN}×"),
            met: ratio >= IMPORT_RATIO_MIN,
        })
    }

    /// Fails unless `copy` has every row of the original.
    fn same(&self, copy: &Path) -> Outcome {
        let sql = format!(
            "ATTACH '{}' AS original; SELECT count(*) FROM (SELECT * FROM original.Thing EXCEPT SELECT * FROM main.Thing), \
             (SELECT count(*) AS n FROM main.Thing) UNION ALL SELECT count(*) FROM main.Thing",
            self.path("all.db").display()
        );
        let output = Command::new("sqlite3").arg(copy).arg(sql).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted = format!("0\n{}\n", self.args.records);
        if said == wanted { Ok(()) } else { Err(format!("the copy differs: {said}").into()) }
    }

    fn memory(&self) -> Outcome<Row> {
        let bytes = self.args.memory_mib * 1024 * 1024;
        self.database("large.db", bytes / (LONG_TEXT_BYTES + 300), LONG_TEXT_BYTES)?;
        let (location, copy) = (self.path("location"), self.path("copy.db"));
        let dump = vec![self.backup("large.db", text(&location))];
        let dump = self.measure(0, "lastgood to a folder", dump, || measure::size_bytes(&location))?;
        std::fs::remove_file(self.path("large.db"))?;
        let restore = vec![self.lastgood(&[
            "app",
            "restore",
            "--to",
            &format!("sqlite:{}", copy.display()),
            "-r",
            text(&location),
        ])];
        let restore = self.measure(0, "lastgood into SQLite", restore, || measure::size_bytes(&copy))?;
        let peak = dump.peak_bytes.max(restore.peak_bytes);
        Ok(Row {
            job: format!("peak memory for {} of records", mib(bytes)),
            against: "–".to_owned(),
            ours: format!("backup {}, restore {}", mib(dump.peak_bytes), mib(restore.peak_bytes)),
            peer: "–".to_owned(),
            outcome: format!("{:.2} s, {:.2} s", report::wall_s(&[dump]), report::wall_s(&[restore])),
            target: format!("≤ {}", mib(MEMORY_BYTES_MAX)),
            met: peak <= MEMORY_BYTES_MAX,
        })
    }
}

fn pipe_rows(records: u64, ours: &[Measurement], pipe: &[Measurement], piped_bytes: f64) -> [Row; 3] {
    let cpu_s = |runs: &[Measurement]| report::median(runs.iter().map(|run| run.client_cpu_s));
    let row = |what: &str, ours: String, peer: String, ratio: f64, most: f64| Row {
        job: format!("back up to a folder, {records} records: {what}"),
        against: format!("`sqlite3 … '{SELECT}'` piped into `gzip -6`, into nothing"),
        ours,
        peer,
        outcome: format!("{ratio:.2}×"),
        target: format!("≤ {most:.2}×"),
        met: ratio <= most,
    };
    let seconds = |seconds: f64| format!("{seconds:.2} s");
    let (wall, cpu, bytes) = (report::wall_s(ours), cpu_s(ours), report::output_bytes(ours));
    let (pipe_wall, pipe_cpu) = (report::wall_s(pipe), cpu_s(pipe));
    let size = |bytes: f64| format!("{:.1} MiB", bytes / 1024.0 / 1024.0);
    [
        row("wall time", seconds(wall), seconds(pipe_wall), wall / pipe_wall, PIPE_WALL_MAX),
        row("CPU time", seconds(cpu), seconds(pipe_cpu), cpu / pipe_cpu, PIPE_CPU_MAX),
        row("bytes", size(bytes), size(piped_bytes), bytes / piped_bytes, PIPE_BYTES_MAX),
    ]
}

/// What no program could go below in the same minutes, and what two threads of the fastest usual one take.
fn limits(ours: &[Measurement], reading: &[Measurement], pigz: &[Measurement]) -> String {
    let line = |name: &str, runs: &[Measurement]| {
        let ratio = report::wall_s(ours) / report::wall_s(runs);
        format!("- {name}: {}; lastgood takes {ratio:.2}× as long\n", report::times(runs))
    };
    let (alone, both) = (format!("reading alone, `sqlite3 … '{SELECT}'` into nothing"), "the same into `pigz -6 -p2`");
    format!("Limits in the same run:\n\n{}{}", line(&alone, reading), line(both, pigz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_met_or_not_by_its_own_figure() {
        let run = |wall_s, client_cpu_s, output_bytes| Measurement {
            wall_s,
            client_cpu_s,
            output_bytes,
            ..Measurement::default()
        };
        let rows = pipe_rows(7, &[run(0.4, 0.7, 102)], &[run(1.0, 1.0, 0)], 100.0);
        assert_eq!(rows.map(|row| row.met), [true, false, true]);
    }
}
