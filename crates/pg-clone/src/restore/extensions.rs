//! Extensions that will not be as in the dump, or that our role may not create: archives name no versions, so the server uses its
//! default.

use crate::adapters::connection::Session;
use crate::adapters::sql::extensions::{self, Offered};
use crate::error::PgResult;
use crate::restore::problem::quoted;
use crate::stored::detail::Extension;

/// What to tell of extensions that will have another version in the copy, or that our role may not create unless hooks did
/// (`hooks_run`). No reason to refuse: a newer server often has newer versions only, managed servers let roles of theirs create more
/// than PostgreSQL says, and what does not fit is refused by the server when it is made.
pub(crate) async fn doubts(admin: &Session, wanted: &[Extension], hooks_run: bool) -> PgResult<Vec<String>> {
    let offered = extensions::offered(admin, wanted).await?;
    let told = offered
        .iter()
        .filter_map(|one| told(&one.name, &one.wanted, one.default.as_deref().unwrap_or("none"), one.has_wanted));
    let not_ours = not_ours(&offered).filter(|_| !hooks_run).map(|what| format!("{what}. {NOT_OURS_HELP}"));
    Ok(told.chain(not_ours).collect())
}

/// Says of which extensions in a database our role may not create copies, if there are any.
pub(crate) async fn not_ours_in(admin: &Session, there: &[Extension]) -> PgResult<Option<String>> {
    Ok(not_ours(&extensions::offered(admin, there).await?))
}

/// What to do about extensions that are not ours.
pub(crate) const NOT_OURS_HELP: &str = "Unless this server allows it, a restore ends there, before anything is replaced; `CREATE EXTENSION` by a \
     superuser in a post-create hook makes it possible";

/// Of extensions that only a superuser may create, to a role that is none.
fn not_ours(offered: &[Offered]) -> Option<String> {
    let names: Vec<String> = offered.iter().filter(|one| one.is_superusers).map(|one| one.name.clone()).collect();
    let what = match names.len() {
        0 => return None,
        1 => "the extension",
        _ => "the extensions",
    };
    Some(format!("PostgreSQL lets only a superuser create {what} {}, and our role is none", quoted(&names)))
}

fn told(name: &str, dumped: &str, default: &str, is_offered: bool) -> Option<String> {
    if dumped == default {
        return None;
    }
    let will_be = format!("the extension `{name}` is {dumped} in the dump and will be {default} in the copy");
    Some(match is_offered {
        true => format!("{will_be}; `CREATE EXTENSION` with the old version in a post-create SQL hook keeps it"),
        false => format!("{will_be}: the server does not offer {dumped}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_superuser_may_create_is_told() {
        let offered = |name: &str, is_superusers| {
            let (name, wanted) = (name.to_owned(), "1".to_owned());
            Offered { name, wanted, default: None, has_wanted: true, is_superusers }
        };
        assert_eq!(not_ours(&[offered("citext", false)]), None);
        let one = not_ours(&[offered("citext", false), offered("postgis", true)]).unwrap();
        assert!(one.contains("create the extension `postgis`, and our role is none"), "{one}");
        let both = not_ours(&[offered("dblink", true), offered("postgis", true)]).unwrap();
        assert!(both.contains("the extensions `dblink`, `postgis`"), "{both}");
    }

    #[test]
    fn only_another_version_is_told() {
        assert_eq!(told("hstore", "1.8", "1.8", true), None);
        assert!(told("hstore", "1.7", "1.8", true).unwrap().contains("post-create SQL hook"));
        let missing = told("hstore", "1.8", "1.7", false).unwrap();
        assert!(missing.contains("is 1.8 in the dump and will be 1.7") && missing.ends_with("does not offer 1.8"));
    }
}
