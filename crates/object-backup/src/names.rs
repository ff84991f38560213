//! Names that a target cannot tell apart: decisions, without I/O.

#[cfg(any(test, feature = "sqlite", feature = "postgres"))]
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::error::ObjectError;
#[cfg(any(test, feature = "sqlite", feature = "postgres"))]
use crate::target::Restoring;
use crate::type_key::TypeKey;

/// The first two of `types` that the target would call the same, and what it would call them.
#[cfg(any(test, feature = "sqlite", feature = "postgres"))]
pub(crate) fn shared(
    types: &[Restoring],
    called: impl Fn(&Restoring) -> String,
) -> Option<(&TypeKey, &TypeKey, String)> {
    let mut seen: BTreeMap<String, &TypeKey> = BTreeMap::new();
    types.iter().find_map(|restoring| {
        let name = called(restoring);
        match seen.get(&name) {
            Some(first) => Some((*first, &restoring.key, name)),
            None => {
                seen.insert(name, &restoring.key);
                None
            }
        }
    })
}

/// The first two of `names` that the target would call the same.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn alike<'a>(
    names: impl IntoIterator<Item = &'a str>,
    called: impl Fn(&str) -> String,
) -> Option<(&'a str, &'a str)> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    names.into_iter().find_map(|name| seen.insert(called(name), name).map(|first| (first, name)))
}

/// Two types with one place; `why` says what takes their names for one, if they differ.
pub(crate) fn one_place(first: &TypeKey, second: &TypeKey, place: &str, why: &str) -> ObjectError {
    ObjectError::names(
        format!("`{first}` and `{second}` would share the {place}{why}"),
        remedy![
            "restore them separately, each into its own target: ",
            Setting::Type.with(first.to_string()),
            " leaves out the other"
        ],
    )
}

/// Two types whose names the file system of `folder` takes for one.
pub(crate) fn one_file(first: &TypeKey, second: &TypeKey, folder: &str) -> ObjectError {
    let [this, that] = [first.member(), second.member()];
    let mut why = format!(": the file system of `{folder}` treats both names as one");
    if !this.is_ascii() || !that.is_ascii() {
        // They may look the same.
        why.push_str(&format!(
            ", which are `{}` and `{}` letter by letter",
            this.escape_default(),
            that.escape_default()
        ));
    }
    one_place(first, second, &format!("file `{this}`"), &why)
}

/// A type that cannot be restored into the target as it is.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn not_as_it_is(key: &TypeKey, what: &str) -> ObjectError {
    let folder = Setting::To.with("ndjson:DIR");
    let help = remedy![format!("restore `{key}` into a folder ("), folder, "), and the others with ", Setting::Type];
    ObjectError::names(format!("`{key}` cannot be restored here as it is: {what}"), help)
}

/// Whether some file system could take two of `files` for one name: two differ in case alone, or one has more than ASCII in it,
/// which file systems fold and normalise by tables of their own, into ASCII too. Of ASCII none does more: our names end in
/// `.json`, so that blanks and dots at the end and names of eight and three characters do not come in.
pub(crate) fn could_fold<'a>(files: impl IntoIterator<Item = &'a str>) -> bool {
    let files: Vec<&str> = files.into_iter().collect();
    let folded: BTreeSet<String> = files.iter().map(|file| file.to_ascii_lowercase()).collect();
    folded.len() < files.len() || files.len() > 1 && files.iter().any(|file| !file.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restoring(type_name: &str, table: &str) -> Restoring {
        Restoring { key: TypeKey::new(type_name, table).unwrap(), records: 1, columns: Vec::new() }
    }

    #[test]
    fn w7_the_first_two_with_one_name_are_named() {
        let types =
            [restoring("A", "users"), restoring("B", "orders"), restoring("C", "Users"), restoring("D", "users")];
        let exact = |restoring: &Restoring| restoring.key.table.clone();
        let (first, second, name) = shared(&types, exact).unwrap();
        assert_eq!(
            (first.to_string(), second.to_string(), name),
            ("A--users".into(), "D--users".into(), "users".into())
        );
        let folded = |restoring: &Restoring| restoring.key.table.to_ascii_lowercase();
        let (first, second, _) = shared(&types, folded).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("A--users".into(), "C--Users".into()));
        assert_eq!(shared(&types[..3], exact), None);
        assert_eq!(alike(["a", "b", "A"], str::to_ascii_lowercase), Some(("a", "A")));
        assert_eq!(alike(["é", "É"], str::to_ascii_lowercase), None, "SQLite folds ASCII alone");
    }

    #[test]
    fn w7_names_that_look_the_same_are_spelled() {
        let key = |name: &str| TypeKey::new(name, "z").unwrap();
        let said = one_file(&key("Zo\u{e9}"), &key("Zoe\u{301}"), "out").to_string();
        assert!(said.contains(r"which are `Zo\u{e9}--z.json` and `Zoe\u{301}--z.json` letter by letter"), "{said}");
        let said = one_file(&key("A"), &key("a"), "out").to_string();
        assert!(said.ends_with("of `out` treats both names as one; nothing was restored"), "{said}");
    }

    #[test]
    fn w7_names_no_file_system_folds_ask_none() {
        assert!(!could_fold(["User--users.json", "Order--orders.json"]));
        assert!(!could_fold(["Zo\u{eb}--users.json"]), "one name alone");
        assert!(could_fold(["User--users.json", "a", "user--Users.json"]));
        assert!(could_fold(["Zo\u{eb}--x.json", "Zoe\u{308}--x.json"]), "composed and not");
        assert!(could_fold(["\u{212a}--x.json", "k--x.json"]), "the Kelvin sign folds into a plain k");
    }
}
