//! Texts of libraries speak of options and operations; only the command line has flags and commands.

use super::lexer::strings;
use super::production::{is_production, shipped};

/// The libraries.
const CRATES: [&str; 6] = [
    "crates/backup-core/src/",
    "crates/dictstore-backup/src/",
    "crates/ec2-snapshots/src/",
    "crates/glacier-archive/src/",
    "crates/object-backup/src/",
    "crates/pg-clone/src/",
];

/// The beginning of a command of ours, as texts quote it.
const COMMAND: &str = "`lastgood ";

/// Every text in the file at `path` that names a flag or a command.
pub(crate) fn faults(path: &str, text: &str) -> Vec<String> {
    if !is_production(&CRATES, path) || is_script(path) {
        return Vec::new();
    }
    strings(text)
        .into_iter()
        .filter(|literal| names_flag(&literal.text) || literal.text.contains(COMMAND))
        .map(|literal| literal.line)
        .filter(shipped(text))
        .map(|line| {
            format!("{path}:{line}: a library's text names no flag or command: write a `remedy!` of a `Setting` or `Operation`")
        })
        .collect()
}

/// Whether the texts of a file are programs for another machine's shell, which have flags of their own.
fn is_script(path: &str) -> bool {
    path.ends_with("/script.rs") || path.contains("/script/")
}

/// Whether a text names a flag among other words. One that is nothing else is an argument for a program.
fn names_flag(text: &str) -> bool {
    let is_long = |at: usize| text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
    let stands_alone = |at: usize| text[..at].ends_with(|c: char| c.is_whitespace() || "`(".contains(c));
    let long = text.match_indices("--").any(|(at, _)| stands_alone(at) && is_long(at));
    // One letter behind a dash is often another program's, such as the server's own `-c`.
    let short = text.match_indices("`-").any(|(at, _)| text[at + 2..].chars().nth(1) == Some('`'));
    long || short
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "crates/pg-clone/src/restore/load.rs";

    fn file(line: &str) -> String {
        format!("//! One.\nfn a() {{\n{line}\n}}\n")
    }

    #[test]
    fn flags_and_commands_are_found() {
        for line in [
            "a(\"use --force\")",
            "a(\"run `lastgood pg ls` to\")",
            "a(\"choose with `-r`\")",
            "a(\"confirm (--yes)\")",
            "format!(\"a\\\n    --into NAME\")",
        ] {
            assert_eq!(faults(HOME, &file(line)).len(), 1, "{line}");
            for path in
                ["crates/cli/src/render/remedy.rs", "crates/pg-clone/tests/a.rs", "crates/pg-clone/src/a/tests.rs"]
            {
                assert_eq!(faults(path, &file(line)), [""; 0], "{path}: {line}");
            }
        }
    }

    #[test]
    fn arguments_of_programs_and_other_dashes_are_let_through() {
        for line in [
            "command.arg(\"--no-owner\")",
            "a(\"--jobs={n}\")",
            "// \"use --force\"",
            "a(\"Type--table\")",
            "a(\"a - b\")",
            "a(\" -1 byte\")",
            "a(\"this lastgood is older\")",
            "a(\"-\")",
        ] {
            assert_eq!(faults(HOME, &file(line)), [""; 0], "{line}");
        }
        assert_eq!(faults("crates/ec2-snapshots/src/freeze/script/hold.rs", &file("a(\"run --quiet x\")")), [""; 0]);
        assert_eq!(faults(HOME, "#[cfg(test)]\nmod tests {\n    fn a() { b(\"use --force\") }\n}\n"), [""; 0]);
    }
}
