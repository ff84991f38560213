//! What helps where a server refuses something whatever is tried, by its words.

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;

use crate::restore::unrestored::Unrestored;

/// The ways out for what failed for such a reason, each for the middle of a help.
pub(super) fn hints(failed: &[Unrestored]) -> Vec<Remedy> {
    let any = |is: &dyn Fn(&Unrestored) -> bool| failed.iter().any(is);
    let mut hints = Vec::new();
    if any(&|one| one.said.contains("permission denied for schema public")) {
        hints.push(remedy![
            "the role is no superuser's, and owners of the dump may not create in `public`: ",
            Setting::Managed,
            " leaves what they own to the role"
        ]);
    }
    if any(&|one| one.object.starts_with("rows of materialized view ") && one.said.contains("permission denied")) {
        hints.push(
            "a materialized view is filled with the rights of its owner, whoever restores it: GRANT them to the owner in \
             the source and dump again"
                .into(),
        );
    }
    if any(&|one| one.object.starts_with("policy ") && names_missing_role(&one.said)) {
        hints.push("roles that policies name must exist (`CREATE ROLE name`): no option leaves them out".into());
    }
    hints
}

fn names_missing_role(said: &str) -> bool {
    said.split_once("role \"").is_some_and(|(_, rest)| rest.contains("\" does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(object: &str, said: &str) -> Vec<String> {
        hints(&[Unrestored::new(object, said)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_reason_has_its_way_out() {
        for (object, said, expected) in [
            ("table public.t", "permission denied for schema public", "managed"),
            ("rows of materialized view public.v", "permission denied for table t", "rights of its owner"),
            ("policy public.t mine", "role \"tenant\" does not exist", "CREATE ROLE"),
        ] {
            let told = told(object, said);
            assert!(matches!(told.as_slice(), [only] if only.contains(expected)), "{told:?}, not {expected}");
        }
        assert_eq!(told("index public.i", "permission denied for function f"), [""; 0]);
        assert_eq!(told("policy public.t mine", "relation \"x\" does not exist"), [""; 0]);
    }
}
