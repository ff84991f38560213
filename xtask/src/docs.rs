//! The generated pages of docs/reference: written by the built binary, and never by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Profile, Workspace};

/// Where the pages are, below the root.
const REFERENCE: &str = "docs/reference";

/// Pages by file name.
type Pages = BTreeMap<String, String>;

/// Writes the pages; with `--check` only compares.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.build(Profile::Dev)?;
    match args {
        [] => write(workspace),
        [only] if only == "--check" => check(workspace),
        _ => Err("`cargo xtask docs` takes `--check` or nothing".into()),
    }
}

/// Fails if a page is not what the built binary writes.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let fresh = generate(workspace)?;
    match stale(&fresh, &read(&workspace.root.join(REFERENCE))) {
        None => {
            say(&format!("docs: {} pages in `{REFERENCE}` are up to date", fresh.len()));
            Ok(())
        }
        Some(page) => Err(format!("`{REFERENCE}/{page}` is not what the binary writes: run `cargo xtask docs`").into()),
    }
}

fn write(workspace: &Workspace) -> Outcome {
    let pages = generate(workspace)?;
    let folder = workspace.root.join(REFERENCE);
    workspace.shell.remove_path(&folder)?;
    workspace.shell.create_dir(&folder)?;
    for (name, text) in &pages {
        fs::write(folder.join(name), text)?;
    }
    say(&format!("docs: wrote {} pages to `{REFERENCE}`", pages.len()));
    Ok(())
}

fn generate(workspace: &Workspace) -> Outcome<Pages> {
    let lastgood = workspace.binary(Profile::Dev, "lastgood");
    let folder = workspace.target.join("reference");
    workspace.shell.remove_path(&folder)?;
    workspace.shell.create_dir(&folder)?;
    cmd!(workspace.shell, "{lastgood} reference --out {folder}").quiet().ignore_stdout().run()?;
    let pages = read(&folder);
    if pages.is_empty() { Err("`lastgood reference` wrote nothing".into()) } else { Ok(pages) }
}

fn read(folder: &Path) -> Pages {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, fs::read_to_string(entry.path()).ok()?)))
        .collect()
}

/// The first page that is missing, different, or no longer written.
fn stale<'a>(fresh: &'a Pages, committed: &'a Pages) -> Option<&'a str> {
    let differs = fresh.iter().find(|(name, text)| committed.get(*name) != Some(text));
    let gone = committed.iter().find(|(name, _)| !fresh.contains_key(*name));
    differs.or(gone).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_left_over_pages_are_stale() {
        let pages = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let fresh: Pages = pages(&[("a.md", "1"), ("b.md", "2")]);
        assert_eq!(stale(&fresh, &fresh), None);
        assert_eq!(stale(&fresh, &pages(&[("a.md", "1"), ("b.md", "3")])), Some("b.md"));
        assert_eq!(stale(&fresh, &pages(&[("b.md", "2")])), Some("a.md"));
        assert_eq!(stale(&fresh, &pages(&[("a.md", "1"), ("b.md", "2"), ("c.md", "")])), Some("c.md"));
    }
}
