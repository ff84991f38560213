//! The loop: an input, the reader, and what came of it.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backup_testkit::dice::Dice;
use serde_json::json;

use crate::corpus::Corpus;
use crate::readers::{Reader, Room};

/// How long a reader may take for one input. Inputs are small: what takes longer would never end.
const ROUND_LIMIT: Duration = Duration::from_secs(20);

/// Letters of an answer that make its class.
const CLASS_CHARS: usize = 80;

/// What a panic said, wherever it was; libraries catch some and call them errors.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An input that a reader did not take as it should.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    round: u64,
    what: String,
    /// Where the input is.
    file: Option<PathBuf>,
}

/// What became of all rounds.
#[derive(Debug)]
pub(crate) struct Tally {
    reader: &'static str,
    seed: u64,
    rounds: u64,
    accepted: u64,
    classes: usize,
    kept: usize,
    slowest: Duration,
    failures: u64,
    pub(crate) failure: Option<Failed>,
}

impl Tally {
    pub(crate) fn json(&self) -> serde_json::Value {
        let failure = self.failure.as_ref().map(|failed| {
            json!({"round": failed.round, "what": failed.what, "input": failed.file.as_ref().map(|file| file.display().to_string())})
        });
        json!({
            "reader": self.reader, "seed": self.seed, "rounds": self.rounds, "accepted": self.accepted,
            "classes": self.classes, "kept": self.kept, "slowest_ms": self.slowest.as_millis() as u64,
            "failures": self.failures, "failure": failure,
        })
    }
}

/// What the watcher looks at: the round under way, its input, and when it began.
struct UnderWay {
    round: u64,
    input: Vec<u8>,
    since: Option<Instant>,
}

/// Rounds of one reader.
pub(crate) struct Rounds {
    reader: &'static Reader,
    room: Room,
    corpus: Corpus,
    seen: BTreeSet<String>,
    tally: Tally,
    under_way: Arc<Mutex<UnderWay>>,
    folder: Option<PathBuf>,
    /// The number of the round under way, for whoever finds this process dead.
    mark: Option<std::fs::File>,
}

