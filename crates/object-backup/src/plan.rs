//! Decisions of a backup, without I/O: which types, under which name, and what is left out.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::detail::AppDetail;
use crate::error::{ObjectError, ObjectResult};
use crate::source::Available;
use crate::type_key::TypeKey;

/// Most types of one backup: far beyond any application, and a bound for hostile tarballs.
pub const TYPES_MAX: usize = 10_000;

/// Whether the modules below a module are meant too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurse {
    /// All below it.
    Yes,
    /// Only the module itself.
    No,
}

/// Whether what is declared in `module` is meant by the module `wanted`.
#[must_use]
pub(crate) fn in_module(module: &str, wanted: &str, recurse: Recurse) -> bool {
    match module.strip_prefix(wanted) {
        Some("") => true,
        Some(rest) => recurse == Recurse::Yes && !wanted.is_empty() && rest.starts_with("::"),
        None => false,
    }
}

/// A type as users name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The type's name, if given.
    pub type_name: Option<String>,
    /// The table, or the type if only that was given.
    pub name: String,
}

impl Wanted {
    /// Reads `Type--table`, or one name that is a type's or a table's.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once("--") {
            Some((type_name, table)) => Self { type_name: Some(type_name.to_owned()), name: table.to_owned() },
            None => Self { type_name: None, name: text.to_owned() },
        }
    }

    pub(crate) fn means(&self, available: &Available) -> bool {
        match (&self.type_name, &available.type_name) {
            (Some(wanted), Some(there)) => available.table == self.name && wanted == there,
            (Some(_), None) => available.table == self.name,
            (None, there) => available.table == self.name || there.as_ref() == Some(&self.name),
        }
    }

    fn key(&self, available: Option<&Available>) -> ObjectResult<TypeKey> {
        let table = available.map_or(&self.name, |available| &available.table);
        let there = available.and_then(|available| available.type_name.as_ref());
        TypeKey::new(self.type_name.as_ref().or(there).unwrap_or(table), table)
    }
}

impl From<TypeKey> for Wanted {
    fn from(key: TypeKey) -> Self {
        Self { type_name: Some(key.type_name), name: key.table }
    }
}

/// Which types of a source are backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Types {
    /// All there are.
    #[default]
    All,
    /// Those that an application says it has: whatever else the source holds is not the application's.
    Application(Vec<Wanted>),
    /// Some. Unless they turn out to be all there are, the backup is not complete, and never the last good one.
    Only(Vec<Wanted>),
}

impl Types {
    /// Those that are named; none means all there are.
    #[must_use]
    pub fn wanted(&self) -> &[Wanted] {
        match self {
            Self::All => &[],
            Self::Application(wanted) | Self::Only(wanted) => wanted,
        }
    }
}

/// What of `available` is left out on request when `chosen` are backed up, as users name it. Nothing where the source cannot
/// tell what it has: what is named is then all there is.
#[must_use]
pub fn left_out(available: Option<&[Available]>, types: &Types, chosen: &[TypeKey]) -> Vec<String> {
    let (Types::Only(_), Some(available)) = (types, available) else { return Vec::new() };
    let left = available.iter().filter(|there| !chosen.iter().any(|key| there.holds(key)));
    left.map(|there| match &there.type_name {
        Some(name) => format!("{name}--{}", there.table),
        None => there.table.clone(),
    })
    .collect()
}

