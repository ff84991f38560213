//! Pages of documentation whose commands are run, and whose output is compared with what the page says of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::failure::{Failure, Within as _};
use super::{RowResult, World};
use crate::{ensure, ensure_eq};

/// More than any command of a page needs.
const LIMIT: Duration = Duration::from_secs(120);

/// Fewer commands than any page has.
const COMMANDS_MIN: usize = 10;

/// A block of the page.
#[derive(Debug, PartialEq, Eq)]
enum Block<'p> {
    /// A file that the line before names.
    File { name: &'p str, text: String },
    /// A command, and what it prints.
    Command { line: &'p str, prints: String },
}

/// Runs a page of documents of `--json` in this environment: each has the keys that the page shows, each with a value of
/// that type, and no others.
///
/// # Errors
/// The first command that ends or prints otherwise.
pub async fn documents(world: &World, page: &str, environment: &[(String, String)]) -> RowResult {
    done(world, page, environment, |text| {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let shapes: Vec<String> = documents.map(|document| Ok(shape(&document?))).collect::<RowResult<_>>()?;
        Ok(shapes.join("\n"))
    })
    .await
}

/// Does what a page says, and compares what `comparable` makes of what is printed and what the page says of it.
///
/// # Errors
/// The first command that ends or prints otherwise.
pub async fn done(
    world: &World,
    page: &str,
    environment: &[(String, String)],
    comparable: impl Fn(&str) -> RowResult<String>,
) -> RowResult {
    let mut commands = 0;
    for block in blocks(page) {
        match block {
            Block::File { name, text } => {
                let path = world.folder().join(name);
                fs::write(&path, &text)?;
                let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
                fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            }
            Block::Command { line, prints } => {
                commands += 1;
                let printed = run(world, line, environment).await.within(line)?;
                let [is, should] = [comparable(&printed).within(line)?, comparable(&prints).within(line)?];
                ensure_eq!(is, should, "`{line}` printed:\n{printed}");
            }
        }
    }
    ensure!(commands > COMMANDS_MIN, "the page has {commands} commands: they are not found in it");
    Ok(())
}

/// Keys and types of a document; of a list, those of its first entry.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(entries) => format!("[{}]", entries.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (name, shape(value))).collect();
            let fields = fields.into_iter().map(|(name, shape)| format!("{name}: {shape}"));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Runs `line` in a shell as somebody does who has `lastgood` and the server's clients on the `PATH`, and returns what it
/// prints, on both streams.
///
/// # Errors
/// If it takes too long or its exit code is not 0.
pub async fn run(world: &World, line: &str, environment: &[(String, String)]) -> RowResult<String> {
    let program = world.lastgood_binary().parent().unwrap_or(world.folder());
    let path = format!("{}:{}", program.display(), world.cluster().bin_dir().display());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(world.folder()).env_clear().kill_on_drop(true);
    command.envs(world.environment().into_iter().filter(|(name, _)| name != "LASTGOOD_REPO" && name != "PATH"));
    command.env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap_or_default()));
    command.envs(environment.iter().cloned());
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| Failure::new(format!("it did not end within {LIMIT:?}")))??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure_eq!(output.status.code(), Some(0), "exit code after printing:\n{printed}");
    Ok(printed)
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
    fn a_shape_has_every_key_once_whatever_their_order() {
        let value = serde_json::json!({ "b": [{ "c": 1 }, {}], "a": null });
        assert_eq!(shape(&value), "{a: null, b: [{c: number}]}");
    }
}
