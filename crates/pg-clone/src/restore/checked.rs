//! A dump that was looked at before it is restored.

use backup_core::manifest::Manifest;

use crate::adapters::pg_tools::{Need, Tool};
use crate::error::PgResult;
use crate::restore::prepared::Restore;
use crate::restore::tools::SchemaArchive;
use crate::restore::{select, tools};
use crate::stored::database_settings::DatabaseSettings;
use crate::stored::detail::DumpDetail;
use crate::stored::{legacy, verify};

/// How much of a dump is looked at before it is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Every stored byte.
    Everything,
    /// Whether all is there and as long as it was, and the archive of the schema.
    Presence,
}

/// A dump whose stored bytes have been read, as far as was asked, and found to be what was written.
pub(super) enum Checked {
    Ours { manifest: Box<Manifest<DumpDetail>>, archive: SchemaArchive },
    Legacy { tool: Tool },
}

impl Checked {
    pub(super) async fn open(restore: &Restore, reading: Reading) -> PgResult<Self> {
        let Restore { store, options, run, plan, .. } = restore;
        run.step("restore.check", &plan.key);
        let need = Need::server(plan.server_major);
        let need = match plan.manifest() {
            Some(manifest) => need.reading(&manifest.detail.pg_dump_version),
            None => {
                let header = legacy::open(&**store, plan.legacy_object()?).await?.header;
                need.reading(header.pg_dump_version.as_deref().unwrap_or_default())
            }
        };
        let tool = Tool::find("pg_restore", need, options.pg_bin.as_deref()).await?;
        if tool.sends_unknown_setting() {
            run.progress.warn(format!(
                "`pg_restore` {} is newer than the server ({}) and sets a parameter that the server does not know: \
                 these errors are ignored, and indexes are built one at a time; the programs of version {} build them \
                 in parallel",
                tool.major, plan.server_major, plan.server_major
            ));
        }
        let Some(manifest) = plan.manifest() else {
            let object = plan.legacy_object()?;
            if reading == Reading::Everything {
                tools::check_stream(&tool, &**store, object).await?;
            }
            return Ok(Self::Legacy { tool });
        };
        if reading == Reading::Presence {
            verify::check_presence(&**store, manifest, plan.part.is_some()).await?;
        } else if plan.part.is_some() {
            select::check_needed(&**store, &plan.key, manifest, options.jobs, &run.progress).await?;
        } else {
            verify::check_stored(&**store, manifest, options.jobs, &run.progress).await?;
        }
        let bytes = select::schema_archive(&**store, &plan.key, manifest).await?;
        let unwanted = &manifest.detail.excluded_foreign_keys;
        let mut archive = SchemaArchive::open(tool, &bytes, &plan.key, unwanted).await?;
        if let Some(part) = &plan.part {
            archive = archive.without(&part.left_out, &plan.key)?;
        }
        Ok(Self::Ours { manifest: Box::new(manifest.clone()), archive })
    }

    pub(super) fn settings(&self) -> Option<&DatabaseSettings> {
        match self {
            Self::Ours { manifest, .. } => Some(&manifest.detail.database),
            Self::Legacy { .. } => None,
        }
    }
}
