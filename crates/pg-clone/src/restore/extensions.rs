//! Extensions of another version than in the dump: archives name no versions, so the server uses its default.

use crate::adapters::connection::Session;
use crate::adapters::sql::extensions;
use crate::error::PgResult;
use crate::stored::detail::Extension;

/// What to tell of extensions that will have another version in the copy. No reason to refuse: a newer server often has
/// newer versions only, and what does not fit is refused by the server when it is made.
pub(crate) async fn versions(admin: &Session, wanted: &[Extension]) -> PgResult<Vec<String>> {
    let offered = extensions::offered(admin, wanted).await?;
    let told = offered
        .iter()
        .filter_map(|one| told(&one.name, &one.wanted, one.default.as_deref().unwrap_or("none"), one.has_wanted));
    Ok(told.collect())
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
    fn only_another_version_is_told() {
        assert_eq!(told("hstore", "1.8", "1.8", true), None);
        assert!(told("hstore", "1.7", "1.8", true).unwrap().contains("post-create SQL hook"));
        let missing = told("hstore", "1.8", "1.7", false).unwrap();
        assert!(missing.contains("is 1.8 in the dump and will be 1.7") && missing.ends_with("does not offer 1.8"));
    }
}
