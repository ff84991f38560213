//! Words of other programs for backups, and which command does here what they mean there. Somebody who types `snapshots` knows what he
//! wants; a guess by likeness of letters would send him elsewhere.

mod options;

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use options::OPTIONS;

/// A word, and what to type instead.
struct Word {
    /// As other programs have it.
    word: &'static str,
    /// For somebody who named no kind of backup.
    anywhere: &'static str,
    /// In a group: what stands behind its name, in each that has it.
    groups: &'static [(&'static str, &'static str)],
}

const WORDS: &[Word] = &[
    Word {
        word: "snapshots",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &LISTING,
    },
    Word {
        word: "ls",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &[],
    },
    Word {
        word: "list",
        anywhere: "`lastgood pg ls` lists dumps of databases; `app ls`, `dict ls`, `ec2 ls` and `glacier ls` list the other kinds of backups",
        groups: &LISTING,
    },
    Word {
        word: "find",
        anywhere: "`lastgood pg ls DATABASE` lists the dumps of one database, and `lastgood pg show KEY` the tables of one dump",
        groups: &[
            (
                "pg",
                "`lastgood pg ls DATABASE` lists the dumps of one database, and `lastgood pg show KEY` the tables of one dump",
            ),
            ("app", "`lastgood app ls NAME` lists backups, and `lastgood app show KEY` the types of one"),
            ("dict", "`lastgood dict ls` lists backups, and `lastgood dict show FILE` the tables of one"),
            ("ec2", "`lastgood ec2 ls` lists snapshots"),
            ("glacier", "`lastgood glacier ls` lists backups"),
        ],
    },
    Word {
        word: "backup",
        anywhere: "`lastgood pg dump DATABASE` dumps a database; `app backup`, `ec2 snapshot` and `glacier backup` make the other kinds of \
                   backups",
        groups: &[
            ("pg", "`lastgood pg dump DATABASE` dumps a database"),
            (
                "dict",
                "the program whose store it is makes the backups; `lastgood dict compact` writes the newest state as a full one",
            ),
            ("ec2", "`lastgood ec2 snapshot INSTANCE` makes snapshots"),
        ],
    },
    Word {
        word: "create",
        anywhere: "`lastgood pg dump DATABASE` dumps a database; `app backup`, `ec2 snapshot` and `glacier backup` make the other kinds of \
                   backups",
        groups: &[
            ("pg", "`lastgood pg dump DATABASE` dumps a database"),
            ("app", "`lastgood app backup --source SOURCE` backs records up"),
            ("ec2", "`lastgood ec2 snapshot INSTANCE` makes snapshots"),
            ("glacier", "`lastgood glacier backup --files FOLDER` archives the files of a folder"),
        ],
    },
    Word {
        word: "dump",
        anywhere: "`lastgood pg dump DATABASE` dumps a PostgreSQL database",
        groups: &[
            (
                "app",
                "`lastgood app backup --source SOURCE` backs records up, and `lastgood app cat KEY TYPE` prints those of a backup",
            ),
            ("dict", "`lastgood dict restore --to -` prints the newest state"),
        ],
    },
    Word {
        word: "restore",
        anywhere: "`lastgood pg restore DATABASE` restores its latest dump; `app restore`, `dict restore` and `glacier restore` restore the \
                   other kinds of backups",
        groups: &[(
            "ec2",
            "`lastgood ec2 import` makes a volume's snapshot of an exported one; EC2 itself makes volumes of snapshots",
        )],
    },
    Word {
        word: "extract",
        anywhere: "`lastgood pg restore DATABASE` restores its latest dump; `app restore`, `dict restore` and `glacier restore` restore the \
                   other kinds of backups",
        groups: &[
            ("pg", "`lastgood pg restore KEY --into NAME` restores a dump beside the live database"),
            (
                "app",
                "`lastgood app restore KEY --to TARGET` restores records, and `lastgood app cat KEY TYPE` prints them",
            ),
            ("dict", "`lastgood dict restore --to FILE` restores the newest state"),
            ("glacier", "`lastgood glacier restore BACKUP` restores files"),
        ],
    },
    Word {
        word: "forget",
        anywhere: "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which. \
                                      `app prune`, `dict prune`, `ec2 trim` and `glacier prune` do it for the other kinds of backups",
        groups: &PRUNING,
    },
    Word {
        word: "prune",
        anywhere: "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which. \
                   `app prune`, `dict prune`, `ec2 trim` and `glacier prune` do it for the other kinds of backups",
        groups: &PRUNING,
    },
    Word { word: "rm", anywhere: DELETING, groups: &PRUNING },
    Word { word: "remove", anywhere: DELETING, groups: &PRUNING },
    Word { word: "delete", anywhere: DELETING, groups: &PRUNING },
    Word { word: "verify", anywhere: VERIFYING, groups: &CHECKING },
    Word { word: "check", anywhere: VERIFYING, groups: &CHECKING },
    Word { word: "stats", anywhere: SHOWN, groups: &SHOWING },
    Word { word: "info", anywhere: SHOWN, groups: &SHOWING },
    Word { word: "show", anywhere: SHOWN, groups: &SHOWING },
    Word {
        word: "status",
        anywhere: "`lastgood doctor` checks the location and the server, and `lastgood pg ls` lists what is there",
        groups: &[
            ("pg", "`lastgood doctor DATABASE` checks location, server and database, and `lastgood pg ls` lists dumps"),
            ("ec2", "`lastgood ec2 report` says how old the newest snapshots are"),
        ],
    },
    Word {
        word: "mount",
        anywhere: "backups are not mounted. `lastgood pg restore KEY --into NAME` restores beside the live database, and \
                   `lastgood app cat KEY TYPE` prints records",
        groups: &[
            (
                "pg",
                "dumps are not mounted: `lastgood pg restore KEY --into NAME` restores one beside the live database",
            ),
            ("app", "backups are not mounted: `lastgood app cat KEY TYPE` prints the records of one"),
            ("dict", "backups are not mounted: `lastgood dict restore --to FILE` writes the state at one into a file"),
        ],
    },
    Word {
        word: "break-lock",
        anywhere: "there is no lock to remove: each ends with the process that holds it. `lastgood pg recover` mends what a killed restore \
                   left",
        groups: &[],
    },
    Word {
        word: "unlock",
        anywhere: "there is no lock to remove: each ends with the process that holds it. `lastgood pg recover` mends what a killed restore \
                   left",
        groups: &[
            (
                "pg",
                "there is no lock to remove: each ends with its process. `lastgood pg recover` mends what a killed restore left",
            ),
            ("app", "there is no lock to remove: each ends with its process"),
            ("dict", "there is no lock to remove: each ends with its process"),
            (
                "ec2",
                "there is no lock to remove. `lastgood ec2 thaw INSTANCE` thaws file systems that a killed run left frozen",
            ),
            ("glacier", "there is no lock to remove: each ends with its process or with its time"),
        ],
    },
    Word {
        word: "tag",
        anywhere: "`lastgood pg tag add KEY TAG` tags a dump, and `lastgood pg ls --tag TAG` lists the dumps that have a tag",
        groups: &[],
    },
    Word {
        word: "latest",
        anywhere: "`lastgood pg show DATABASE` shows the latest complete dump of a database, and `lastgood pg restore DATABASE` restores it",
        groups: &[
            (
                "pg",
                "the name of a database means its latest complete dump: `lastgood pg show DATABASE`, `lastgood pg restore DATABASE`",
            ),
            ("app", "`lastgood app show latest` shows the newest complete backup"),
            (
                "dict",
                "`lastgood dict restore --to FILE` restores the newest state, and `lastgood dict ls` lists the newest last",
            ),
        ],
    },
];

