//! A dump that was looked at before it is restored.

use std::collections::BTreeSet;

use backup_core::manifest::Manifest;
use bytes::Bytes;

use crate::adapters::pg_tools::{Need, Tool};
use crate::error::PgResult;
use crate::restore::archive_toc::Entry;
use crate::restore::dependents::{self, Dependents};
use crate::restore::outside::Content;
use crate::restore::prepared::Restore;
use crate::restore::selection::doubtful_keys;
use crate::restore::single_file::Contents;
use crate::restore::tools::SchemaArchive;
use crate::restore::{newer_syntax, outside, select, single_file};
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
    Ours { manifest: Box<Manifest<DumpDetail>>, archive: Box<SchemaArchive>, later: Option<Box<Later>> },
    Legacy { tool: Tool, contents: Option<Box<Contents>> },
}

/// What can be made only in the database of the right name, after the switch.
pub(super) struct Later {
    /// The extensions, for people.
    pub(super) extensions: String,
    pub(super) manifest: Manifest<DumpDetail>,
    pub(super) archive: SchemaArchive,
}

/// Tells of a `pg_restore` that sets what the server does not know.
fn tell_newer(Restore { plan, run, .. }: &Restore, tool: &Tool) {
    if tool.sends_unknown_setting() {
        run.progress.warn(format!(
            "`pg_restore` {} is newer than the server ({}) and sets a parameter that the server does not know: \
             these errors are ignored, and indexes are built one at a time; the programs of version {} build them \
             in parallel",
            tool.major, plan.server_major, plan.server_major
        ));
    }
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
        tell_newer(restore, &tool);
        let Some(manifest) = plan.manifest() else {
            let object = plan.legacy_object()?;
            let contents = Contents::read(&**store, object, &plan.key, &options.allow_outside).await?;
            if let Some(contents) = &contents {
                tell_superuser(restore, &contents.entries());
            }
            if reading == Reading::Everything {
                single_file::check(&tool, &**store, object).await?;
            }
            return Ok(Self::Legacy { tool, contents: contents.map(Box::new) });
        };
        if reading == Reading::Presence {
            verify::check_presence(&**store, manifest, plan.part.is_some()).await?;
        } else if plan.part.is_some() {
            select::check_needed(&**store, &plan.key, manifest, options.jobs, &run.progress).await?;
        } else {
            verify::check_stored(&**store, manifest, options.jobs, &run.progress).await?;
        }
        let bytes = schema_archive(restore, manifest).await?;
        let unwanted = &manifest.detail.excluded_foreign_keys;
        let mut archive = SchemaArchive::open(tool.clone(), &bytes, &plan.key, unwanted).await?;
        let entries = select::entries(&bytes, &plan.key)?;
        let emptied = &manifest.detail.filters.emptied;
        if !emptied.is_empty() {
            archive = archive.doubting(doubtful_keys(&entries, emptied));
        }
        if !options.no_acl
            && let Some(told) = closed_public(&entries, manifest.detail.server.major(), plan.server_major)
        {
            run.progress.warn(told);
        }
        if let Some(part) = &plan.part {
            archive = archive.without(&part.left_out, &plan.key)?;
        }
        let bound: Vec<&str> = dependents::bound(&manifest.detail).iter().map(|bound| bound.extension).collect();
        if bound.is_empty() {
            return Ok(Self::Ours { manifest: Box::new(manifest.clone()), archive: Box::new(archive), later: None });
        }
        let found = Dependents::of(&entries, &bound);
        let (with, without) = found.part(&manifest.detail);
        let left_out = plan.part.as_ref().map(|part| &part.left_out);
        let ids = found.ids.iter().filter(|id| left_out.is_none_or(|left_out| !left_out.contains(id))).copied();
        let ids: BTreeSet<u32> = ids.collect();
        archive = archive.without(&ids, &plan.key)?;
        let later = Later {
            extensions: format!("extension {}", bound.join(", ")),
            manifest: of_part(manifest, with),
            archive: SchemaArchive::open(tool, &bytes, &plan.key, unwanted).await?.only(&ids),
        };
        let manifest = Box::new(of_part(manifest, without));
        Ok(Self::Ours { manifest, archive: Box::new(archive), later: Some(Box::new(later)) })
    }

    /// Whether several jobs restore it.
    pub(super) fn has_workers(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// As before the first attempt, for another copy.
    pub(super) fn begin_again(&mut self) {
        if let Self::Ours { archive, .. } = self {
            archive.begin_again();
        }
    }

    /// What is made after the switch, if there is anything.
    pub(super) fn later(&self) -> Option<&Later> {
        match self {
            Self::Ours { later, .. } => later.as_deref(),
            Self::Legacy { .. } => None,
        }
    }

    pub(super) fn settings(&self) -> Option<&DatabaseSettings> {
        match self {
            Self::Ours { manifest, .. } => Some(&manifest.detail.database),
            Self::Legacy { .. } => None,
        }
    }
}

