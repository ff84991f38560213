//! Style as a test: the rules of STYLE.md and ARCHITECTURE.md that a program can check.

mod arrows;
mod dependencies;
mod functions;
mod lexer;
mod map;
mod named;
mod once;
mod production;
pub(crate) mod published;
mod ratchet;
mod rings;
mod source;
mod sql;
mod wording;

use std::fs;
use std::path::{Path, PathBuf};

use crate::printer::{complain, say};
use crate::workspace::{Outcome, Workspace};

use named::Named;
use ratchet::Ratchet;
use rings::Rings;
use source::SourceFile;

/// Folders at the root that hold files of ours.
const OUR_FOLDERS: [&str; 7] = ["crates", "xtask", "tests", "docs", "examples", ".cargo", ".ci"];

/// The written exceptions to the length limits.
const RATCHET: &str = "xtask/ratchet.txt";

/// Checks everything and prints each fault with its place; any fault fails.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut faults = arrows::faults(&workspace.metadata);
    faults.extend(dependencies::check(workspace)?);
    faults.extend(once::check(workspace)?);
    faults.extend(published::faults(&workspace.metadata, Path::exists));
    let mut ratchet = Ratchet::parse(&fs::read_to_string(workspace.root.join(RATCHET))?)?;
    let mut named = Named::default();
    let mut rings = Rings::default();
    let files = our_files(&workspace.root)?;
    for path in &files {
        let Ok(text) = fs::read_to_string(workspace.root.join(path)) else { continue };
        let file = SourceFile::new(path, &text);
        faults.extend(file.faults());
        faults.extend(sql::faults(file.path(), file.text()));
        faults.extend(wording::faults(file.path(), file.text()));
        faults.extend(ratchet.check_file(&file));
        named.see(file.path(), file.text());
        rings.see(&file);
    }
    faults.extend(rings.faults(&mut ratchet));
    let names: Vec<String> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    faults.extend(map::faults(&fs::read_to_string(workspace.root.join(map::PAGE))?, &names));
    faults.extend(ratchet.leftovers());
    faults.extend(named.faults());
    for fault in &faults {
        complain(&format!("tidy: {fault}"));
    }
    if faults.is_empty() {
        say(&format!("tidy: {} files, nothing to say", files.len()));
        Ok(())
    } else {
        Err(format!("{} faults; STYLE.md and ARCHITECTURE.md say why", faults.len()).into())
    }
}

/// Every file of ours, relative to the root, in order.
fn our_files(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    for folder in OUR_FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    let mut relative: Vec<PathBuf> =
        files.into_iter().filter_map(|path| path.strip_prefix(root).ok().map(Path::to_path_buf)).collect();
    relative.sort();
    Ok(relative)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            // A crate built on its own leaves one of these.
            if entry.file_name() != "target" {
                collect(&entry.path(), files)?;
            }
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
