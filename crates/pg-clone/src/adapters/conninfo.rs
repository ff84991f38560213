//! Connection strings and URLs (PostgreSQL manual, "Connection Strings"), as parameters by name.

use std::collections::BTreeMap;

use crate::error::{PgError, PgResult};

/// Parameters by libpq's names: `host`, `port`, `user`, `dbname`, `sslmode`…
pub(crate) type Parameters = BTreeMap<String, String>;

/// What a target on the command line is.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Whether `text` is a URL an application's framework takes for PostgreSQL's: `postgresql+psycopg://`, `postgis://`.
pub(crate) fn is_application_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.split('+').next().unwrap_or_default());
    scheme.is_some_and(|scheme| ["postgres", "postgresql", "postgis"].contains(&scheme))
}

/// Whether `text` is a connection string: libpq takes any database name with `=` in it for one, and so a database of
/// such a name must be given as `dbname='…'`. We are kinder: the word before `=` must be a parameter's.
pub(crate) fn is_conninfo(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| KNOWN.contains(&name.trim()))
}

/// Parameters we understand; others are refused by name, not ignored.
const KNOWN: [&str; 15] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "passfile",
    "dbname",
    "sslmode",
    "sslrootcert",
    "connect_timeout",
    "application_name",
    "fallback_application_name",
    "client_encoding",
    "channel_binding",
    "target_session_attrs",
];

/// Parses `key=value key='quoted \' value'`.
pub(crate) fn parse_conninfo(text: &str) -> PgResult<Parameters> {
    let mut parameters = Parameters::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) =
            rest.split_once('=').ok_or_else(|| invalid("a word without `=` in the connection string"))?;
        let (value, after) = take_value(after.trim_start())?;
        set(&mut parameters, name.trim(), value)?;
        rest = after.trim_start();
    }
    Ok(parameters)
}

fn take_value(text: &str) -> PgResult<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            space if !quoted && space.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    if quoted { Err(invalid("a quote without an end in the connection string")) } else { Ok((value, "")) }
}

/// What to do about a parameter nobody here knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// It may matter: refused by name.
    Refused,
    /// It was meant for somebody else.
    Ignored,
}

/// Parses `postgresql://user:password@host:port,host2:port2/database?name=value`. Passwords may hold `/` and `@` when
/// they are percent-encoded; a bare `@` belongs to the password up to the last one before the path.
pub(crate) fn parse_url(text: &str) -> PgResult<Parameters> {
    parse_parts(text, Unknown::Refused)
}

/// [`parse_url`] for a URL that is an application's too, and may hold parameters of its framework.
pub(crate) fn parse_application_url(text: &str) -> PgResult<Parameters> {
    parse_parts(text, Unknown::Ignored)
}

fn parse_parts(text: &str, unknown: Unknown) -> PgResult<Parameters> {
    let body = text.split_once("://").map_or(text, |(_, body)| body);
    let (body, query) = body.split_once('?').unwrap_or((body, ""));
    let (authority, database) = body.split_once('/').unwrap_or((body, ""));
    if !authority.contains('@') && database.contains('@') {
        return Err(invalid(
            "an `@` behind a `/` in the URL (write `/` in a password as `%2F`, `@` in a name as `%40`)",
        ));
    }
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut parameters = Parameters::new();
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    for (name, value) in [("user", user), ("password", password), ("dbname", database)] {
        if !value.is_empty() {
            set(&mut parameters, name, decode(value)?)?;
        }
    }
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',').filter(|host| !host.is_empty()) {
        let bracketed = host.strip_prefix('[').and_then(|host| host.split_once(']'));
        let (name, port) = match bracketed {
            Some((name, rest)) => (name, rest.strip_prefix(':').unwrap_or("")),
            None => host.rsplit_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(port.to_owned());
    }
    if !names.is_empty() {
        set(&mut parameters, "host", names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        set(&mut parameters, "port", ports.join(","))?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        if unknown == Unknown::Refused || KNOWN.contains(&name.as_str()) {
            set(&mut parameters, &name, decode(value)?)?;
        }
    }
    Ok(parameters)
}

fn set(parameters: &mut Parameters, name: &str, value: String) -> PgResult<()> {
    if !KNOWN.contains(&name) {
        return Err(PgError::Usage {
            what: format!("the connection parameter `{name}` is not supported"),
            help: format!("supported are {}", KNOWN.join(", ")),
        });
    }
    parameters.insert(name.to_owned(), value);
    Ok(())
}

fn decode(text: &str) -> PgResult<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| *byte != 0)
            .ok_or_else(|| invalid("a `%` without two hexadecimal digits in the URL (write it as `%25`)"))?;
        bytes.push(byte);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid("the URL is not UTF-8 when decoded"))
}

