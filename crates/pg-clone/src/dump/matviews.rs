//! Pure decisions about materialized views: in which order they can be filled again, and which cannot.

use std::collections::{BTreeMap, BTreeSet};

use crate::stored::detail::MatviewState;

/// A materialized view of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matview {
    pub(crate) oid: u32,
    pub(crate) state: MatviewState,
}

/// A materialized view that reads another one, maybe through others. Both are oids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) user: u32,
    pub(crate) used: u32,
}

/// What a dump says of materialized views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arranged {
    /// All of them, each after those it reads.
    pub(crate) ordered: Vec<MatviewState>,
    /// Those among them that hold rows and cannot be filled again, as `schema.name`.
    pub(crate) stale: Vec<String>,
}

/// Puts `views` into an order in which they can be refreshed, and finds those that hold rows and cannot be: the server
/// refuses to read one without rows. `pg_dump` leaves both sorts unpopulated as well.
pub(crate) fn arrange(views: Vec<Matview>, uses: &[Use]) -> Arranged {
    let oids: Vec<u32> = views.iter().map(|view| view.oid).collect();
    let populated = views.iter().map(|view| (view.oid, view.state.populated)).collect();
    let mut states: BTreeMap<u32, MatviewState> = views.into_iter().map(|view| (view.oid, view.state)).collect();
    let mut stale = Vec::new();
    for oid in not_refreshable(&populated, uses) {
        if let Some(state) = states.get_mut(&oid) {
            state.populated = false;
            stale.push(format!("{}.{}", state.schema, state.name));
        }
    }
    let ordered = dependency_order(&oids, uses).iter().filter_map(|oid| states.remove(oid)).collect();
    Arranged { ordered, stale }
}

/// Orders `items` so that each comes after everything it uses. Items of a cycle, which views cannot form, come last in
/// their given order.
fn dependency_order(items: &[u32], uses: &[Use]) -> Vec<u32> {
    let mut open: BTreeMap<u32, usize> = items.iter().map(|item| (*item, 0)).collect();
    let is_inner = |one: &&Use| one.user != one.used && open.contains_key(&one.user) && open.contains_key(&one.used);
    let inner: Vec<&Use> = uses.iter().filter(is_inner).collect();
    for one in &inner {
        *open.entry(one.user).or_default() += 1;
    }
    let mut ordered: Vec<u32> = items.iter().copied().filter(|item| open[item] == 0).collect();
    let mut next = 0;
    while let Some(done) = ordered.get(next).copied() {
        next += 1;
        for one in inner.iter().filter(|one| one.used == done) {
            let left = open.entry(one.user).or_default();
            *left -= 1;
            if *left == 0 {
                ordered.push(one.user);
            }
        }
    }
    let cyclic: Vec<u32> = items.iter().copied().filter(|item| !ordered.contains(item)).collect();
    ordered.extend(cyclic);
    ordered
}

/// Those of `populated` that cannot be computed again: they read, maybe through others, one that holds no rows.
/// `uses` must hold the indirect uses as well.
fn not_refreshable(populated: &BTreeMap<u32, bool>, uses: &[Use]) -> BTreeSet<u32> {
    let is = |view: u32, wanted: bool| populated.get(&view) == Some(&wanted);
    uses.iter().filter(|one| is(one.user, true) && is(one.used, false)).map(|one| one.user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(pairs: &[(u32, u32)]) -> Vec<Use> {
        pairs.iter().map(|(user, used)| Use { user: *user, used: *used }).collect()
    }

    #[test]
    fn matviews_follow_what_they_use() {
        assert_eq!(dependency_order(&[3, 1, 2], &uses(&[(3, 2), (2, 1), (1, 99)])), vec![1, 2, 3]);
    }

    #[test]
    fn a_matview_on_one_without_rows_is_not_refreshed() {
        let populated = BTreeMap::from([(1, true), (2, false), (3, true), (4, false), (5, true)]);
        assert_eq!(
            not_refreshable(&populated, &uses(&[(1, 2), (3, 1), (3, 2), (4, 2), (5, 99)])),
            BTreeSet::from([1, 3])
        );
    }

    #[test]
    fn what_cannot_be_filled_again_is_told_and_counts_as_empty() {
        let view = |oid, name: &str, populated| Matview {
            oid,
            state: MatviewState { schema: "s".into(), name: name.into(), populated },
        };
        let arranged = arrange(vec![view(7, "reader", true), view(9, "empty", false)], &uses(&[(7, 9)]));
        let names: Vec<&str> = arranged.ordered.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(
            (names.as_slice(), arranged.stale.as_slice()),
            (["empty", "reader"].as_slice(), ["s.reader".to_owned()].as_slice())
        );
        assert!(arranged.ordered.iter().all(|view| !view.populated));
    }
}
