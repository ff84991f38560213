//! The acceptance rows, several processes side by side: most of the time of a row is waiting for other programs and for limits.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::e2e;
use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// Areas whose rows run in one process, one after the other, on a server of that process. All groups run at once, and take about
/// equally long. Rows of `ec2` and `glacier` freeze and mount file systems and may not meet; `versions` alone would mean every version.
const GROUPS: [&[&str]; 5] = [
    &["pg"],
    &["core", "retention", "truth", "dict", "app", "badday"],
    &["ec2", "glacier"],
    &["versions", "differential"],
    &["kill", "stores"],
];

/// What became of one group.
struct Ended {
    areas: String,
    status: ExitStatus,
    took: Duration,
    /// How many runs of rows passed.
    runs: usize,
    /// Lines of those that did not pass.
    not_passed: BTreeSet<String>,
}

/// Runs every row; fails with those that did not pass.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    nothing_is_left_out(workspace)?;
    let mut groups = Vec::new();
    for areas in GROUPS {
        // One after the other: what several of them need is fetched by the first.
        groups.push((areas.join(" "), e2e::command(workspace, &only(areas))?));
    }
    let ended: Vec<Result<Ended, String>> = thread::scope(|scope| {
        let watched = groups.into_iter().map(|(areas, command)| {
            // Its error may hold what threads cannot hand on.
            scope.spawn(move || watch(areas, command).map_err(|error| error.to_string()))
        });
        let watched: Vec<_> = watched.collect();
        let died = |_| Err("a thread that watched rows has died".to_owned());
        watched.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect()
    });
    conclude(&ended.into_iter().collect::<Result<Vec<_>, _>>()?)
}

/// The options that choose the rows of these areas.
fn only(areas: &[&str]) -> Vec<String> {
    std::iter::once("--only").chain(areas.iter().copied()).map(str::to_owned).collect()
}

/// Fails if there is a row of an area that no group has.
fn nothing_is_left_out(workspace: &Workspace) -> Outcome {
    let count = |args: Vec<String>| -> Outcome<usize> {
        let list: Vec<String> = std::iter::once("--list".to_owned()).chain(args).collect();
        Ok(String::from_utf8(e2e::command(workspace, &list)?.output()?.stdout)?.lines().count())
    };
    let (all, grouped) = (count(Vec::new())?, count(only(&GROUPS.concat()))?);
    if all == grouped {
        return Ok(());
    }
    Err(format!("there are {all} rows, and {grouped} in the areas of xtask/src/rows.rs: name the new area there")
        .into())
}

/// Runs one group to its end, and says each row when it ends.
fn watch(areas: String, mut command: Command) -> Outcome<Ended> {
    let begun = Instant::now();
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let (mut runs, mut not_passed, mut block) = (0, BTreeSet::new(), Vec::new());
    for line in process.stdout.take().map(BufReader::new).into_iter().flat_map(|out| out.split(b'\n')) {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if is_passed(&line) {
            runs += 1;
            tell(&mut block);
            say(&line);
            continue;
        }
        if is_not_passed(&line) {
            // What is said of a row that failed stays together, whatever the other processes say.
            tell(&mut block);
            not_passed.insert(line.clone());
        }
        block.push(line);
    }
    tell(&mut block);
    let status = process.wait()?;
    Ok(Ended { areas, status, took: begun.elapsed(), runs, not_passed })
}

fn tell(block: &mut Vec<String>) {
    if !block.is_empty() {
        say(&block.join("\n"));
        block.clear();
    }
}

/// Says how long each group took; fails if one did.
fn conclude(ended: &[Ended]) -> Outcome {
    for group in ended {
        say(&format!("{:>9.1} s  {} ({} runs passed)", group.took.as_secs_f64(), group.areas, group.runs));
    }
    let failed: Vec<&Ended> = ended.iter().filter(|group| !group.status.success()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    // Named again here: of a long log, its end is what is looked at.
    let lines = failed.iter().map(|group| {
        let rows: Vec<&str> = group.not_passed.iter().map(String::as_str).collect();
        format!("`e2e --only {}` ended with {}\n{}", group.areas, group.status, rows.join("\n"))
    });
    Err(lines.collect::<Vec<_>>().join("\n").into())
}

/// Whether a line of `e2e` tells of a row that passed.
fn is_passed(line: &str) -> bool {
    line.starts_with("ok    ")
}

/// Whether it tells of one that failed or was skipped.
fn is_not_passed(line: &str) -> bool {
    ["FAIL  ", "skip  "].iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn each_area_is_in_one_group() {
        let areas = GROUPS.concat();
        assert_eq!(areas.iter().collect::<BTreeSet<_>>().len(), areas.len());
        assert!(GROUPS.iter().any(|group| group.contains(&"ec2") && group.contains(&"glacier")));
    }

    #[test]
    fn rows_that_did_not_pass_are_kept_and_named_at_the_end() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'ok    A'; echo 'FAIL  B'; echo '      why'; echo 'skip  C: none'; echo 'ok    D'; exit 1",
        ]);
        let ended = watch("core".to_owned(), command).unwrap();
        assert_eq!((ended.runs, ended.not_passed.len()), (2, 2));
        let error = conclude(&[ended]).unwrap_err().to_string();
        assert!(error.contains("`e2e --only core`") && error.contains("FAIL  B\nskip  C: none"), "{error}");
    }

    #[test]
    fn a_group_that_skipped_what_it_may_passes() {
        let not_passed = BTreeSet::from(["skip  C: none".to_owned()]);
        let (status, took) = (ExitStatus::from_raw(0), Duration::from_secs(1));
        assert!(conclude(&[Ended { areas: "core".to_owned(), status, took, runs: 1, not_passed }]).is_ok());
    }
}