impl Rounds {
    pub(crate) fn new(
        reader: &'static Reader,
        seed: u64,
        corpus: Corpus,
        folder: Option<PathBuf>,
    ) -> Result<Self, String> {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            *locked(&PANIC) = Some(panic.to_string());
            usual(panic);
        }));
        let name = reader.name;
        let mark = match &folder {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
                let mark = std::fs::File::create(folder.join(format!("{name}.round")));
                Some(mark.map_err(|error| format!("`{}`: {error}", folder.display()))?)
            }
            None => None,
        };
        let under_way = Arc::new(Mutex::new(UnderWay { round: 0, input: Vec::new(), since: None }));
        let tally = Tally {
            reader: name,
            seed,
            rounds: 0,
            accepted: 0,
            classes: 0,
            kept: 0,
            slowest: Duration::ZERO,
            failures: 0,
            failure: None,
        };
        let rounds = Self { reader, room: Room::new()?, corpus, seen: BTreeSet::new(), tally, under_way, folder, mark };
        rounds.watch();
        Ok(rounds)
    }

    /// Ends this process, and says why, if a round never ends.
    fn watch(&self) {
        let (under_way, folder, name) = (self.under_way.clone(), self.folder.clone(), self.reader.name);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let held = locked(&under_way);
                if held.since.is_some_and(|since| since.elapsed() > ROUND_LIMIT) {
                    let file = save(folder.as_ref(), name, &held.input);
                    let what = format!("it did not end within {} s", ROUND_LIMIT.as_secs());
                    let failure = json!({"round": held.round, "what": what, "input": file.map(|file| file.display().to_string())});
                    let line = json!({"reader": name, "failures": 1, "failure": failure});
                    // Whoever reads finds the status without it.
                    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes());
                    std::process::exit(1);
                }
            }
        });
    }

    /// Rounds until the time is over. Inputs of the corpus come first, as they are.
    pub(crate) fn until(&mut self, limit: Duration, keep: bool) -> Result<(), String> {
        let begun = Instant::now();
        for (number, input) in self.corpus.inputs.clone().into_iter().enumerate() {
            self.one(number as u64, input);
        }
        let mut round = 0;
        while begun.elapsed() < limit && self.tally.failure.is_none() {
            let input = self.input(round);
            if self.one(round, input.clone()) && keep {
                let kept = self.corpus.keep(&input).map_err(|error| format!("the corpus: {error}"))?;
                self.tally.kept += usize::from(kept);
            }
            round += 1;
        }
        Ok(())
    }

    /// One round by its number.
    pub(crate) fn numbered(&mut self, round: u64) {
        let input = self.input(round);
        self.one(round, input);
    }

    fn dice(&self, round: u64) -> Dice {
        Dice::new(self.tally.seed, self.reader.name, round)
    }

    fn input(&self, round: u64) -> Vec<u8> {
        let mut dice = self.dice(round);
        let from = dice.below(self.corpus.inputs.len());
        self.reader.changed(&mut dice, &self.corpus.inputs[from], &self.corpus.inputs)
    }

    /// Feeds the reader; whether it answered as never before.
    pub(crate) fn one(&mut self, round: u64, input: Vec<u8>) -> bool {
        if let Some(mark) = &self.mark {
            // Only a help for whoever looks after the end of this process.
            let _ = mark.write_at(format!("{round:>20}\n").as_bytes(), 0);
        }
        *locked(&self.under_way) = UnderWay { round, input: input.clone(), since: Some(Instant::now()) };
        let begun = Instant::now();
        let mut dice = Dice::new(self.tally.seed, "reading", round);
        let answer = std::panic::catch_unwind(AssertUnwindSafe(|| (self.reader.read)(&self.room, &input, &mut dice)));
        locked(&self.under_way).since = None;
        self.tally.slowest = self.tally.slowest.max(begun.elapsed());
        self.tally.rounds += 1;
        if let Some(what) = locked(&PANIC).take() {
            self.tally.failures += 1;
            let file = save(self.folder.as_ref(), self.reader.name, &input);
            self.tally.failure.get_or_insert(Failed { round, what, file });
            return false;
        }
        let class = match &answer {
            Ok(Ok(what)) => {
                self.tally.accepted += 1;
                format!("read {what}")
            }
            Ok(Err(what)) => format!("no {}", class(what)),
            Err(_) => "a panic without a word".to_owned(),
        };
        self.seen.insert(class)
    }

    /// What became of them.
    pub(crate) fn ended(mut self) -> Tally {
        self.tally.classes = self.seen.len();
        self.tally
    }
}

/// Writes an input that failed to a file, named by what it holds.
fn save(folder: Option<&PathBuf>, name: &str, input: &[u8]) -> Option<PathBuf> {
    let digest = backup_core::digest::Sha256Digest::of(input).to_string();
    let file = folder?.join(format!("{name}-{}", &digest[..12]));
    std::fs::write(&file, input).ok()?;
    Some(file)
}

/// An answer without names and numbers.
fn class(what: &str) -> String {
    let mut quoted = false;
    let mut class = String::new();
    for c in what.chars().take(400) {
        match c {
            '`' | '"' => quoted = !quoted,
            c if quoted || !c.is_alphabetic() && c != ' ' => {}
            c => class.push(c),
        }
    }
    class.chars().take(CLASS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_make_no_class() {
        assert_eq!(class("`a` has 7 rows instead of 8"), class("`b b` has 12 rows instead of 1"));
        assert_ne!(class("it ends early"), class("it is too long"));
    }

    #[test]
    fn each_reader_has_inputs_and_takes_them_as_they_are() {
        let home = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
        for reader in &Reader::ALL {
            let corpus = Corpus::read(home, reader.name).unwrap();
            let mut rounds = Rounds::new(reader, 1, corpus, None).unwrap();
            rounds.until(Duration::from_millis(200), false).unwrap();
            let tally = rounds.ended();
            assert!(tally.failure.is_none(), "{:?}", tally.failure);
            assert!(tally.accepted > 0 && tally.accepted < tally.rounds, "{}: {tally:?}", reader.name);
            assert!(tally.classes > 3, "{}: {tally:?}", reader.name);
        }
    }
}
