//! The guide for newcomers, done to the letter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use regex_lite::Regex;
use tokio::process::Command;

use crate::ensure_eq;
use crate::harness::failure::{Failure, Within as _};
use crate::harness::{RowResult, World};

const PAGE: &str = include_str!("../../../../docs/guides/postgres-start.md");

/// More than any of its commands needs.
const LIMIT: Duration = Duration::from_secs(120);

/// What differs from run to run and machine to machine, and what stands for it in a comparison.
const VARIES: [(&str, &str); 9] = [
    (r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{6}", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DATE"),
    (r"\d{4}-W\d\d", "WEEK"),
    (r"\d[\d.,]* (B|KiB|MiB|ms|s|min)\b", "MUCH"),
    (r"(just now|MUCH ago)", "AGE"),
    (r"\b(127\.0\.0\.1|localhost):\d+", "SERVER"),
    (r"/\S+/bin/pg_(dump|restore)", "PROGRAM"),
    (r"\b\d+\.\d+( \(Debian [^)]*\))?", "VERSION"),
    (r"\d jobs", "JOBS"),
];

/// A block of the page.
#[derive(Debug, PartialEq, Eq)]
enum Block<'p> {
    /// A file that the line before names.
    File { name: &'p str, text: String },
    /// A command, and what it prints.
    Command { line: &'p str, prints: String },
}

pub(super) async fn first_night(world: &World) -> RowResult {
    let mut commands = 0;
    for block in blocks(PAGE) {
        match block {
            Block::File { name, text } => {
                let path = world.folder().join(name);
                fs::write(&path, &text)?;
                let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
                fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            }
            Block::Command { line, prints } => {
                commands += 1;
                let printed = run(world, line).await.within(line)?;
                ensure_eq!(comparable(&printed), comparable(&prints), "`{line}` printed:\n{printed}");
            }
        }
    }
    crate::ensure!(commands > 10, "the guide has {commands} commands: they are not found in it");
    Ok(())
}

/// What it prints, on both streams.
async fn run(world: &World, line: &str) -> RowResult<String> {
    let program = world.lastgood_binary().parent().unwrap_or(world.folder());
    let path = format!("{}:{}", program.display(), world.cluster().bin_dir().display());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(world.folder()).env_clear().kill_on_drop(true);
    command.envs(world.environment().into_iter().filter(|(name, _)| name != "LASTGOOD_REPO" && name != "PATH"));
    command.env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap_or_default()));
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| Failure::new(format!("it did not end within {LIMIT:?}")))??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure_eq!(output.status.code(), Some(0), "exit code after printing:\n{printed}");
    Ok(printed)
}

fn comparable(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, stands) in VARIES {
        if let Ok(pattern) = Regex::new(pattern) {
            text = pattern.replace_all(&text, stands).into_owned();
        }
    }
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The files and commands of a page, in order. A file is named in bold code on the last line before its block.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut named = None;
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            let bold = line.trim().strip_prefix("**`").and_then(|rest| rest.split_once("`**")).map(|(name, _)| name);
            named = if line.is_empty() { named } else { bold };
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if language == "console" {
            for line in body {
                match (line.strip_prefix("$ "), blocks.last_mut()) {
                    (Some(line), _) => blocks.push(Block::Command { line, prints: String::new() }),
                    (None, Some(Block::Command { prints, .. })) => prints.push_str(&format!("{line}\n")),
                    (None, _) => {}
                }
            }
        } else if let Some(name) = named.take() {
            blocks.push(Block::File { name, text: format!("{}\n", body.join("\n")) });
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_that_are_named_and_commands_have_what_they_print() {
        let page = "**`a.sql`**\n\n```sql\nSELECT 1\n```\n\ntext\n\n```sh\nnot run\n```\n\n```console\n$ one\nsays\n$ two\n```\n";
        assert_eq!(
            blocks(page),
            [
                Block::File { name: "a.sql", text: "SELECT 1\n".into() },
                Block::Command { line: "one", prints: "says\n".into() },
                Block::Command { line: "two", prints: String::new() },
            ]
        );
    }

    #[test]
    fn counts_are_compared_and_times_are_not() {
        assert_eq!(comparable("3 tables,  52,357 rows in 1.2 s\n\n"), "3 tables, 52,357 rows in MUCH");
    }

    #[test]
    fn every_pattern_is_one() {
        for (pattern, _) in VARIES {
            Regex::new(pattern).unwrap();
        }
    }
}
