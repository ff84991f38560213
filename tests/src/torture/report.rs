//! What is told of a run: a line a kind, and a page.

use std::process::Command;
use std::time::Duration;

use crate::harness::RowResult;

/// What became of one kind.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub(super) name: &'static str,
    what: &'static str,
    pub(super) rounds: u64,
    pub(super) midway: u64,
    pub(super) failures: u64,
    /// The first round that failed, and why.
    pub(super) first: Option<(u64, String)>,
    /// Why it could not be run here.
    pub(super) skipped: Option<String>,
    pub(super) elapsed: Duration,
}

impl Count {
    pub(super) fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, rounds: 0, midway: 0, failures: 0, first: None, skipped: None, elapsed: Duration::ZERO }
    }

    /// What a hit is called: of readers, inputs that were read.
    fn hit(&self) -> &'static str {
        match self.name {
            name if name.starts_with("fuzz-") => "read",
            name if name.starts_with("hostile-") => "refused",
            "full-disk" => "full",
            _ => "hit",
        }
    }

    pub(super) fn line(&self) -> String {
        let Self { name, rounds, midway, failures, .. } = self;
        let hit = self.hit();
        let skipped = self.skipped.as_ref().map(|why| format!("  skipped: {why}")).unwrap_or_default();
        format!("{name:<14} {rounds:>9} rounds {midway:>9} {hit:<7} {failures:>3} failed{skipped}")
    }
}

/// A run.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) seed: u64,
    pub(super) elapsed: Duration,
    pub(super) counts: Vec<Count>,
}

impl Told {
    /// A line a kind, the first failure of each in full, and the sum.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.counts.iter().map(Count::line).collect();
        for count in &self.counts {
            let Some((round, why)) = &count.first else { continue };
            lines.push(format!("\nFAIL  {}, round {round}", count.name));
            lines.extend(why.lines().map(|line| format!("      {line}")));
            lines.push(format!("      again: --only {} --seed {} --round {round}", count.name, self.seed));
        }
        let failures: u64 = self.counts.iter().map(|count| count.failures).sum();
        let minutes = self.elapsed.as_secs() / 60;
        lines.push(format!("seed {}, {minutes} min: {} rounds, {failures} failed", self.seed, self.rounds()));
        lines
    }

    fn rounds(&self) -> u64 {
        self.counts.iter().map(|count| count.rounds).sum()
    }

    /// The whole page.
    pub(super) fn page(&self) -> RowResult<String> {
        let lastgood = crate::lastgood_binary().map_err(|error| crate::harness::Failure::new(error.to_string()))?;
        let version = Command::new(lastgood).arg("--version").output()?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let mut page = PAGE_BEGIN.to_owned();
        page.push_str(&format!(
            "\n## The last long run\n\n{today}, {version}, {} minutes, seed {}:\n\n```sh\n{}\n```\n\n\
             | kind | what | rounds | hit | failed | minutes |\n|---|---|---:|---:|---:|---:|\n",
            self.elapsed.as_secs() / 60,
            self.seed,
            command(std::env::args().skip(1)),
        ));
        for count in &self.counts {
            let Count { name, what, rounds, midway, failures, elapsed, .. } = count;
            let (hit, minutes) = (count.hit(), elapsed.as_secs_f64() / 60.0);
            page.push_str(&format!("| `{name}` | {what} | {rounds} | {midway} {hit} | {failures} | {minutes:.1} |\n"));
        }
        page.push_str(&format!("\n{} rounds in all.\n", self.rounds()));
        Ok(page)
    }
}

/// The command of such a run, without where its page was written.
fn command(args: impl Iterator<Item = String>) -> String {
    let (mut words, mut is_page) = (vec!["cargo xtask torture".to_owned()], false);
    for arg in args {
        let was_page = std::mem::replace(&mut is_page, arg == "--report");
        if !was_page && !arg.starts_with("--report") {
            words.push(arg);
        }
    }
    words.join(" ")
}

/// What the page says of every run.
const PAGE_BEGIN: &str = "# Torture

Rows of the acceptance run kill and damage at places that somebody thought of. `cargo xtask torture` does it at random, for as long as it
is told, and looks after each round that what was promised holds: nothing that was published is lost, every dump can be verified, the last
good one is restored and equal, the next run works, and `prune` frees what an interrupted one left.

```sh
cargo xtask torture                                    # two minutes, as in CI
cargo xtask torture --minutes 60 --seed 7              # for an hour
cargo xtask torture --only kill-restore,cut            # some kinds; `cut` means all that begin so
cargo xtask torture --only kill-dump --seed 7 --round 12
```

Each round takes its random numbers from the seed, the name of its kind and its own number. Where one fails, it is shown in full, with the
words that run it again. What earlier rounds left in its location may matter too: a location is used for up to 60 rounds. And a moment
is never exactly the same twice, so that a round may have to be run several times.

- **kill**: `kill -9` at a random moment. A round is a *hit* if the run was still at it.
- **signal**: the same with signals that ask to end. It ends soon, with the code of the signal, and nothing is left.
- **cut**: a proxy stands between lastgood and S3 or PostgreSQL, and cuts or stalls connections at a random byte. A run gets over up to three
  lost connections to S3 by itself; whatever happens, it ends, and a signal ends it even where nobody answers.
- **full-disk**: a small disk with room for a random number of bytes.
- **hostile**: objects removed, emptied, exchanged, changed bit by bit, or changed field by field under a digest that is right again; in a
  folder also links, FIFOs, devices and folders in the place of files. Every command ends with an error or with what is right; none
  panics, hangs, shows control characters, or touches anything beside the location.
- **names**: random names of control and bidirectional characters, quotes and line ends through what prints to people.
- **beside**: dumps, prunes, verifies and lists at the same time.
- **clock**: a service whose clock is wrong by up to three days, each life otherwise, and dumps of machines with such clocks.
- **fuzz**: readers of stored bytes, called directly with millions of changed inputs by the program in `fuzz/`. They begin with the
  inputs in `fuzz/corpus` and fixtures of other tests. `--keep-inputs` adds those that are taken, or refused, as none before. What must
  hold for any input is asserted: what is read can be written and read again, it does not matter how bytes arrive, and what other
  readers of JSON take is taken. An input that fails is written to a file, which `fuzz READER --input FILE` reads again.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_the_command_and_no_path_of_a_machine() {
        let told = |line: &str| command(line.split(' ').map(str::to_owned));
        assert_eq!(told("--minutes 60 --report /tmp/page --only kill"), "cargo xtask torture --minutes 60 --only kill");
        assert_eq!(told("--report=/tmp/page --seed 7"), "cargo xtask torture --seed 7");
    }
}
