//! Settings of the database that are left out of a dump: a manifest is read by more people than the server's catalogue.

use crate::stored::database_settings::DatabaseSettings;

/// Takes settings away whose names match a pattern; returns their names, and the patterns that matched none.
pub(crate) fn leave_out(settings: &mut DatabaseSettings, patterns: &[String]) -> (Vec<String>, Vec<String>) {
    let mut gone = Vec::new();
    let mut unmatched = patterns.to_vec();
    settings.parameters.retain(|parameter| {
        let matching = |pattern: &String| matches(pattern, &parameter.name);
        unmatched.retain(|pattern| !matching(pattern));
        let goes = patterns.iter().any(matching);
        if goes && !gone.contains(&parameter.name) {
            gone.push(parameter.name.clone());
        }
        !goes
    });
    (gone, unmatched)
}

/// Whether a setting's name fits a pattern, in which `*` stands for anything. Case is ignored, as on the server.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::database_settings::Parameter;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name) in [
            ("app.jwt_secret", "app.jwt_secret"),
            ("App.*", "app.JWT_secret"),
            ("*secret*", "app.jwt_secret"),
            ("*", "work_mem"),
            ("a*b*c", "axbyc"),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("app", "app.jwt_secret"),
            ("secret", "app.secret"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("", "a"),
            ("b*", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_left_out_is_named_and_so_is_what_was_not_found() {
        let parameter = |role: Option<&str>, name: &str| Parameter {
            role: role.map(Into::into),
            name: name.into(),
            value: "hush".into(),
        };
        let all = vec![
            parameter(None, "app.jwt_secret"),
            parameter(Some("reader"), "app.jwt_secret"),
            parameter(None, "work_mem"),
        ];
        let mut settings = DatabaseSettings {
            owner: "o".into(),
            grants: None,
            connection_limit: -1,
            parameters: all.clone(),
            comment: None,
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            locale_provider: None,
            icu_locale: None,
            icu_rules: None,
            tablespace: "pg_default".into(),
            allow_connections: true,
        };
        let (gone, unmatched) = leave_out(&mut settings, &["app.*".into(), "*password*".into()]);
        assert_eq!((gone, unmatched), (vec!["app.jwt_secret".to_owned()], vec!["*password*".to_owned()]));
        assert_eq!(settings.parameters, all[2..]);
    }
}
