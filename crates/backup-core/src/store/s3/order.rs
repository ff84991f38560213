//! The order of a listing. S3 lists by key; some servers walk folder by folder, which is another order where a name goes on
//! with a character before `/`: `a/x` comes before `a-b`. Their `StartAfter` follows that walk.
//!
//! Callers are promised key order. Of other servers than Amazon's a listing is therefore read whole before any of it is passed on,
//! and sorted if need be, as long as it is not too long. Beyond, an order that does not hold is an error.

use std::cmp::Ordering;

use crate::store::ObjectMeta;

/// Objects that are sorted at most: some 100 MiB of memory. Locations have some thousands.
const SORTED_MAX: usize = 200_000;

/// A listing of which nothing was passed on yet.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    objects: Vec<ObjectMeta>,
    disordered: bool,
}

impl Gathered {
    /// Takes a page. `true` once there is too much to be sorted.
    ///
    /// # Errors
    /// Two objects that are out of order in a listing too long to be sorted, in words.
    pub(super) fn take(&mut self, page: Vec<ObjectMeta>) -> Result<bool, String> {
        let last = self.objects.last().map(|object| object.key.as_str().to_owned());
        let fault = check(last.as_deref(), &page);
        self.objects.extend(page);
        self.disordered |= fault.is_err();
        let too_much = self.objects.len() > SORTED_MAX;
        match fault {
            Err(why) if too_much => Err(why),
            _ if too_much && self.disordered => Err(format!("its {} objects are not in order", self.objects.len())),
            _ => Ok(too_much),
        }
    }

    /// All of it, in order, each once.
    pub(super) fn sorted(mut self) -> Vec<ObjectMeta> {
        if self.disordered {
            self.objects.sort_by(|a, b| a.key.cmp(&b.key));
            self.objects.dedup_by(|a, b| a.key == b.key);
        }
        self.objects
    }
}

/// Whether the objects of a page are in order, and after the last one before it.
///
/// # Errors
/// Which two are not, in words.
pub(super) fn check(last: Option<&str>, page: &[ObjectMeta]) -> Result<(), String> {
    let mut last = last;
    for object in page {
        let key = object.key.as_str();
        if let Some(before) = last
            && before.cmp(key) != Ordering::Less
        {
            return Err(format!("it shows `{key}` after `{before}`, which is not in order"));
        }
        last = Some(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    fn page(names: &[&str]) -> Vec<ObjectMeta> {
        let meta = |name: &&str| ObjectMeta {
            key: Key::new(*name).unwrap(),
            bytes: 0,
            modified: jiff::Timestamp::UNIX_EPOCH,
            tag: None,
        };
        names.iter().map(meta).collect()
    }

    #[test]
    fn a_walk_by_folders_is_sorted() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(page(&["a/x", "a/y"])), Ok(false));
        assert_eq!(gathered.take(page(&["a-b", "b"])), Ok(false));
        let keys: Vec<String> = gathered.sorted().iter().map(|object| object.key.to_string()).collect();
        assert_eq!(keys, ["a-b", "a/x", "a/y", "b"]);
    }

    #[test]
    fn what_is_too_long_to_be_sorted_is_in_order_or_refused() {
        let names: Vec<String> = (0..=SORTED_MAX).map(|number| format!("k{number:09}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(Gathered::default().take(page(&names)), Ok(true));
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(page(&["b", "a"])), Ok(false));
        assert!(gathered.take(page(&names)).is_err());
        assert!(check(Some("a/x"), &page(&["a-b"])).unwrap_err().contains("`a-b` after `a/x`"));
        assert!(check(Some("a"), &page(&["a"])).is_err(), "each once");
    }
}
