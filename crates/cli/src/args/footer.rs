//! The end of every `--help` page: examples, and the exit codes that the command can end with.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Command;
use clap::builder::Styles;

use crate::args::examples;
use crate::args::reach::{Footer, Reach};
use crate::exit::TABLE;

/// The command with a footer on its page and on those of all commands below it. `globals` says on those where the options of
/// every command are.
pub(crate) fn attach(command: Command, globals: Option<&str>) -> Command {
    below(command, "", globals)
}

fn below(command: Command, path: &str, globals: Option<&str>) -> Command {
    let command = match footer(path) {
        Some(footer) => command.after_long_help(text(footer, globals.filter(|_| !path.is_empty()))),
        None => command,
    };
    command.mut_subcommands(|child| {
        let path = format!("{path} {}", child.get_name());
        below(child, path.trim_start(), globals)
    })
}

/// Every footer of this binary's commands.
fn footers() -> impl Iterator<Item = &'static Footer> {
    examples::FOOTERS
        .iter()
        .chain(examples::ec2::FOOTERS)
        .chain(examples::archives::FOOTERS)
        .chain(examples::names::FOOTERS)
        .filter(|footer| is_built(footer.path))
}

/// Whether this binary has the command: each group of commands is a feature of it.
fn is_built(path: &str) -> bool {
    match path.split(' ').next() {
        Some("pg") => cfg!(feature = "pg"),
        Some("dict") => cfg!(feature = "dict"),
        Some("app") => cfg!(feature = "app"),
        Some("ec2") => cfg!(feature = "ec2"),
        Some("glacier") => cfg!(feature = "glacier"),
        _ => true,
    }
}

fn footer(path: &str) -> Option<&'static Footer> {
    footers().find(|footer| footer.path == path)
}

/// The codes of a command, or of all commands of a group.
fn exits(of: &'static Footer) -> BTreeSet<u8> {
    let is_below = |footer: &&Footer| of.path.is_empty() || footer.path.starts_with(&format!("{} ", of.path));
    let group: Vec<&Footer> = footers().filter(|footer| of.reach == Reach::Group && is_below(footer)).collect();
    std::iter::once(of)
        .chain(group)
        .flat_map(|footer| footer.reach.exits().iter().chain(footer.more))
        .map(|exit| exit.code())
        .collect()
}

fn text(footer: &'static Footer, globals: Option<&str>) -> String {
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text =
        globals.map_or_else(String::new, |globals| format!("{header}Global options:{header:#} {globals}\n\n"));
    text.push_str(&format!("{header}Examples:{header:#}\n"));
    let is_ours = |line: &str| is_built(line.trim_start_matches("lastgood "));
    for (line, what) in footer.examples.iter().filter(|(line, _)| is_ours(line)) {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "  {literal}{line}{literal:#}\n          {what}");
    }
    let _written = write!(text, "\n{header}Exit codes:{header:#}");
    let listed = exits(footer);
    for (exit, meaning) in TABLE.iter().filter(|(exit, _)| listed.contains(&exit.code())) {
        let _written = write!(text, "\n  {:>3}  {meaning}", exit.code());
    }
    text
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use super::*;
    use crate::args::{Cli, command};
    use crate::exit::Exit;
    use clap::Parser as _;

    /// Paths of all commands somebody can see the help of.
    fn paths(command: &Command, path: &str) -> Vec<String> {
        let mut all = vec![path.to_owned()];
        for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
            all.extend(paths(child, format!("{path} {}", child.get_name()).trim_start()));
        }
        all
    }

    /// The words of a command line as a shell takes them, up to a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quoted, mut word) = (Vec::new(), false, String::new());
        for letter in line.chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        words.push(word);
        words.into_iter().take_while(|word| word != "|" && word != ">").collect()
    }

    #[test]
    fn every_command_has_a_footer_and_every_footer_a_command() {
        let mut commands = paths(&command(), "");
        let mut footers: Vec<&str> = super::footers().map(|footer| footer.path).collect();
        commands.sort();
        footers.sort_unstable();
        assert_eq!(commands, footers);
    }

    #[test]
    fn every_example_can_be_typed_and_is_of_its_command() {
        for footer in footers() {
            assert!((1..=3).contains(&footer.examples.len()), "{}", footer.path);
            for (line, _) in footer.examples {
                assert!(line.starts_with(format!("lastgood {}", footer.path).trim_end()), "{line}");
                if let Err(error) = Cli::try_parse_from(words(line)) {
                    panic!("{line}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_page_lists_the_codes_of_its_command_alone_and_a_group_those_of_its_commands() {
        let codes = |path: &str| exits(footer(path).unwrap()).into_iter().collect::<Vec<u8>>();
        assert_eq!(codes("version"), [0, 1, 2]);
        assert_eq!(codes("pg ls"), [0, 1, 2, 10, 12, 13, 16, 21, 130, 143]);
        assert!(codes("pg").contains(&14) && !codes("pg ls").contains(&14));
        let reserved = [Exit::RestoreTest].map(Exit::code);
        let all: Vec<u8> = TABLE.iter().map(|(exit, _)| exit.code()).filter(|code| !reserved.contains(code)).collect();
        assert_eq!(codes(""), all);
    }

    #[test]
    fn the_footer_is_on_the_long_page() {
        let mut command = command();
        let page = command.find_subcommand_mut("version").unwrap().render_long_help().to_string();
        assert!(
            page.ends_with(
                "Exit codes:\n    0  success\n    1  failed; the error says what is still safe\n    2  \
                                invalid command line or setting\n"
            ),
            "{page}"
        );
    }
}
