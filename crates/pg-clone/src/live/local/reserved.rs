//! Names in the form of our own copies: what is restored under one of them would pass for a copy, or stand in its place.

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::error::{Obstacle, Problem};
use crate::live::local::name::{CopyRole, suffix};
use crate::live::state::number_in_name;

/// Why no database can be made under the name `target`. A database that always had such a name, `known`, keeps it.
pub(crate) fn reserved_name(target: &str, known: bool) -> Option<Problem> {
    if known {
        return None;
    }
    let form = match number_in_name(target) {
        Some(_) => "of a temporary database of lastgood".to_owned(),
        None => {
            let role = [CopyRole::Previous, CopyRole::Current].into_iter().find(|role| ends_like(target, *role))?;
            format!("of a database's {}", role.reference())
        }
    };
    Some(Problem::new(
        Obstacle::ReservedName,
        format!("the name `{target}` has the form {form}"),
        remedy!["choose another name with ", Setting::Into],
    ))
}

fn ends_like(target: &str, role: CopyRole) -> bool {
    target.strip_suffix(suffix(role)).is_some_and(|of| !of.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::local::copy_name;
    use crate::live::state::temporary_name;

    #[test]
    fn the_names_of_our_copies_are_nobodys() {
        let long = "x".repeat(63);
        let copies = |target: &str| [CopyRole::Previous, CopyRole::Current].map(|role| copy_name(target, role));
        for name in copies("shop").into_iter().chain(copies(&long)).chain([temporary_name("shop")]) {
            let problem = reserved_name(&name, false).expect(&name);
            assert!(problem.what.contains(&name), "{problem:?}");
            assert_eq!(reserved_name(&name, true), None, "somebody named it so before us");
        }
        assert!(reserved_name("shop__previous", false).unwrap().what.contains(":previous"));
        for name in ["shop", "shop_previous", "__current", "shop__previous_2", "lastgood_shop", "lastgood_1_2"] {
            assert_eq!(reserved_name(name, false), None, "{name}");
        }
    }
}
