//! How large a dump is by itself, and how much of that earlier dumps had stored.

use backup_core::manifest::{Manifest, Part};

use crate::stored::detail::{ROLE_FRAME_LIST, ROLE_SCHEMA, ROLE_TABLE_LIST};

/// Count in the manifest: bytes of frames that lie in packs of earlier dumps.
pub(crate) const SHARED_BYTES: &str = "shared_bytes";

/// Count in the manifest: bytes of their content.
pub(crate) const SHARED_CONTENT_BYTES: &str = "shared_content_bytes";

/// Sizes of a dump, in bytes, without its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Of what it stored itself.
    pub(crate) added: u64,
    /// Of what it needs and earlier dumps had stored.
    pub(crate) shared: u64,
    /// Of its rows and schema before compression, without its lists.
    pub(crate) content: u64,
}

impl Sizes {
    /// What the manifest says.
    pub(crate) fn of<D>(manifest: &Manifest<D>) -> Self {
        let own = own_folder(&manifest.parts);
        let is_own = |part: &Part| own.is_none_or(|own| part.key.as_str().starts_with(own));
        let is_list = |part: &Part| part.role == ROLE_TABLE_LIST || part.role == ROLE_FRAME_LIST;
        let count = |name: &str| manifest.counts.get(name).copied().unwrap_or(u64::MAX);
        let sum = |parts: &mut dyn Iterator<Item = u64>| parts.fold(0_u64, u64::saturating_add);
        let (ours, others): (Vec<&Part>, Vec<&Part>) = manifest.parts.iter().partition(|part| is_own(part));
        // Of a pack of another dump some frames may be all that this one needs.
        let shared = sum(&mut others.iter().map(|part| part.stored_bytes)).min(count(SHARED_BYTES));
        let shared_content = sum(&mut others.iter().map(|part| part.content_bytes)).min(count(SHARED_CONTENT_BYTES));
        let content = sum(&mut ours.iter().filter(|part| !is_list(part)).map(|part| part.content_bytes));
        Self {
            added: sum(&mut ours.iter().map(|part| part.stored_bytes)),
            shared,
            content: content.saturating_add(shared_content),
        }
    }

    /// Of all that it needs.
    pub(crate) fn stored(self) -> u64 {
        self.added.saturating_add(self.shared)
    }
}

/// The folder that a dump has to itself: its schema is always in there.
fn own_folder(parts: &[Part]) -> Option<&str> {
    let schema = parts.iter().find(|part| part.role == ROLE_SCHEMA)?;
    schema.key.as_str().strip_suffix(schema.key.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_dump::{SHOP, TestDump};

    #[test]
    fn packs_of_other_dumps_count_as_far_as_they_are_needed() {
        let alone = TestDump::new("shop", "2026-11-01T03:00:00Z", SHOP).manifest;
        let whole = Sizes::of(&alone);
        assert_eq!((whole.added, whole.shared), (alone.stored_bytes(), 0));
        assert_eq!(whole.content, alone.content_bytes());

        let mut later = TestDump::new("shop", "2026-11-02T03:00:00Z", SHOP).manifest;
        later.parts[1] = alone.parts[1].clone();
        let (pack, rest) = (&alone.parts[1], later.parts[0].stored_bytes + later.parts[2].stored_bytes);
        assert_eq!(Sizes::of(&later), Sizes { added: rest, shared: pack.stored_bytes, ..whole });
        later.counts.insert(SHARED_BYTES.to_owned(), 7);
        later.counts.insert(SHARED_CONTENT_BYTES.to_owned(), 5);
        let some = Sizes::of(&later);
        assert_eq!((some.added, some.shared, some.stored()), (rest, 7, rest + 7));
        assert_eq!(some.content, whole.content - pack.content_bytes + 5);
        later.counts.insert(SHARED_BYTES.to_owned(), u64::MAX);
        assert_eq!(Sizes::of(&later).shared, pack.stored_bytes, "a count is no more than what is there");
    }
}
