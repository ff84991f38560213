//! Checks of listings: order, prefixes, pages, folders.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

use super::folder::Folder;
use crate::store::{PutMode, PutOptions, SharedStore};

/// More objects than any store lists at a time.
const OBJECTS_MANY: usize = 1_050;

async fn names(folder: &Folder<'_>, prefix: &str, after: Option<&str>) -> Vec<String> {
    let after = after.map(|after| folder.key(after));
    let metas: Vec<_> = folder
        .store
        .list(&format!("{}{prefix}", folder.prefix()), after.as_ref())
        .try_collect()
        .await
        .expect("the folder can be listed");
    metas.into_iter().map(|meta| meta.key.as_str()[folder.prefix().len()..].to_owned()).collect()
}

/// Names whose order as text differs from that of a walk through folders.
const NAMES: [&str; 8] = ["B", "a-b", "a.b", "a/b", "a/b.c", "a0", "ab/c", "ä"];

async fn fill(folder: &Folder<'_>) {
    for name in NAMES.iter().rev() {
        folder.put(name, b"x").await;
    }
}

/// Contract 6: the order is that of the keys' bytes, across folders; a prefix is plain text.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn lists_in_key_order(store: &SharedStore) {
    let folder = Folder::new(store);
    assert_eq!(names(&folder, "", None).await, [""; 0]);
    fill(&folder).await;
    assert_eq!(names(&folder, "", None).await, NAMES);
    assert_eq!(names(&folder, "a", None).await, ["a-b", "a.b", "a/b", "a/b.c", "a0", "ab/c"]);
    assert_eq!(names(&folder, "a/", None).await, ["a/b", "a/b.c"]);
    assert_eq!(names(&folder, "a/b.c", None).await, ["a/b.c"]);
    assert_eq!(names(&folder, "zzz/", None).await, [""; 0]);
    folder.clear().await;
}

/// Contract 6: a listing after a key, which need not exist, goes on with the next.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn pages_go_on_after_a_key(store: &SharedStore) {
    let folder = Folder::new(store);
    fill(&folder).await;
    for (index, name) in NAMES.iter().enumerate() {
        assert_eq!(names(&folder, "", Some(name)).await, NAMES[index + 1..], "after {name}");
    }
    assert_eq!(names(&folder, "", Some("a/a")).await, NAMES[3..]);
    assert_eq!(names(&folder, "a/", Some("A")).await, ["a/b", "a/b.c"]);
    assert_eq!(names(&folder, "a/", Some("a0")).await, [""; 0]);
    folder.clear().await;
}

/// Contract 6: each of many objects once.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn lists_many(store: &SharedStore) {
    let folder = Folder::new(store);
    let expected: Vec<String> = (0..OBJECTS_MANY).map(|index| format!("{:03}/{index:06}", index % 7)).collect();
    let puts = expected.iter().map(|name| async {
        let key = folder.key(name);
        store.put(&key, Bytes::from_static(b"x"), &PutOptions::new(PutMode::Create)).await
    });
    let put: Vec<_> = futures_util::stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(16).collect().await;
    put.into_iter().for_each(|result| result.expect("a new object can be created"));
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(names(&folder, "", None).await, sorted);
    assert_eq!(names(&folder, "", Some(&sorted[999])).await, sorted[1_000..]);
    folder.clear().await;
}

/// Folders end in `/`, each once, in order; a folder without objects is none.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn children_are_first_segments(store: &SharedStore) {
    let folder = Folder::new(store);
    fill(&folder).await;
    let children = store.list_children(&folder.prefix()).await.expect("children can be listed");
    assert_eq!(children, ["B", "a-b", "a.b", "a/", "a0", "ab/", "ä"]);
    let below = store.list_children(&format!("{}a/", folder.prefix())).await.expect("children can be listed");
    assert_eq!(below, ["b", "b.c"]);
    assert_eq!(store.list_children(&format!("{}none/", folder.prefix())).await.expect("no children"), [""; 0]);
    assert!(store.list_children("a").await.is_err(), "a folder ends in `/`");
    let top = store.list_children("").await.expect("children can be listed");
    assert!(top.contains(&folder.prefix()), "{top:?}");
    store.delete(&[folder.key("ab/c")]).await.expect("deletion");
    let children = store.list_children(&folder.prefix()).await.expect("children can be listed");
    assert_eq!(children, ["B", "a-b", "a.b", "a/", "a0", "ä"]);
    folder.clear().await;
}
