//! What to restore into: a file or nothing. A tool that root's cron runs must not turn a device into a file.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat};

use super::recorded;
use crate::harness::{Failure, RowResult, World};
use crate::rows::dict::plant;
use crate::{ensure, ensure_eq};

/// An option cannot be used.
const USAGE: i32 = 2;

/// How long a command may take that must not wait for somebody at the other end of a FIFO.
const LIMIT: Duration = Duration::from_secs(20);

/// Major and minor number of `/dev/full`: one of our own, which an older program may destroy.
const FULL: (u32, u32) = (1, 7);

/// B-targets.
pub(super) async fn none_is_replaced(world: &World) -> RowResult {
    plant(world, "ours").await?;
    let at = |name: &str| world.folder().join(name);
    let both = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, at("full"), FileType::CharacterDevice, both, makedev(FULL.0, FULL.1))
        .map_err(|errno| Failure::Skipped(format!("a device cannot be made, which needs root: {errno}")))?;
    mkfifoat(CWD, at("fifo"), both)?;
    fs::write(at("precious"), "precious")?;
    symlink(at("precious"), at("link"))?;
    symlink(at("nowhere"), at("dangling"))?;
    let run = |words: &[&str]| world.lastgood(words.iter().copied()).limit(LIMIT);

    for (target, what) in
        [("full", "a device"), ("fifo", "a FIFO"), ("link", "a link"), ("dangling", "a link"), (".", "a folder")]
    {
        for more in [&[][..], &["--force"], &["-n"], &["--force", "-n"]] {
            let restore = [&["dict", "restore", "--to", target, "--format", "json"], more].concat();
            run(&restore).fails(USAGE).await?.says(&format!("`{target}` is {what}"))?;
        }
    }
    run(&["dict", "restore", "--to", "state.json"]).ok().await?;
    symlink(at("precious"), at("link.json"))?;
    run(&["dict", "convert", "state.json", "link.json"]).fails(USAGE).await?.says("a link")?;
    run(&["dict", "verify", "--lock", "fifo"]).fails(1).await?.says("a FIFO")?;

    // Standard output is named as such, and gets exactly what a file would.
    let shown = run(&["dict", "restore", "--to", "-"]).ok().await?;
    ensure_eq!(shown.stdout, fs::read_to_string(at("state.json"))?, "what is on standard output");
    shown.says("into `standard output`")?;
    ensure!(!at("-").exists(), "a file named `-` was made");

    recorded(world, 1).await?;
    for target in ["sqlite:full", "sqlite:fifo"] {
        run(&["app", "restore", "--to", target]).fails(USAGE).await?.says("is not a regular file")?;
    }

    let kind = |name: &str| fs::symlink_metadata(at(name)).map(|found| found.file_type());
    ensure!(kind("full")?.is_char_device() && kind("fifo")?.is_fifo(), "the device or the FIFO was replaced");
    for link in ["link", "dangling", "link.json"] {
        ensure!(kind(link)?.is_symlink(), "the link `{link}` was replaced");
    }
    ensure_eq!(fs::read_to_string(at("precious"))?.as_str(), "precious", "the file behind the links");
    ensure!(!Path::new(&at("nowhere")).exists(), "the dangling link was followed");
    Ok(())
}
