//! Identities of files, folders and programs of a machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use backup_core::digest::Sha256Digest;
use backup_core::source::{self, Identity};

/// Hexadecimal digits of a command's digest: enough to tell commands apart, too few to try out what an argument was.
const DIGEST_CHARS: usize = 8;

/// The file or folder at `path`, by the one path that all links to it lead to.
pub(super) fn of_path(kind: &str, path: &Path) -> Identity {
    Identity::of_path(kind, &text(resolved(path).as_os_str()))
}

/// The command that `words` are. Its arguments count and are not shown: they may hold anything. Where they name files of the
/// working directory, they count by their whole paths.
pub(super) fn of_command(kind: &str, words: &[String]) -> Identity {
    let counted: Vec<String> = words.iter().map(|word| from_the_root(word)).collect();
    let digest = Sha256Digest::of(counted.join("\0").as_bytes()).to_string();
    let program = words.first().map_or("", String::as_str);
    let program =
        if program.contains('/') { text(resolved(Path::new(program)).as_os_str()) } else { program.to_owned() };
    let host = format!("{}:{program}", source::host());
    Identity { id: format!("{kind}:{host}#{}", &digest[..DIGEST_CHARS]), host }
}

/// The path without links. Of what is not there, that of the folder it is missing in.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let within = || Some(whole.parent()?.canonicalize().ok()?.join(whole.file_name()?));
    whole.canonicalize().ok().or_else(within).unwrap_or(whole)
}

/// The word with the file or folder it begins with, if it does, as a path from the root.
fn from_the_root(word: &str) -> String {
    let fixed = &word[..word.find('{').unwrap_or(word.len())];
    let begins = if Path::new(fixed).exists() { fixed } else { &fixed[..fixed.rfind('/').map_or(0, |at| at + 1)] };
    if begins.is_empty() || begins.starts_with('/') || !Path::new(begins).exists() {
        return word.to_owned();
    }
    let separator = if begins.ends_with('/') { "/" } else { "" };
    format!("{}{separator}{}", text(resolved(Path::new(begins)).as_os_str()), &word[begins.len()..])
}

/// What is no UTF-8 is written so that two names stay two.
fn text(name: &OsStr) -> String {
    name.to_str().map_or_else(|| name.as_bytes().escape_ascii().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_a_file_are_one_source_and_two_files_are_two() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("app.db"), "").unwrap();
        std::fs::create_dir(at("inner")).unwrap();
        std::os::unix::fs::symlink(at("app.db"), at("link.db")).unwrap();
        let id = |name: &str| of_path("sqlite", &at(name)).id;
        assert_eq!(id("link.db"), id("app.db"));
        assert_eq!(id("inner/../app.db"), id("app.db"));
        assert_ne!(id("other.db"), id("app.db"), "one that is not there");
        assert_eq!(id("inner/../other.db"), id("other.db"));
        assert_ne!(of_path("ndjson", &at("app.db")).id, id("app.db"));
        let odd = |byte: u8| of_path("sqlite", Path::new(OsStr::from_bytes(&[b'/', byte]))).id;
        assert_ne!(odd(0xfe), odd(0xff));
    }

    #[test]
    fn commands_are_told_apart_and_their_arguments_are_not_shown() {
        let of = |line: &str| of_command("exec", &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("psql -d shop {table}"), of("psql -d shop {table}"));
        assert_ne!(of("psql -d shop {table}").id, of("psql -d other {table}").id);
        assert!(!of("curl token=hunter2 {type}").to_string().contains("hunter2"));
        // The tests run in the folder of this crate.
        let whole = std::env::current_dir().unwrap().join("src");
        assert_eq!(from_the_root("src/{type}.json"), format!("{}/{{type}}.json", whole.display()));
        assert_eq!(from_the_root("Cargo.toml"), whole.with_file_name("Cargo.toml").display().to_string());
        for word in ["-d", "shop", "{type}", "/srv/{type}.json", "text/plain", "no/such/{type}"] {
            assert_eq!(from_the_root(word), word);
        }
    }
}
