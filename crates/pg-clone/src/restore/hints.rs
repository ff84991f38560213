//! What helps where a server refuses something whatever is tried, by its words.

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;

/// Something that failed, and the server's words.
pub(super) type Failed<'a> = (&'a str, &'a str);

/// The ways out for what failed for such a reason, each for the middle of a help.
pub(super) fn hints(failed: &[Failed<'_>]) -> Vec<Remedy> {
    let any = |is: &dyn Fn(&str, &str) -> bool| failed.iter().any(|(object, said)| is(object, said));
    let mut hints = Vec::new();
    if any(&|_, said| said.contains("permission denied for schema public")) {
        hints.push(remedy![
            "the role is no superuser's, and owners of the dump may not create in `public`: ",
            Setting::Managed,
            " leaves what they own to the role"
        ]);
    }
    if any(&|object, said| object.starts_with("rows of materialized view ") && said.contains("permission denied")) {
        hints.push(
            "a materialized view is filled with the rights of its owner, whoever restores it: GRANT them to the owner in \
             the source and dump again"
                .into(),
        );
    }
    if any(&|object, said| object.starts_with("policy ") && names_missing_role(said)) {
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
        hints(&[(object, said)]).iter().map(ToString::to_string).collect()
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