/// The text itself is not repeated: it may hold a password.
fn invalid(what: &str) -> PgError {
    PgError::Usage {
        what: what.to_owned(),
        help: "forms are `NAME`, `host=… dbname=…` and `postgresql://user@host:port/NAME`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(parameters: &Parameters, name: &str) -> String {
        parameters.get(name).cloned().unwrap_or_default()
    }

    #[test]
    fn urls_decode_every_part() {
        let parsed =
            parse_url("postgresql://a%40b:p%2Fw%40%3A@h1:5433,[::1]:5434,%2Ftmp/d%20b?sslmode=require").unwrap();
        assert_eq!(get(&parsed, "user"), "a@b");
        assert_eq!(get(&parsed, "password"), "p/w@:");
        assert_eq!(get(&parsed, "host"), "h1,::1,/tmp");
        assert_eq!(get(&parsed, "port"), "5433,5434,");
        assert_eq!(get(&parsed, "dbname"), "d b");
        assert_eq!(get(&parsed, "sslmode"), "require");
    }

    #[test]
    fn a_password_cut_at_its_slash_is_no_host() {
        for text in ["postgres://user:hu/sh@h/d", "postgres://user:12/sh@h/d"] {
            let error = parse_url(text).unwrap_err().to_string();
            assert!(error.contains("%2F") && !error.contains("sh@"), "{error}");
        }
        assert_eq!(get(&parse_url("postgres://u:p@h/d@e").unwrap(), "dbname"), "d@e");
    }

    #[test]
    fn an_applications_url_may_hold_what_only_it_knows() {
        let text = "postgresql+psycopg://u:p@h/d?schema=public&sslmode=require&pgbouncer=true";
        let parsed = parse_application_url(text).unwrap();
        assert_eq!((get(&parsed, "host"), get(&parsed, "sslmode")), ("h".to_owned(), "require".to_owned()));
        assert!(parse_url(text).unwrap_err().to_string().contains("`schema`"));
        assert!(is_application_url(text) && is_application_url("postgis://h/d"));
        assert!(!is_application_url("mysql://h/d") && !is_application_url("postgres"));
    }

    #[test]
    fn connection_strings_unquote() {
        let parsed = parse_conninfo(r"host = /tmp dbname='it\'s a db' user=me").unwrap();
        assert_eq!(get(&parsed, "dbname"), "it's a db");
        assert_eq!(get(&parsed, "host"), "/tmp");
        assert!(parse_conninfo("dbname='open").is_err());
        assert!(parse_conninfo("service=x").unwrap_err().to_string().contains("`service`"));
        assert!(is_conninfo("dbname=x") && !is_conninfo("a=b"));
    }

    proptest! {
        #[test]
        fn any_value_survives_quoting(value in "\\PC{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            let parsed = parse_conninfo(&format!("user='{quoted}' dbname=x")).unwrap();
            prop_assert_eq!(get(&parsed, "user"), value);
        }

        #[test]
        fn no_url_makes_it_panic(text in "\\PC{0,80}") {
            let _ = parse_url(&text);
            let _ = parse_conninfo(&text);
        }
    }
}
