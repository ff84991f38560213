//! Changing the tags of a dump after it was published. The manifest stays as it is.

use backup_core::store::SharedStore;
use backup_core::tags::Whose;

pub use backup_core::tags::{Change, InUse, Retag, RetagPlan, RetagReport, TAG_BYTES_MAX, TAGS_MAX, in_use};

use crate::error::{PgError, PgResult};
use crate::run::Run;
use crate::stored::key::DumpKey;
use crate::stored::list::{self, Found, Listed, Wanted};
use crate::stored::tags_now::name_of;

/// Finds the dump `wanted`, as [`list::find`] does, and plans a change of its tags. Changes nothing.
///
/// # Errors
/// As [`list::find`] and [`Retag::prepare`]; [`PgError::Usage`] for a single-file dump, which has no tags.
pub async fn prepare(store: &SharedStore, wanted: impl Into<Wanted>, change: Change, run: &Run) -> PgResult<Retag> {
    let wanted = wanted.into();
    let found = run.or_cancelled(Box::pin(list::find(&**store, wanted))).await?;
    let (key, original) = match found {
        Found::Ours { key, manifest, .. } => (key, manifest.tags),
        Found::Legacy { key, .. } => {
            return Err(PgError::Usage {
                what: format!("`{key}` is a single-file dump of django-pgclone, which has no tags"),
                help: "nothing was changed".into(),
            });
        }
    };
    let dump = DumpKey::parse(&key)
        .ok_or_else(|| PgError::internal(format!("the key `{key}` of a dump cannot be read"), "nothing was changed"))?;
    let (folder, name, manifest) = (DumpKey::database_folder(&dump.database)?, name_of(&dump), dump.manifest()?);
    let whose = Whose { key, folder, name, manifest, original };
    Ok(Retag::prepare(store, whose, change, run).await?)
}

/// The tags of `dumps`, by name. Pure.
#[must_use]
pub fn of_dumps(dumps: &[Listed]) -> Vec<InUse> {
    in_use(dumps.iter().map(|dump| (dump.key.clone(), dump.time, dump.tags.as_slice())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backup_core::key::Key;
    use backup_core::store::memory::MemoryStore;
    use backup_core::store::{PutMode, PutOptions, StoreWrite};
    use backup_core::tags::TAGS_NAME;
    use backup_core::{Class, Failure as _};
    use bytes::Bytes;

    use super::*;
    use crate::stored::list::Filter;
    use crate::stored::show::{Shown, show};
    use crate::test_dump::{SHOP, TestDump, overwrite};

    fn adding(tags: &[&str]) -> Change {
        Change { add: tags.iter().map(ToString::to_string).collect(), remove: Vec::new() }
    }

    /// Two dumps of a database with a strange name; the older one was made with a tag.
    async fn store() -> (MemoryStore, SharedStore, Vec<String>) {
        let store = MemoryStore::new();
        let mut first = TestDump::new("we/ird 100%", "2026-11-01T03:00:00Z", SHOP).with_sequence(1);
        first.manifest.tags = vec!["made".to_owned()];
        let second = TestDump::new("we/ird 100%", "2026-11-02T03:00:00Z", SHOP).with_sequence(2);
        let keys = vec![first.publish(&store).await, second.publish(&store).await];
        (store.clone(), Arc::new(store), keys)
    }

    async fn retag(store: &SharedStore, wanted: &str, change: Change) -> PgResult<RetagReport> {
        Ok(prepare(store, wanted, change, &Run::silent()).await?.run().await?)
    }

    async fn listed(store: &MemoryStore, filter: &Filter) -> Vec<Listed> {
        list::list(store, filter).await.unwrap()
    }

    #[tokio::test]
    async fn tags_given_later_are_listed_shown_and_filtered_by() {
        let (memory, store, keys) = store().await;
        let prepared = prepare(&store, "we/ird 100%", adding(&["env=prod"]), &Run::silent()).await.unwrap();
        assert_eq!((&*prepared.plan().key, &*prepared.plan().after), (&*keys[1], &["env=prod".to_owned()][..]));
        assert_eq!(listed(&memory, &Filter::default()).await[1].tags, Vec::<String>::new(), "a plan changes nothing");
        let report = prepared.run().await.unwrap();
        assert!(report.changed && !report.being_deleted);
        retag(&store, &keys[0], Change { add: vec!["keep".into()], remove: vec!["made".into()] }).await.unwrap();

        let all = listed(&memory, &Filter::default()).await;
        assert_eq!([&*all[0].tags, &*all[1].tags], [["keep".to_owned()], ["env=prod".to_owned()]]);
        for (wanted, expected) in
            [(vec!["env"], 1), (vec!["env=prod"], 1), (vec!["env=test"], 0), (vec!["env", "keep"], 0)]
        {
            let filter = Filter { tags: wanted.iter().map(ToString::to_string).collect(), ..Filter::default() };
            assert_eq!(listed(&memory, &filter).await.len(), expected, "{wanted:?}");
        }
        let used: Vec<_> = of_dumps(&all).into_iter().map(|of| (of.tag, of.backups, of.newest)).collect();
        assert_eq!(used, [("env=prod".to_owned(), 1, keys[1].clone()), ("keep".to_owned(), 1, keys[0].clone())]);
        let Shown::Dump(shown) = show(&memory, keys[0].as_str()).await.unwrap() else { panic!("a dump of ours") };
        assert_eq!(shown.tags, ["keep"]);
        assert_eq!(list::read_manifest(&memory, &DumpKey::parse(&keys[0]).unwrap()).await.unwrap().tags, ["made"]);
    }

    #[tokio::test]
    async fn what_is_no_tag_and_what_has_none_is_refused() {
        let (memory, store, keys) = store().await;
        let legacy = Key::new("pg/old/2020_01_01_00_00_00_000000.nightly.dump").unwrap();
        memory.put(&legacy, Bytes::from_static(b"PGDMP"), &PutOptions::new(PutMode::Create)).await.unwrap();
        let many: Vec<String> = (0..=TAGS_MAX).map(|number| number.to_string()).collect();
        for (wanted, change) in [
            (keys[0].as_str(), adding(&[""])),
            (keys[0].as_str(), Change { add: many, remove: Vec::new() }),
            ("old", adding(&["keep"])),
        ] {
            let refused = retag(&store, wanted, change).await.unwrap_err();
            assert_eq!(refused.class(), Class::Usage, "{wanted}: {refused}");
        }
        assert!(matches!(retag(&store, "none", adding(&["keep"])).await.unwrap_err(), PgError::NoDump { .. }));
    }

    #[tokio::test]
    async fn a_damaged_document_hides_no_dump_and_is_told_of() {
        let (memory, store, keys) = store().await;
        let at = DumpKey::database_folder("we/ird 100%").unwrap().join(TAGS_NAME).unwrap();
        overwrite(&memory, &at, "not JSON").await;
        let all = listed(&memory, &Filter::default()).await;
        assert_eq!((all.len(), &*all[0].tags), (2, &["made".to_owned()][..]));
        assert!(all[0].tags_unknown.as_ref().unwrap().contains("tags.json"), "{:?}", all[0].tags_unknown);
        assert!(matches!(retag(&store, &keys[0], adding(&["keep"])).await.unwrap_err(), PgError::Format(_)));
    }
}
