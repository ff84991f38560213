//! Connection strings and URLs (PostgreSQL manual, "Connection Strings"), as parameters by name.

use backup_core::failure::Setting;
use backup_core::remedy;
use percent_encoding::percent_decode_str;

use crate::adapters::connection::libpq::{self, Parameters};
use crate::error::{PgError, PgResult};

/// Schemes of URLs that mean PostgreSQL, alone or with a driver behind a `+`, as in `postgresql+psycopg://`.
const SCHEMES: [&str; 3] = ["postgres", "postgresql", "postgis"];

/// Words before a single colon by which other databases are named without `//`: `sqlite:shop.db`, `jdbc:mysql:…`.
const FOREIGN: [&str; 6] = ["sqlite", "sqlite3", "mysql", "mariadb", "jdbc", "file"];

/// Reads a target: a URL, a connection string, or a database's name.
pub(crate) fn parse_target(text: &str) -> PgResult<Parameters> {
    refuse_foreign(text, "the argument")?;
    Ok(match text {
        text if is_url(text) => parse_url(text)?,
        text if is_conninfo(text) => parse_conninfo(text)?,
        name => Parameters::from([("dbname".to_owned(), name.to_owned())]),
    })
}

/// Reads what must name a server: a URL or a connection string. `place` is where it stands, for people.
pub(crate) fn parse_server(text: &str, place: &str) -> PgResult<Parameters> {
    refuse_foreign(text, place)?;
    match text {
        text if is_url(text) => parse_url(text),
        text if is_conninfo(text) => parse_conninfo(text),
        _ => Err(invalid(&format!("{place} is neither a PostgreSQL URL nor a connection string"))),
    }
}

/// [`parse_server`] for a URL that is an application's too, and may hold parameters of its framework.
pub(crate) fn parse_application(text: &str, place: &str) -> PgResult<Parameters> {
    refuse_foreign(text, place)?;
    if is_url(text) { parse_parts(text, Unknown::Ignored) } else { parse_server(text, place) }
}

/// Whether a target is the name of a database, and says nothing of a server.
#[must_use]
pub fn is_plain_name(target: &str) -> bool {
    !is_url(target) && !is_conninfo(target) && foreign_scheme(target).is_none()
}

/// What stands before `://`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain)).then_some(scheme)
}

fn is_postgres(scheme: &str) -> bool {
    let base = scheme.split('+').next().unwrap_or_default();
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(base))
}

fn is_url(text: &str) -> bool {
    scheme(text).is_some_and(is_postgres)
}

/// The scheme of a URL that is not PostgreSQL's.
fn foreign_scheme(text: &str) -> Option<&str> {
    let before_colon = text.split_once(':').map(|(word, _)| word);
    let without_slashes = before_colon.filter(|word| FOREIGN.iter().any(|known| known.eq_ignore_ascii_case(word)));
    scheme(text).filter(|scheme| !is_postgres(scheme)).or(without_slashes)
}

/// Refuses a URL of something else by its scheme: taken for a name it would lead to another server.
fn refuse_foreign(text: &str, place: &str) -> PgResult<()> {
    let Some(scheme) = foreign_scheme(text) else { return Ok(()) };
    Err(PgError::Usage {
        what: format!("{place} is a `{scheme}` URL, not a PostgreSQL URL"),
        help: remedy![
            "nothing was done. Name the server by a URL such as `postgresql://user@host/NAME`, by ",
            Setting::Host,
            ", ",
            Setting::Port,
            " and ",
            Setting::User,
            ", or by PGHOST; if a database really has this name, write `dbname='…'`"
        ],
    })
}

/// Whether `text` is a connection string: libpq takes any database name with `=` in it for one, and so a database of
/// such a name must be given as `dbname='…'`. We are kinder: the word before `=` must be a parameter's.
fn is_conninfo(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| libpq::is_keyword(name.trim()))
}

