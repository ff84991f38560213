//! `lastgood version`.

use serde::Serialize;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

#[derive(Debug, Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    /// Newest format of manifests it reads and writes.
    manifest_format: u64,
    /// Newest layout of locations it reads and writes.
    layout_format: u64,
}

pub(super) fn run(context: &Context) -> CliResult<Exit> {
    let version = Version {
        name: "lastgood",
        version: env!("CARGO_PKG_VERSION"),
        manifest_format: backup_core::manifest::FORMAT,
        layout_format: backup_core::probe::LAYOUT_FORMAT,
    };
    context.printer.result(&version, |version| {
        format!(
            "{} {} (manifest format {}, layout format {})",
            version.name, version.version, version.manifest_format, version.layout_format
        )
    })?;
    Ok(Exit::Ok)
}
