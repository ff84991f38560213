//! What one file of ours may not contain.

use std::path::Path;

use super::lexer::code_only;

/// Macros that must not stay in code.
const UNFINISHED_MACROS: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];

/// Notes to oneself that belong in an issue. Spelt in two halves, or this file would be a fault.
const NOTES: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

/// Beginnings of absolute paths that exist on one machine only.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Beginnings of names of AWS crates: those of clients, and those that clients are made from.
const AWS_CLIENTS: [&str; 2] = [concat!("aws_", "sdk_"), concat!("aws_", "smithy_")];
const AWS_SETTINGS: [&str; 3] = [concat!("aws_", "config"), concat!("aws_", "credential_"), concat!("aws_", "types")];

/// Where alone clients are made ready: credentials, region, endpoint and time limits, with the SDK's retries off.
const AWS_ROOM: &str = "crates/backup-core/src/aws";

/// The client that the core itself has.
const S3_STORE: &str = "crates/backup-core/src/store/s3";

/// One file, by its path relative to the root.
#[derive(Debug)]
pub(crate) struct SourceFile<'a> {
    path: String,
    text: &'a str,
}

impl<'a> SourceFile<'a> {
    /// The file at `path` with content `text`.
    pub(crate) fn new(path: &Path, text: &'a str) -> Self {
        Self { path: path.to_string_lossy().into_owned(), text }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its content.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Whether it is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Everything wrong with it but its length.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.words();
        if self.is_rust() {
            faults.extend(self.rust());
        } else if self.is_member_manifest() && !self.inherits_lints() {
            faults.push(format!("{}: needs `[lints]` with `workspace = true`", self.path));
        } else if self.path.ends_with(".sh") {
            faults.push(format!("{}: write it in Rust, as a command of xtask", self.path));
        }
        faults
    }

    fn words(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            let place = format!("{}:{}", self.path, number + 1);
            if let Some(word) = NOTES.iter().find(|word| has_word(line, word)) {
                faults.push(format!("{place}: `{word}`: finish it or open an issue"));
            }
            if let Some(path) = MACHINE_PATHS.iter().find(|path| has_path(line, path)) {
                faults.push(format!("{place}: the path `{path}…` exists on one machine only"));
            }
        }
        faults
    }

    fn rust(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.text.starts_with("//!") {
            faults.push(format!("{}: must begin with one sentence after `//!`", self.path));
        }
        if self.path.ends_with("/mod.rs") {
            let folder = self.path.trim_end_matches("/mod.rs");
            faults.push(format!("{}: name it `{folder}.rs`", self.path));
        }
        let may_configure_aws = self.path.starts_with(AWS_ROOM);
        let may_call_aws = may_configure_aws || self.path.starts_with(S3_STORE) || self.path.contains("/adapters/");
        for (number, line) in code_only(self.text).lines().enumerate() {
            let place = format!("{}:{}", self.path, number + 1);
            if let Some(name) = UNFINISHED_MACROS.iter().find(|name| line.contains(**name)) {
                faults.push(format!("{place}: `{name}` must not stay"));
            }
            if AWS_CLIENTS.iter().any(|name| line.contains(name)) && !may_call_aws {
                faults.push(format!("{place}: only `aws/`, the S3 store and `adapters/` name clients of AWS"));
            }
            if AWS_SETTINGS.iter().any(|name| line.contains(name)) && !may_configure_aws {
                faults.push(format!("{place}: make clients from `backup_core::aws::Settings`, which has no retries"));
            }
        }
        faults
    }

    /// Whether it is the manifest of a crate of this workspace. Projects of strangers are none.
    fn is_member_manifest(&self) -> bool {
        self.path.ends_with("/Cargo.toml") && !self.path.starts_with("examples/foreign/")
    }

    fn inherits_lints(&self) -> bool {
        let mut lines = self.text.lines().map(str::trim).skip_while(|line| *line != "[lints]");
        lines.nth(1) == Some("workspace = true")
    }
}

/// Whether `word` stands in `line` as a word of its own; `mktemp`'s longer runs of the same letter are none.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word))
}

/// Whether an absolute path in `line` begins with `path`: `a/root/b` is none.
fn has_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "_-./~$}>".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        SourceFile::new(Path::new(path), text).faults()
    }

    #[test]
    fn clean_files_pass() {
        let text = "//! One sentence.\n\nfn a() { b(\"dbg! todo!\") } // aws sdk\n";
        assert!(faults("crates/a/src/lib.rs", text).is_empty());
        assert!(faults("crates/a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n").is_empty());
        assert!(faults("a.md", "mktemp XXXXXX, target/root/x").is_empty());
    }

    #[test]
    fn each_rule_finds_its_fault() {
        for (path, text) in [
            ("crates/a/src/lib.rs", "fn a() {}\n"),
            ("crates/a/src/b/mod.rs", "//! One.\n"),
            ("crates/a/src/lib.rs", "//! One.\nfn a() { dbg!(1); }\n"),
            ("crates/a/src/lib.rs", "//! One.\nfn a() { todo!() }\n"),
            ("crates/a/src/lib.rs", concat!("//! One.\nuse aws_", "sdk_s3::Client;\n")),
            ("crates/a/src/lib.rs", concat!("//! One.\n// FIX", "ME later\n")),
            ("a.md", concat!("XX", "X: later")),
            ("a.md", concat!("see `/wo", "rk/a`")),
            ("a.md", concat!("/ro", "ot/.cargo")),
            ("crates/a/Cargo.toml", "[package]\n"),
            ("crates/a/run.sh", "echo\n"),
        ] {
            assert_eq!(faults(path, text).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn the_aws_client_is_named_in_its_homes() {
        let text = concat!("//! One.\nuse aws_", "sdk_s3::Client;\n");
        assert!(faults("crates/backup-core/src/store/s3.rs", text).is_empty());
        assert!(faults("crates/backup-core/src/store/s3/parts.rs", text).is_empty());
        assert!(faults("crates/backup-core/src/aws/request_error.rs", text).is_empty());
        assert!(faults("crates/ec2-snapshots/src/adapters/ec2.rs", text).is_empty());
        assert_eq!(faults("crates/backup-core/src/store/fs.rs", text).len(), 1);
    }

    #[test]
    fn clients_are_made_ready_in_one_room() {
        let text = concat!("//! One.\nlet sdk = aws_", "config::load_defaults(version).await;\n");
        assert!(faults("crates/backup-core/src/aws/settings.rs", text).is_empty());
        for elsewhere in ["crates/backup-core/src/store/s3.rs", "crates/ec2-snapshots/src/adapters/ec2.rs"] {
            assert_eq!(faults(elsewhere, text).len(), 1, "{elsewhere}");
        }
    }
}
