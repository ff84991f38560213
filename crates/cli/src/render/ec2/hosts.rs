//! Texts about what was done on hosts.

use ec2_snapshots::freeze::{Found, Verdict};
use ec2_snapshots::sync::Synced;

use super::lines;

pub(crate) fn thawed(found: &[Found], host: &str) -> String {
    if found.is_empty() {
        return format!("Nothing was left frozen on {host}");
    }
    lines(found.iter().map(|found| {
        let what = &found.what;
        match found.verdict {
            Verdict::Thawed => format!("thawed     {what}"),
            Verdict::ThawedUnmounted => format!("thawed     {what}, which was unmounted while frozen: mount it again"),
            Verdict::Clean => format!("not frozen {what}"),
            Verdict::Stuck => format!("FROZEN     {what}"),
            Verdict::Live => format!("left alone {what}: this run is still going, and thaws by itself"),
        }
    }))
}

pub(crate) fn synced(synced: &Synced) -> String {
    let mut all = Vec::new();
    if let Some(label) = &synced.label {
        all.push(format!("label `{label}`"));
    }
    if let Some(digest) = &synced.sha256 {
        all.push(format!("SHA-256 of all blocks {digest}"));
    }
    all.push("Copied".to_owned());
    lines(all)
}