/// The types to take, in order: all there are `of` a source or a backup, which is called so, or those `wanted`.
///
/// # Errors
/// [`ObjectError::Usage`] for one that is not there, that several are called, or if the source cannot tell and none is
/// wanted.
pub fn select(of: &str, available: Option<&[Available]>, wanted: &[Wanted]) -> ObjectResult<Vec<TypeKey>> {
    let keys: Vec<TypeKey> = match (available, wanted) {
        (None, []) => {
            return Err(ObjectError::usage(
                "this source cannot list its types",
                remedy!["give each with ", Setting::Type],
            ));
        }
        (None, wanted) => wanted.iter().map(|wanted| wanted.key(None)).collect::<ObjectResult<_>>()?,
        (Some(available), []) => available
            .iter()
            .map(|there| TypeKey::new(there.type_name.as_ref().unwrap_or(&there.table), &there.table))
            .collect::<ObjectResult<_>>()?,
        (Some(available), wanted) => {
            wanted.iter().map(|wanted| one(of, available, wanted)).collect::<ObjectResult<_>>()?
        }
    };
    if keys.len() > TYPES_MAX {
        return Err(ObjectError::usage(
            format!("there are more than {TYPES_MAX} types"),
            remedy!["choose some with ", Setting::Type],
        ));
    }
    let mut seen = BTreeSet::new();
    // Naming a type twice is harmless; two sources of one member are not.
    if wanted.is_empty()
        && let Some(twice) = keys.iter().find(|key| !seen.insert(*key))
    {
        return Err(ObjectError::usage(format!("two types are named `{twice}`"), "rename one of them"));
    }
    let mut seen = BTreeSet::new();
    Ok(keys.iter().filter(|key| seen.insert(*key)).cloned().collect())
}

/// Types that an error lists.
const TYPES_TOLD: usize = 10;

fn one(of: &str, available: &[Available], wanted: &Wanted) -> ObjectResult<TypeKey> {
    let found: Vec<&Available> = available.iter().filter(|there| wanted.means(there)).collect();
    let name = wanted.key(None)?;
    match found[..] {
        [there] => wanted.key(Some(there)),
        [] => {
            let there: Vec<String> =
                available.iter().map(|there| format!("`{}`", there.table)).take(TYPES_TOLD).collect();
            let more = if available.len() > there.len() { ", …" } else { "" };
            let help = match there.is_empty() {
                true => "it has no types".to_owned(),
                false => format!("it has {}{more}", there.join(", ")),
            };
            Err(ObjectError::usage(format!("{of} has no type `{name}`"), help))
        }
        _ => Err(ObjectError::usage(
            format!("several types are named `{}`", wanted.name),
            "give the one you mean as `Type--table`",
        )),
    }
}

/// Types that had records and have none now, or are gone, in words; `None` if all is well. What is `unreadable` is told as
/// that.
#[must_use]
pub fn emptied(before: &AppDetail, now: &[(&TypeKey, u64)], unreadable: &[&TypeKey]) -> Option<String> {
    let has_records = |key: &TypeKey| now.iter().any(|(is, records)| *is == key && *records > 0);
    let gone = before.types.iter().filter(|was| was.records > 0 && !has_records(&was.key));
    let gone = gone.filter(|was| !unreadable.contains(&&was.key));
    let gone: Vec<String> = gone.map(|was| format!("`{}` had {}", was.key, was.records)).collect();
    (!gone.is_empty()).then(|| gone.join(", "))
}

/// How old the newest good backup is, if it is younger than `least`. One from the future has no age: it does not count.
#[must_use]
pub fn too_young(newest: Timestamp, now: Timestamp, least: SignedDuration) -> Option<SignedDuration> {
    let age = now.duration_since(newest);
    (!age.is_negative() && age < least).then_some(age)
}

#[cfg(test)]
mod tests {
    use backup_core::digest::Sha256Digest;

    use super::*;
    use crate::detail::TypeDetail;

    fn there(type_name: Option<&str>, table: &str) -> Available {
        Available { type_name: type_name.map(str::to_owned), table: table.to_owned() }
    }

