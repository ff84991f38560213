//! `lastgood glacier inventory`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use glacier_archive::GlacierError;
use glacier_archive::adapters::vault::InventoryFile;
use glacier_archive::inventory;
use glacier_archive::reconcile::listed;

use crate::args::glacier::Inventory;
use crate::commands::glacier::shared::{Sides, open_vault};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::archives::{Counted, counted};
use crate::render::glacier::within;

/// Bytes of an inventory read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) async fn run(arguments: &Inventory, context: &Context) -> CliResult<Exit> {
    let hot = context.open().await?;
    let sides = Sides::of(&arguments.of, hot, true, context).await?;
    let name = &arguments.of.name;
    let found = match &sides.vault {
        None => {
            let all = listed(&sides.hot, name, &context.run).await?;
            let bytes = all.iter().map(|archive| archive.bytes).sum();
            Counted { vault: None, as_of: None, archives: all.len() as u64, bytes }
        }
        Some(vault) => {
            let mut input = opened(&file(&sides, vault, arguments, context).await?)?;
            let mut bytes = 0;
            let read = inventory::read(&mut input, |archive| {
                bytes += archive.bytes;
                Ok(())
            })?;
            Counted { vault: Some(vault.clone()), as_of: read.made, archives: read.archives, bytes }
        }
    };
    let now = context.run.clock.now();
    context.printer.result(&found, |found| counted(found, now))?;
    Ok(Exit::Ok)
}

/// The file of the vault's inventory, if it is there.
///
/// # Errors
/// [`GlacierError::NotReady`] with when it is expected.
pub(super) async fn file(sides: &Sides, vault: &str, arguments: &Inventory, context: &Context) -> CliResult<PathBuf> {
    let opened = open_vault(vault, context).await;
    match opened.inventory(sides.state.folder(), &arguments.of.name, arguments.fresh).await? {
        InventoryFile::Ready(path) => Ok(path),
        InventoryFile::Expected(at) => Err(GlacierError::NotReady {
            what: format!(
                "the inventory of the vault `{vault}` was requested, expected {}",
                within(at, context.run.clock.now())
            ),
            help: "run the same command again then, without `--fresh`".to_owned(),
        }
        .into()),
    }
}

pub(super) fn opened(path: &Path) -> CliResult<BufReader<File>> {
    let file = File::open(path).map_err(|error| GlacierError::Folder {
        action: "open",
        path: path.display().to_string(),
        source: error.into(),
    })?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}
