//! Extensions of another version than in the dump: archives name no versions, so the server uses its default.

use crate::adapters::connection::Session;
use crate::error::{PgError, PgResult};
use crate::stored::detail::Extension;

/// Of each extension wanted that the server offers: the version it would make, and whether it could make the dump's.
const OFFERED: &str = "\
    SELECT w.name, w.version, a.default_version::text, EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v \
      WHERE v.name = w.name AND v.version = w.version) \
    FROM unnest($1::text[], $2::text[]) w(name, version) \
    JOIN pg_catalog.pg_available_extensions a ON a.name = w.name ORDER BY w.name";

/// What to tell of extensions that will have another version in the copy. No reason to refuse: a newer server often has
/// newer versions only, and what does not fit is refused by the server when it is made.
pub(crate) async fn versions(admin: &Session, extensions: &[Extension]) -> PgResult<Vec<String>> {
    let names: Vec<&str> = extensions.iter().map(|extension| extension.name.as_str()).collect();
    let versions: Vec<&str> = extensions.iter().map(|extension| extension.version.as_str()).collect();
    let doing = "reading the versions of the extensions";
    let rows = admin.query(OFFERED, &[&names, &versions]).await.map_err(|error| PgError::sql(doing, error))?;
    let told = rows.iter().filter_map(|row| {
        told(row.get(0), row.get(1), row.get::<_, Option<&str>>(2).unwrap_or("none"), row.get::<_, bool>(3))
    });
    Ok(told.collect())
}

fn told(name: &str, dumped: &str, default: &str, is_offered: bool) -> Option<String> {
    if dumped == default {
        return None;
    }
    let will_be = format!("the extension `{name}` is {dumped} in the dump and will be {default} in the copy");
    Some(match is_offered {
        true => format!("{will_be}; `CREATE EXTENSION` with the old version in a --post-create-sql file keeps it"),
        false => format!("{will_be}: the server does not offer {dumped}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_version_is_told() {
        assert_eq!(told("hstore", "1.8", "1.8", true), None);
        assert!(told("hstore", "1.7", "1.8", true).unwrap().contains("--post-create-sql"));
        let missing = told("hstore", "1.8", "1.7", false).unwrap();
        assert!(missing.contains("is 1.8 in the dump and will be 1.7") && missing.ends_with("does not offer 1.8"));
    }
}