    fn names(available: Option<&[Available]>, wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<Wanted> = wanted.iter().map(|text| Wanted::parse(text)).collect();
        let keys = select("the source", available, &wanted).map_err(|error| error.to_string())?;
        Ok(keys.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn types_are_taken_by_type_by_table_or_all() {
        let tables = [there(None, "users"), there(None, "orders")];
        assert_eq!(names(Some(&tables), &[]).unwrap(), ["users--users", "orders--orders"]);
        assert_eq!(names(Some(&tables), &["User--users", "User--users"]).unwrap(), ["User--users"]);
        let files = [there(Some("User"), "users"), there(Some("Order"), "orders"), there(Some("Item"), "orders")];
        assert_eq!(names(Some(&files), &["users", "Item"]).unwrap(), ["User--users", "Item--orders"]);
        assert_eq!(names(Some(&files), &["orders"]).unwrap_err(), "several types are named `orders`");
        assert_eq!(names(Some(&files), &["Usr--users"]).unwrap_err(), "the source has no type `Usr--users`");
        assert_eq!(names(None, &["User--users", "x"]).unwrap(), ["User--users", "x--x"]);
        assert!(names(None, &[]).is_err());
    }

    #[test]
    fn two_types_of_one_name_are_an_error_and_not_a_silent_loss() {
        let files = [there(Some("User"), "users"), there(Some("User"), "users")];
        assert_eq!(names(Some(&files), &[]).unwrap_err(), "two types are named `User--users`");
    }

    fn detail(types: &[(&str, u64)]) -> AppDetail {
        let types = types.iter().map(|(name, records)| TypeDetail {
            key: TypeKey::new(*name, *name).unwrap(),
            records: *records,
            bytes: 0,
            sha256: Sha256Digest::of(b""),
            columns: Vec::new(),
        });
        AppDetail { source_kind: "test".to_owned(), types: types.collect(), failed: Vec::new(), left_out: Vec::new() }
    }

    #[test]
    fn o2_what_lost_all_its_records_is_named() {
        let before = detail(&[("a", 10_000), ("b", 0), ("c", 3)]);
        let emptied = |types: &[(&str, u64)], unreadable: &[&str]| {
            let key = |name: &&str| TypeKey::new(*name, *name).unwrap();
            let keys: Vec<TypeKey> = types.iter().map(|(name, _)| key(name)).collect();
            let now: Vec<(&TypeKey, u64)> = keys.iter().zip(types.iter().map(|(_, records)| *records)).collect();
            let unreadable: Vec<TypeKey> = unreadable.iter().map(key).collect();
            super::emptied(&before, &now, &unreadable.iter().collect::<Vec<_>>())
        };
        assert_eq!(emptied(&[("a", 1), ("b", 0), ("c", 3)], &[]), None);
        assert_eq!(emptied(&[("a", 0), ("b", 0), ("c", 3)], &[]).unwrap(), "`a--a` had 10000");
        assert_eq!(emptied(&[("a", 1)], &[]).unwrap(), "`c--c` had 3");
        assert_eq!(emptied(&[("a", 1)], &["c"]), None, "`c` could not be read, which is told as that");
    }

    #[test]
    fn what_is_left_out_on_request_is_named() {
        let files = [there(Some("User"), "users"), there(Some("Order"), "orders"), there(None, "items")];
        let left = |available, types: Types| {
            let chosen = select("the source", available, types.wanted()).unwrap();
            left_out(available, &types, &chosen)
        };
        let wanted = |names: &[&str]| names.iter().map(|name| Wanted::parse(name)).collect::<Vec<_>>();
        assert_eq!(left(Some(&files), Types::All), Vec::<String>::new());
        assert_eq!(left(Some(&files), Types::Only(wanted(&["User"]))), ["Order--orders", "items"]);
        assert_eq!(left(Some(&files), Types::Only(wanted(&["User", "orders", "Item--items"]))), Vec::<String>::new());
        assert_eq!(left(Some(&files), Types::Application(wanted(&["User"]))), Vec::<String>::new(), "not its own");
        assert_eq!(left(None, Types::Only(wanted(&["User"]))), Vec::<String>::new(), "a program cannot tell");
    }

    #[test]
    fn only_a_backup_of_the_past_is_young() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(too_young(at(1_000), at(1_060), hour), Some(SignedDuration::from_secs(60)));
        assert_eq!(too_young(at(1_000), at(4_600), hour), None);
        assert_eq!(too_young(at(9_000), at(1_000), hour), None, "a clock stepped back");
    }
}
