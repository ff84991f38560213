//! Finds passwords in connection URLs and strings: they are refused where they do not belong, and never printed.

/// Whether `text` looks like it holds a password: a URL's, or that of a connection string.
#[must_use]
pub fn holds_password(text: &str) -> bool {
    // A password with a `/` in it would end the part of a URL that is looked at below.
    let cut_off = text.split_once("://").is_some_and(|(scheme, rest)| {
        let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
        scheme.starts_with("postg") && login.split('/').next().is_some_and(|first| first.contains(':'))
    });
    cut_off || !url_passwords(text).is_empty()
}

/// The password as it stands in the URL, between `:` and `@`, or after `password=`. As written is enough where the text
/// is repeated as written.
#[must_use]
pub fn url_passwords(url: &str) -> Vec<String> {
    let mut passwords = Vec::new();
    if let Some((_, rest)) = url.split_once("://") {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        passwords.extend(login.split_once(':').map(|(_, password)| password.to_owned()));
    }
    for (at, name) in url.match_indices("password=") {
        let value = &url[at + name.len()..];
        let value = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => value.split(|c: char| c == '&' || c.is_whitespace()).next(),
        };
        passwords.extend(value.map(ToOwned::to_owned));
    }
    passwords.retain(|password| !password.is_empty());
    passwords
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_wherever_a_url_may_hold_one() {
        assert_eq!(url_passwords("postgres://u:p%40w@h/d?x=1"), ["p%40w"]);
        assert_eq!(url_passwords("postgres://u@h/d?password=hush&x=1"), ["hush"]);
        assert_eq!(url_passwords("host=h password='two words' user=u"), ["two words"]);
        assert!(url_passwords("shop").is_empty() && url_passwords("postgres://u@h/d").is_empty());
    }

    #[test]
    fn texts_with_a_password_are_told_from_those_without() {
        for text in ["postgres://u:p@h/d", "postgresql://u:p/w@h/d", "host=h password=p", "s3://key:secret@bucket/x"] {
            assert!(holds_password(text), "{text}");
        }
        for text in ["postgres://u@h:5432/d", "postgres://h:5432/d@e", "s3://bucket/a:b", "./backups", "pre-*/shop"] {
            assert_eq!(holds_password(text), text == "postgres://h:5432/d@e", "{text}");
        }
    }
}
