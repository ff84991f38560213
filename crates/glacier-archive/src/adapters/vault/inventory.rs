//! The inventory of a vault: requested once, downloaded in ranges, taken up again where an earlier run ended.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use backup_core::digest::Sha256Digest;
use jiff::{SignedDuration, Timestamp};

use super::Vault;
use super::download::RANGE_BYTES;
use super::jobs::{JobState, VaultJob};
use crate::error::{GlacierError, GlacierResult};

/// How long an inventory job takes at most ("InitiateJob").
const INVENTORY_TAKES: SignedDuration = SignedDuration::from_hours(5);

/// Digits of the digest of a job's id in the name of a file.
const NAME_DIGITS: usize = 16;

/// What there is of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InventoryFile {
    /// It is in this file.
    Ready(PathBuf),
    /// It was requested, and is expected at the latest then.
    Expected(Timestamp),
}

impl Vault {
    /// The inventory, in a file of `folder`: what is ready is downloaded, and where nothing is requested it is requested, unless
    /// there is a file of an earlier one and nobody asks for a `fresh` one. Waits for nothing.
    ///
    /// # Errors
    /// [`GlacierError::NoInventory`] if the service has made none yet; what the service says.
    pub async fn inventory(&self, folder: &Path, name: &str, fresh: bool) -> GlacierResult<InventoryFile> {
        let description = format!("lastgood-inventory {name}");
        let (now, kept, mark) = (self.run.clock.now(), folder.join("inventory.json"), folder.join("inventory.job"));
        let mut jobs = self.jobs().await?;
        jobs.retain(|job| job.description.as_deref() == Some(&description));
        if let Some(job) = jobs.iter().find(|job| job.state == JobState::Running) {
            return Ok(InventoryFile::Expected(job.created.unwrap_or(now) + INVENTORY_TAKES));
        }
        let is_there = |job: &&VaultJob| matches!(job.state, JobState::Succeeded { until } if until.is_none_or(|until| until > now));
        let taken = std::fs::read_to_string(&mark).unwrap_or_default();
        // Only what was requested after the one that is there.
        let newest = jobs.iter().filter(is_there).max_by_key(|job| job.created).filter(|job| job.id != taken);
        if let Some(job) = newest {
            self.take_inventory(job, folder, &kept).await?;
            std::fs::write(&mark, &job.id).map_err(|error| GlacierError::folder("write", &mark, error))?;
            return Ok(InventoryFile::Ready(kept));
        }
        if kept.is_file() && !fresh {
            return Ok(InventoryFile::Ready(kept));
        }
        self.request_inventory(&description).await?;
        Ok(InventoryFile::Expected(now + INVENTORY_TAKES))
    }

    /// Downloads what is missing of the output of `job`.
    async fn take_inventory(&self, job: &VaultJob, folder: &Path, kept: &Path) -> GlacierResult<()> {
        let bytes = job.inventory_bytes.ok_or_else(|| GlacierError::internal("an inventory without a size"))?;
        let digest = Sha256Digest::of(job.id.as_bytes()).to_string();
        let part = folder.join(format!("inventory-{}.part", &digest[..NAME_DIGITS]));
        let failed = |error| GlacierError::folder("write", &part, error);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&part).map_err(failed)?;
        let mut at = file.metadata().map_err(failed)?.len().min(bytes);
        while at < bytes {
            self.run.stop_if_cancelled()?;
            self.run.step("glacier.inventory", &at.to_string());
            let end = (at + RANGE_BYTES).min(bytes);
            let (body, _) = self.run.or_cancelled(self.output(&job.id, at..end, &[])).await?;
            file.write_all(&body).map_err(failed)?;
            at = end;
        }
        file.sync_all().map_err(failed)?;
        std::fs::rename(&part, kept).map_err(failed)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}
