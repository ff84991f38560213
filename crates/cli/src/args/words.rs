//! Words of other programs for backups, and which command does here what they mean there. Somebody who types `snapshots` knows what he
//! wants; a guess by likeness of letters would send him elsewhere.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

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
        word: "forget",
        anywhere: "`lastgood pg prune --keep-daily 7` deletes dumps that no rule keeps; `-n` only shows which. \
                                      `app prune`, `dict prune`, `ec2 trim` and `glacier prune` do it for the other kinds of backups",
        groups: &PRUNING,
    },
    Word {
        word: "delete",
        anywhere: "`lastgood pg prune --keep-last 3` deletes dumps that no rule keeps; `-n` only shows which",
        groups: &PRUNING,
    },
    Word {
        word: "check",
        anywhere: "`lastgood pg verify DATABASE --read all` checks a dump, and `lastgood doctor` the location and the server",
        groups: &CHECKING,
    },
    Word {
        word: "stats",
        anywhere: "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all",
        groups: &[
            ("pg", "`lastgood pg show KEY` shows the sizes and rows of a dump, and `lastgood pg ls` those of all"),
            (
                "app",
                "`lastgood app show KEY` shows the sizes and records of a backup, and `lastgood app ls` those of all",
            ),
            (
                "dict",
                "`lastgood dict show FILE` shows the size and records of a backup, and `lastgood dict ls` those of all",
            ),
            ("ec2", "`lastgood ec2 report` sums snapshots up"),
            ("glacier", "`lastgood glacier status` says what is where, and `lastgood glacier ls` lists all backups"),
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

/// Options of other programs.
const OPTIONS: &[(&str, &str)] = &[
    (
        "--latest",
        "the latest complete one is what a name alone means: `lastgood pg restore DATABASE`, `lastgood app restore latest --to TARGET`",
    ),
    (
        "--target",
        "`lastgood pg restore KEY --into DATABASE` restores into another database; `app restore`, `dict restore` and `glacier \
                  restore` take `--to`",
    ),
];

/// What to type instead of what an error is about: the word, and advice.
pub(crate) fn meant(error: &Error, root: &Command, arguments: &[OsString]) -> Option<(String, &'static str)> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = context(ContextKind::InvalidSubcommand)?;
            let word = WORDS.iter().find(|word| word.word == typed)?;
            let advice = match group(root, arguments) {
                None => word.anywhere,
                Some(group) => {
                    let here = word.groups.iter().find(|(name, _)| *name == group);
                    here.map_or(word.anywhere, |(_, advice)| *advice)
                }
            };
            Some((format!("there is no command `{typed}`"), advice))
        }
        ErrorKind::UnknownArgument => {
            let typed = context(ContextKind::InvalidArg)?.split(['=', ' ']).next()?;
            let (option, advice) = OPTIONS.iter().find(|(option, _)| *option == typed)?;
            Some((format!("there is no option `{option}` here"), advice))
        }
        _ => None,
    }
}

/// The group of commands that the line names first.
fn group(root: &Command, arguments: &[OsString]) -> Option<String> {
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    words
        .filter_map(|word| root.find_subcommand(&*word))
        .find(|found| found.has_subcommands())
        .map(|found| found.get_name().to_owned())
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, command};

    fn advice(line: &str) -> Option<&'static str> {
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
        ] {
            assert!(advice(line).is_some_and(|advice| advice.contains(named)), "{line}: {:?}", advice(line));
        }
        assert_eq!(advice("lastgood pg frobnicate"), None);
        assert_eq!(advice("lastgood pg dump --frobnicate"), None);
    }

    /// Every command that an advice names, with the options it names, can be typed.
    #[test]
    fn what_is_advised_exists() {
        let root = command();
        let advices =
            WORDS.iter().flat_map(|word| word.groups.iter().map(|(_, advice)| *advice).chain([word.anywhere]));
        for advice in advices.chain(OPTIONS.iter().map(|(_, advice)| *advice)) {
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