/// Parses `key=value key='quoted \' value'`.
fn parse_conninfo(text: &str) -> PgResult<Parameters> {
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
    if quoted { Err(invalid("an unterminated quote in the connection string")) } else { Ok((value, "")) }
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
fn parse_url(text: &str) -> PgResult<Parameters> {
    parse_parts(text, Unknown::Refused)
}

fn parse_parts(text: &str, unknown: Unknown) -> PgResult<Parameters> {
    let body = text.split_once("://").map_or(text, |(_, body)| body);
    let (body, query) = body.split_once('?').unwrap_or((body, ""));
    let (authority, database) = body.split_once('/').unwrap_or((body, ""));
    if !authority.contains('@') && database.contains('@') {
        return Err(invalid(
            "an `@` after a `/` in the URL (write `/` in a password as `%2F`, `@` in a name as `%40`)",
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
        match name.as_str() {
            // As libpq: what JDBC's URLs have.
            "ssl" if value == "true" => set(&mut parameters, "sslmode", "require".to_owned())?,
            // What libpq has is not the framework's alone, and refused if it cannot be done.
            name if unknown == Unknown::Refused || libpq::is_keyword(name) => {
                set(&mut parameters, name, decode(value)?)?;
            }
            _ => {}
        }
    }
    Ok(parameters)
}

fn set(parameters: &mut Parameters, name: &str, value: String) -> PgResult<()> {
    if !libpq::is_keyword(name) {
        return Err(libpq::unknown(name));
    }
    parameters.insert(name.to_owned(), value);
    Ok(())
}

fn decode(text: &str) -> PgResult<String> {
    // The decoder lets through what is no escape; libpq refuses it, and a NUL.
    let escapes = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
    };
    if !text.split('%').skip(1).all(escapes) {
        return Err(invalid("a `%` without two hexadecimal digits in the URL (write it as `%25`)"));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| invalid("the URL is not UTF-8 when decoded"))
}

/// The text itself is not repeated: it may hold a password.
fn invalid(what: &str) -> PgError {
    PgError::Usage {
        what: what.to_owned(),
        help: "forms are `NAME`, `host=… dbname=…` and `postgresql://user@host:port/NAME`".into(),
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
        let parsed = parse_application(text, "DATABASE_URL").unwrap();
        assert_eq!((get(&parsed, "host"), get(&parsed, "sslmode")), ("h".to_owned(), "require".to_owned()));
        assert!(parse_server(text, "X").unwrap_err().to_string().contains("`schema`"));
        // What libpq knows is never passed over.
        let parsed = parse_application("postgis://h/d?sslcrl=a.crl&ssl=true", "X").unwrap();
        assert_eq!((get(&parsed, "sslcrl"), get(&parsed, "sslmode")), ("a.crl".to_owned(), "require".to_owned()));
        assert!(
            parse_application("shop", "DATABASE_URL").unwrap_err().to_string().starts_with("DATABASE_URL is neither")
        );
    }

    #[test]
    fn urls_of_others_are_refused_by_their_scheme_and_never_taken_for_a_name() {
        for (text, scheme) in [
            ("mysql://u:hush@h/d", "mysql"),
            ("mysql+pymysql://u:hush@h/d", "mysql+pymysql"),
            ("sqlite:///hush.db", "sqlite"),
            ("SQLite:hush.db", "SQLite"),
            ("jdbc:postgresql://h/d?password=hush", "jdbc"),
            ("s3://hush/prefix", "s3"),
        ] {
            let said = [parse_target(text), parse_server(text, "X"), parse_application(text, "X")];
            for error in said.map(|parsed| parsed.unwrap_err()) {
                let said = format!("{error} {error:?}");
                assert!(said.contains(&format!("a `{scheme}` URL")) && !said.contains("hush"), "{said}");
            }
            assert!(!is_plain_name(text), "{text}");
        }
        for name in ["shop", "shop:prod", "://x", "1x://y", "postgres", "a=b"] {
            assert_eq!(get(&parse_target(name).unwrap(), "dbname"), name);
            assert!(is_plain_name(name), "{name}");
        }
        assert_eq!(get(&parse_target("dbname='sqlite:x'").unwrap(), "dbname"), "sqlite:x");
        assert_eq!(get(&parse_target("POSTGRES://h/d").unwrap(), "host"), "h");
    }

    #[test]
    fn connection_strings_unquote() {
        let parsed = parse_conninfo(r"host = /tmp dbname='it\'s a db' user=me").unwrap();
        assert_eq!(get(&parsed, "dbname"), "it's a db");
        assert_eq!(get(&parsed, "host"), "/tmp");
        assert!(parse_conninfo("dbname='open").is_err());
        assert_eq!(get(&parse_target("service = x").unwrap(), "service"), "x");
        assert!(parse_conninfo("host=h services=x").unwrap_err().to_string().contains("`services`"));
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
            let _ = parse_target(&text);
        }
    }
}
