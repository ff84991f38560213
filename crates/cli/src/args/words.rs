//! Words of other programs for backups, and which command does here what they mean there. Somebody who types `snapshots` knows what he
//! wants; a guess by likeness of letters would send him elsewhere.

mod commands;
mod options;

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use commands::WORDS;
use options::OPTIONS;

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
    let Some(group) = path.first() else { return Some(word.anywhere) };
    // Whoever named a kind of backup means no other.
    word.groups.iter().find(|(name, _)| name == group).map(|(_, advice)| *advice)
}

/// Where a command is that is typed at another place.
fn elsewhere(root: &Command, typed: &str, path: &[&str]) -> Option<String> {
    let groups = || root.get_subcommands().filter(|group| group.has_subcommands() && !group.is_hide_set());
    let mut places: Vec<String> = match (path.is_empty(), root.find_subcommand(typed)) {
        (false, Some(_)) => vec![format!("`lastgood {typed}`")],
        _ => Vec::new(),
    };
    // Whoever named a kind of backup means no other.
    let others = groups().filter(|group| path.is_empty() && group.find_subcommand(typed).is_some());
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
pub(crate) fn without_guesses(error: &Error, command: &Command, arguments: &[OsString]) -> Option<Error> {
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
    // The line of usage shows what was guessed at as if it had been typed.
    if error.kind() == ErrorKind::UnknownArgument && plain.get(ContextKind::SuggestedArg).is_none() {
        plain.insert(ContextKind::Usage, ContextValue::StyledStr(usage(command, arguments)));
    }
    Some(plain)
}

/// How the command that the line names is used.
fn usage(root: &Command, arguments: &[OsString]) -> StyledStr {
    let mut command = root.clone();
    command.build();
    let path = path(root, arguments);
    let found = path.iter().try_fold(&mut command, |command, name| command.find_subcommand_mut(name));
    found.map_or_else(|| root.clone().render_usage(), Command::render_usage)
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
            ("lastgood copy a b", "`lastgood pg copy DATABASE NAME`"),
            ("lastgood clone a b", "`lastgood pg copy DATABASE NAME`"),
            ("lastgood drop a", "`lastgood pg drop-local NAME`"),
            ("lastgood key add", "not encrypted"),
            ("lastgood repair", "`lastgood pg recover`"),
            ("lastgood dumpall", "for each"),
            ("lastgood pg dumpall", "for each"),
            ("lastgood app export", "lastgood app restore KEY --to ndjson:FOLDER"),
            ("lastgood app import", "lastgood app backup"),
            ("lastgood dict export", "lastgood dict restore --to FILE"),
            ("lastgood dict cat", "lastgood dict restore --to -"),
            ("lastgood dict tag", "no tags"),
            ("lastgood glacier dump", "lastgood glacier backup"),
            ("lastgood pg dump --all", "for each"),
            ("lastgood pg prune --last 3", "--keep-last N"),
            ("lastgood app prune --last 3", "--keep-last N"),
            ("lastgood pg restore shop --name x", "--into NAME"),
            ("lastgood pg restore shop --as x", "--into NAME"),
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
        for line in [
            "lastgood glacier copy",
            "lastgood dict copy",
            "lastgood ec2 cat",
            "lastgood dict drop",
            "lastgood dict recover",
        ] {
            assert_eq!(advice(line), None, "{line}: another kind of backup");
        }
        assert_eq!(advice("lastgood pg dump --frobnicate"), None);
    }

    fn shown(line: &str) -> String {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        without_guesses(&Cli::try_parse_from(&words).unwrap_err(), &command(), &words).unwrap().to_string()
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
        let shown = shown("lastgood pg dump --alll-of-it");
        assert!(shown.contains("Usage: lastgood pg dump [OPTIONS] [DATABASE]"), "the usage guesses: {shown}");
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