/// The archive of the schema, whose statements were read before any program gets it.
async fn schema_archive(restore: &Restore, manifest: &Manifest<DumpDetail>) -> PgResult<Bytes> {
    let Restore { store, options, plan, .. } = restore;
    outside::refuse_settings(&manifest.detail.database, &plan.key, &options.allow_outside)?;
    let bytes = select::schema_archive(&**store, &plan.key, manifest).await?;
    outside::refuse(&bytes, Content::Schema, &plan.key, &options.allow_outside)?;
    // What is left out for the server's sake may have been within a string, and then the rest is read in another way.
    if let Ok(Some(changed)) = newer_syntax::for_server(&bytes, plan.server_major) {
        outside::refuse(&changed, Content::Schema, &plan.key, &options.allow_outside)?;
    }
    tell_superuser(restore, &select::entries(&bytes, &plan.key)?);
    Ok(bytes)
}

/// Functions of a dump may do what the restoring role may.
fn tell_superuser(restore: &Restore, entries: &[Entry]) {
    let Some(role) = restore.plan.superuser.as_ref().filter(|_| outside::has_code(entries)) else { return };
    restore.run.progress.warn(format!(
        "the role `{role}` is a superuser, and so whatever functions of the dump do while it is restored can do anything on the \
         server: a role with CREATEDB that owns the database is safer"
    ));
}

fn of_part(manifest: &Manifest<DumpDetail>, detail: DumpDetail) -> Manifest<DumpDetail> {
    let mut part = manifest.clone();
    part.detail = detail;
    part
}

/// What to tell where everybody could create in the schema `public` and nobody is going to be able to: PostgreSQL 15 took that
/// right away from new databases, and a `pg_dump` before it does not say who had it by default.
fn closed_public(entries: &[Entry], dumped_major: u32, server_major: u32) -> Option<String> {
    const CLOSED_MAJOR: u32 = 15;
    let is_said = entries.iter().any(|entry| entry.kind == "ACL" && entry.name == "SCHEMA public");
    (dumped_major < CLOSED_MAJOR && server_major >= CLOSED_MAJOR && !is_said).then(|| {
        format!(
            "in the dump, of PostgreSQL {dumped_major}, every role could create objects in the schema `public`; in databases of \
             PostgreSQL {server_major} only their owner can: `GRANT CREATE ON SCHEMA public TO …` lets others"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_everybody_loses_is_told() {
        let entry = |kind: &str, name: &str| Entry {
            id: 1,
            kind: kind.to_owned(),
            schema: None,
            name: name.to_owned(),
            needs: Vec::new(),
        };
        let silent = [entry("TABLE", "SCHEMA public"), entry("ACL", "TABLE t")];
        assert!(closed_public(&silent, 14, 18).unwrap().contains("GRANT CREATE"));
        assert_eq!(closed_public(&silent, 14, 14), None);
        assert_eq!(closed_public(&silent, 15, 18), None);
        assert_eq!(closed_public(&[entry("ACL", "SCHEMA public")], 14, 18), None, "the dump says who can");
    }
}
