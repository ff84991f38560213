//! What `-h` means: the host for commands that connect like `psql`, and help for all others; and what `--help-all` means.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Said where `-h` stands without a host.
pub(crate) const HOST_TIP: &str = "here `-h` is the host, as in psql; use `--help` for help";

/// What stands behind a `-h` of a command to which it is help: somebody meant a host, and printing help would pass for a
/// run that ended well.
pub(crate) fn mistaken_host(root: &Command, arguments: &[OsString]) -> Option<String> {
    let mut command = root;
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match word.strip_prefix("-h") {
            // A group's help, or the host.
            Some(_) if command.has_subcommands() || command.is_disable_help_flag_set() => {}
            Some("") => return words.next().filter(|next| !next.starts_with('-')).map(|next| next.into_owned()),
            Some(host) => return Some(host.to_owned()),
            None => command = command.find_subcommand(&*word).unwrap_or(command),
        }
    }
    None
}

/// What asks for a page with everything on it.
const ALL: &str = "--help-all";

/// The arguments with `--help` for `--help-all`, and whether that stood there. What stands behind `--` is no option.
pub(crate) fn with_plain_help(arguments: &[OsString]) -> (Vec<OsString>, bool) {
    let options = arguments.iter().take_while(|argument| *argument != "--").count();
    let is_asked = |(at, argument): (usize, &OsString)| at < options && argument == ALL;
    let plain = arguments.iter().enumerate().map(|one| if is_asked(one) { "--help".into() } else { one.1.clone() });
    (plain.collect(), arguments.iter().enumerate().any(is_asked))
}

/// Whether what clap has to say is a page of help.
pub(crate) fn is_page(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// Whether the error is about a `-h` or `--host` without a host.
pub(crate) fn is_host_missing(error: &Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(argument)) if argument.starts_with("--host "))
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use super::*;
    use crate::args::{Cli, command};
    use clap::Parser;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_host_given_to_a_command_that_takes_none_is_found() {
        for (line, expected) in [
            ("lastgood app backup -h db1 --source postgres:shop", Some("db1")),
            ("lastgood pg prune shop -hdb1", Some("db1")),
            ("lastgood --json dict ls -h db1", Some("db1")),
            ("lastgood pg prune -h", None),
            ("lastgood pg prune -h --json", None),
            ("lastgood -h", None),
            ("lastgood -h pg", None),
            ("lastgood pg -h dump", None),
            ("lastgood pg dump -h db1 shop", None),
            ("lastgood doctor -h db1", None),
        ] {
            assert_eq!(mistaken_host(&command(), &words(line)).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn every_command_that_connects_takes_psqls_options() {
        for line in [
            "pg dump -h h -p 1 -U u -d d",
            "pg ls --local -h h -p 1 -U u -d d",
            "pg restore -h h -p 1 -U u -d d",
            "pg restore key -h h -p 1 -U u",
            "pg copy -h h -p 1 -U u a b",
            "pg drop-local -h h -p 1 -U u a",
            "pg recover -h h -p 1 -U u",
            "pg hooks test -h h -p 1 -U u",
            "doctor -h h -p 1 -U u shop",
        ] {
            Cli::try_parse_from(words(&format!("lastgood {line}"))).unwrap();
            let line = line.split(" -h").next().unwrap();
            let error = Cli::try_parse_from(words(&format!("lastgood {line} -h"))).unwrap_err();
            assert!(is_host_missing(&error) && error.exit_code() == 2, "{line}: {error}");
        }
    }
}