/// What is said of words for taking one backup away, where no group is named.
const DELETING: &str = "`lastgood pg prune --keep-last 3` deletes dumps that no rule keeps; `-n` only shows which";

/// What is said of words for looking whether a backup is whole.
const VERIFYING: &str = "`lastgood pg verify DATABASE --read all` checks a dump, and `lastgood doctor` the location and the server; `app verify` and \
                         `dict verify` check the other kinds of backups";

/// What is said of words for looking at a backup.
const SHOWN: &str = "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all; `app show`, `dict show` and \
                     `ec2 show` show other kinds of backups";

const SHOWING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all"),
    ("app", "`lastgood app show KEY` shows the sizes and records of a backup, and `lastgood app ls` those of all"),
    ("dict", "`lastgood dict show FILE` shows the size and records of a backup, and `lastgood dict ls` those of all"),
    ("ec2", "`lastgood ec2 report` sums snapshots up"),
    ("glacier", "`lastgood glacier status` says what is where, and `lastgood glacier ls` lists all backups"),
];

const LISTING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg ls` lists dumps"),
    ("app", "`lastgood app ls` lists backups"),
    ("dict", "`lastgood dict ls` lists backups"),
    ("ec2", "`lastgood ec2 ls` lists snapshots"),
    ("glacier", "`lastgood glacier ls` lists backups"),
];

const PRUNING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which"),
    ("app", "`lastgood app prune --keep-daily 7` deletes backups that no rule keeps; `-n` only shows which"),
    ("dict", "`lastgood dict prune --keep-daily 7` deletes backups that no rule keeps; `-n` only shows which"),
    ("ec2", "`lastgood ec2 trim` deletes snapshots that no rule keeps; `-n` only shows which"),
    ("glacier", "`lastgood glacier prune` deletes backups that no rule keeps; `-n` only shows which"),
];

const CHECKING: [(&str, &str); 5] = [
    ("pg", "`lastgood pg verify KEY --read all` checks a dump, and `--restorable` also restores it for a trial"),
    ("app", "`lastgood app verify` reads every backup"),
    ("dict", "`lastgood dict verify` reads every backup"),
    ("ec2", "`lastgood ec2 verify` compares a snapshot with its replica"),
    ("glacier", "`lastgood glacier audit` and `lastgood glacier reconcile` check what is archived"),
];

/// What to type instead of what an error is about: the word, and advice.
pub(crate) fn meant(error: &Error, root: &Command, arguments: &[OsString]) -> Option<(String, String)> {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = text(error, ContextKind::InvalidSubcommand)?;
            let path = path(root, arguments);
            let advice = advice(typed, &path).map(str::to_owned).or_else(|| elsewhere(root, typed, &path))?;
            Some((format!("there is no command `{typed}`"), advice))
        }
        ErrorKind::UnknownArgument => {
            let typed = text(error, ContextKind::InvalidArg)?.split(['=', ' ']).next()?;
            let path = path(root, arguments).join(" ");
            let is_here = |place: &str| place.is_empty() || path == place || path.starts_with(&format!("{place} "));
            let (option, _, advice) = OPTIONS.iter().find(|(option, place, _)| *option == typed && is_here(place))?;
            Some((format!("there is no option `{option}` here"), (*advice).to_owned()))
        }
        _ => None,
    }
}

/// What is said of a word of other programs.
fn advice(typed: &str, path: &[&str]) -> Option<&'static str> {
    if path.last() == Some(&"tag") {
        return Some(match path.first() {
            Some(&"app") => {
                "`lastgood app tag add KEY TAG` tags a backup, `app tag remove` takes a tag away, and `app tag ls` lists them"
            }
            _ => {
                "`lastgood pg tag add KEY TAG` tags a dump, `pg tag remove` takes a tag away, and `pg tag ls` lists them"
            }
        });
    }
    let word = WORDS.iter().find(|word| word.word == typed)?;
    let here = path.first().and_then(|group| word.groups.iter().find(|(name, _)| name == group));
    Some(here.map_or(word.anywhere, |(_, advice)| *advice))
}

/// Where a command is that is typed at another place.
fn elsewhere(root: &Command, typed: &str, path: &[&str]) -> Option<String> {
    let groups = || root.get_subcommands().filter(|group| group.has_subcommands() && !group.is_hide_set());
    let mut places: Vec<String> = match (path.is_empty(), root.find_subcommand(typed)) {
        (false, Some(_)) => vec![format!("`lastgood {typed}`")],
        _ => Vec::new(),
    };
    let others = groups().filter(|group| group.find_subcommand(typed).is_some());
    places.extend(others.map(|group| format!("`lastgood {} {typed}`", group.get_name())));
    match places.as_slice() {
        [] => None,
        [only] => Some(format!("the command is {only}")),
        several => Some(format!("commands of that name are {}", several.join(", "))),
    }
}

/// An error's own text of a kind.
fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// How a tip begins that has somebody pass an option as a value, which nobody wants.
const AS_A_VALUE: &str = "to pass '";

/// How many letters may be wrong in what is taken for a slip.
const SLIPS_MAX: usize = 2;

/// The error without guesses that would send somebody elsewhere: words that only look alike, and `-- -x` for an option that
/// another program has. None of an error that guesses at nothing.
pub(crate) fn without_guesses(error: &Error, command: &Command) -> Option<Error> {
    if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument) {
        return None;
    }
    let typed = text(error, ContextKind::InvalidSubcommand).or_else(|| text(error, ContextKind::InvalidArg));
    let typed = typed.unwrap_or_default().split(['=', ' ']).next().unwrap_or_default();
    let is_near = |guess: &str| strsim::osa_distance(typed, guess) <= SLIPS_MAX;
    let mut plain = Error::new(error.kind()).with_cmd(command);
    for (kind, value) in error.context() {
        let value = match (kind, value) {
            (ContextKind::Suggested, ContextValue::StyledStrs(tips)) => {
                let of_use = tips.iter().filter(|tip| !tip.to_string().starts_with(AS_A_VALUE));
                let of_use: Vec<StyledStr> = of_use.cloned().collect();
                if of_use.is_empty() {
                    continue;
                }
                ContextValue::StyledStrs(of_use)
            }
            (ContextKind::SuggestedSubcommand | ContextKind::SuggestedArg, ContextValue::String(guess)) => {
                if !is_near(guess) {
                    continue;
                }
                value.clone()
            }
            (ContextKind::SuggestedSubcommand, ContextValue::Strings(guesses)) => {
                let near: Vec<String> = guesses.iter().filter(|guess| is_near(guess)).cloned().collect();
                if near.is_empty() {
                    continue;
                }
                ContextValue::Strings(near)
            }
            _ => value.clone(),
        };
        plain.insert(kind, value);
    }
    Some(plain)
}

/// What the standard library says of a number that is none, and what is said here.
const NUMBERS: [(&str, &str); 2] = [
    ("invalid digit found in string", "write a whole number"),
    ("number too large to fit in target type", "the number is too large"),
];

/// A message without words that only programmers know.
pub(crate) fn plainly(message: String) -> String {
    NUMBERS.iter().fold(message, |message, (theirs, ours)| message.replace(theirs, ours))
}

/// The commands that the line names, one in the other.
fn path<'c>(root: &'c Command, arguments: &[OsString]) -> Vec<&'c str> {
    let (mut command, mut path) = (root, Vec::new());
    for word in arguments.iter().skip(1) {
        if let Some(found) = command.find_subcommand(word) {
            path.push(found.get_name());
            command = found;
        }
    }
    path
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, command};

    fn advice(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let error = Cli::try_parse_from(&words).unwrap_err();
        meant(&error, &command(), &words).map(|(_, advice)| advice)
    }

    #[test]
    fn every_word_of_other_programs_gets_the_command_that_does_it() {
        for (line, named) in [
            ("lastgood snapshots", "lastgood pg ls"),
            ("lastgood ls", "lastgood pg ls"),
            ("lastgood dump shop", "lastgood pg dump"),
            ("lastgood -r x backup shop", "lastgood pg dump"),
            ("lastgood pg backup shop", "lastgood pg dump"),
            ("lastgood forget --keep-last 3", "lastgood pg prune"),
            ("lastgood app forget", "lastgood app prune"),
            ("lastgood check", "lastgood pg verify"),
            ("lastgood dict check", "lastgood dict verify"),
            ("lastgood stats", "lastgood pg show"),
            ("lastgood find x", "lastgood pg ls"),
            ("lastgood mount /mnt", "lastgood pg restore KEY --into"),
            ("lastgood unlock", "lastgood pg recover"),
            ("lastgood tag shop keep", "lastgood pg tag add"),
            ("lastgood latest", "lastgood pg show DATABASE"),
            ("lastgood pg latest", "lastgood pg show DATABASE"),
            ("lastgood pg restore shop --latest", "lastgood pg restore DATABASE"),
            ("lastgood pg restore shop --target=other", "--into DATABASE"),
            ("lastgood verify shop", "lastgood pg verify DATABASE"),
            ("lastgood show shop", "lastgood pg show KEY"),
            ("lastgood prune shop", "lastgood pg prune"),
            ("lastgood ec2 prune", "lastgood ec2 trim"),
            ("lastgood rm x", "lastgood pg prune"),
            ("lastgood pg remove x", "lastgood pg prune"),
            ("lastgood create shop", "lastgood pg dump"),
            ("lastgood extract shop", "lastgood pg restore"),
            ("lastgood compact", "`lastgood dict compact`"),
            ("lastgood copy a b", "`lastgood pg copy`"),
            ("lastgood pg doctor", "`lastgood doctor`"),
            ("lastgood pg tag shop keep", "lastgood pg tag add KEY TAG"),
            ("lastgood pg dump shop -t orders", "`--exclude-table`"),
            ("lastgood pg restore shop -t orders", "`--table TABLE`"),
            ("lastgood pg dump shop -Fc", "FORMAT.md"),
            ("lastgood pg dump shop -f x.dump", "-r LOCATION"),
            ("lastgood pg restore shop --clean", "swaps that in"),
            ("lastgood pg verify shop --read-data", "--read all"),
            ("lastgood dict verify --read-data-subset 1/5", "--read 1/7"),
        ] {
            assert!(advice(line).is_some_and(|advice| advice.contains(named)), "{line}: {:?}", advice(line));
        }
        assert_eq!(advice("lastgood pg frobnicate"), None);
        assert_eq!(advice("lastgood pg dump --frobnicate"), None);
    }

    fn shown(line: &str) -> String {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        without_guesses(&Cli::try_parse_from(&words).unwrap_err(), &command()).unwrap().to_string()
    }

    #[test]
    fn a_number_that_is_none_is_told_in_plain_words() {
        let message = |line: &str| plainly(Cli::try_parse_from(line.split_whitespace()).unwrap_err().to_string());
        assert!(message("lastgood pg prune --keep-daily a").contains("'--keep-daily <N>': write a whole number"));
        assert!(message("lastgood pg dump shop --max-shrink 30%").contains("write a whole number"));
        assert!(message("lastgood pg prune --keep-last 99999999999999999999").contains("the number is too large"));
    }

    #[test]
    fn only_slips_are_guessed_at() {
        assert!(shown("lastgood pg restroe x").contains("'restore'"));
        assert!(shown("lastgood pg dump shop --confg x").contains("--config"));
        for line in
            ["lastgood varnish", "lastgood pg reforest x", "lastgood pg dump shop -y", "lastgood pg ls --everything"]
        {
            let shown = shown(line);
            assert!(!shown.contains("tip:") && shown.contains("--help"), "{line}: {shown}");
        }
    }

    /// Every command that an advice names, with the options it names, can be typed.
    #[test]
    fn what_is_advised_exists() {
        let root = command();
        let advices =
            WORDS.iter().flat_map(|word| word.groups.iter().map(|(_, advice)| *advice).chain([word.anywhere]));
        for advice in advices.chain(OPTIONS.iter().map(|(_, _, advice)| *advice)) {
            for line in advice.split('`').skip(1).step_by(2).filter_map(|line| line.strip_prefix("lastgood ")) {
                let mut command = &root;
                for word in line.split(' ') {
                    match word.strip_prefix("--") {
                        Some(long) => assert!(
                            command.get_arguments().any(|argument| argument.get_long() == Some(long)),
                            "`{line}` has no `{word}`"
                        ),
                        None => command = command.find_subcommand(word).unwrap_or(command),
                    }
                }
                assert!(!command.has_subcommands(), "`{line}` ends at a group");
            }
        }
    }
}
