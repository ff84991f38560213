//! Whether one statement acts outside of the database that it is run in.

use crate::restore::outside::kind::Outside;
use crate::restore::outside::tokens::{Piece, Token};

/// Languages in which a function can do no more than its caller may (`lanpltrusted` of PostgreSQL's `pg_language`).
const TRUSTED: [&str; 9] = ["sql", "plpgsql", "plperl", "pltcl", "plv8", "plls", "plcoffee", "plrust", "pllua"];

/// Settings by which the same text means something else.
const READING: [&str; 3] = ["standard_conforming_strings", "backslash_quote", "client_encoding"];

/// How the encodings that a database can have begin, as `pg_dump` writes them. In others a byte of a character may look like
/// a quote or a backslash (PostgreSQL manual, "Character Set Support").
const ENCODINGS: [&str; 9] =
    ["UTF8", "SQL_ASCII", "EUC_", "LATIN", "WIN1", "WIN8", "KOI8", "ISO_8859_", "MULE_INTERNAL"];

/// Words between a verb and the kind of its object.
const MODIFIERS: [&str; 17] = [
    "OR",
    "REPLACE",
    "TRUSTED",
    "PROCEDURAL",
    "UNLOGGED",
    "TEMP",
    "TEMPORARY",
    "GLOBAL",
    "LOCAL",
    "RECURSIVE",
    "UNIQUE",
    "CONSTRAINT",
    "DEFAULT",
    "EVENT",
    "MATERIALIZED",
    "FOREIGN",
    "LARGE",
];

/// What a statement does outside, if it does.
pub(super) fn judge(statement: &[Piece<'_>]) -> Option<Outside> {
    let Some(Token::Word(verb)) = statement.first().map(|first| first.token) else { return Some(Outside::Commands) };
    let rest = &statement[1..];
    match verb.to_ascii_uppercase().as_str() {
        "CREATE" | "ALTER" | "DROP" => object(statement),
        "COMMENT" | "SECURITY" => after(rest, "ON").and_then(shared),
        "GRANT" | "REVOKE" => granted(rest),
        "SET" | "RESET" => reading(rest),
        "SELECT" => called(rest),
        "COPY" => Some(copied(rest)),
        "LOAD" => Some(Outside::Programs),
        "REASSIGN" => Some(Outside::Roles),
        "IMPORT" => Some(Outside::Connections),
        "REFRESH" => None,
        _ => Some(Outside::Commands),
    }
}

/// The pieces behind the first such keyword outside of parentheses.
fn after<'p, 't>(statement: &'p [Piece<'t>], keyword: &str) -> Option<&'p [Piece<'t>]> {
    let at = statement.iter().position(|piece| piece.depth == 0 && piece.token.is(keyword))?;
    Some(&statement[at + 1..])
}

fn has(statement: &[Piece<'_>], keyword: &str) -> bool {
    statement.iter().any(|piece| piece.token.is(keyword))
}

/// What is not of one database, if an object's kind and name begin so.
fn shared(object: &[Piece<'_>]) -> Option<Outside> {
    let first = object.first()?.token;
    let is = |keyword: &str| first.is(keyword);
    if is("ROLE") || is("GROUP") || is("OWNED") {
        return Some(Outside::Roles);
    }
    if is("USER") && !object.get(1).is_some_and(|next| next.token.is("MAPPING")) {
        return Some(Outside::Roles);
    }
    if is("DATABASE") {
        return Some(Outside::Databases);
    }
    if is("TABLESPACE") {
        return Some(Outside::Tablespaces);
    }
    (is("SYSTEM") || is("PARAMETER")).then_some(Outside::Configuration)
}

/// Something made, changed or dropped.
fn object(statement: &[Piece<'_>]) -> Option<Outside> {
    let named = |piece: &Piece<'_>| !MODIFIERS.iter().any(|modifier| piece.token.is(modifier));
    let kind = statement.iter().skip(1).position(named)? + 1;
    let object = &statement[kind..];
    let makes = statement[0].token.is("CREATE");
    let is = |keyword: &str| object[0].token.is(keyword);
    if let Some(shared) = shared(object) {
        return Some(shared);
    }
    if makes && (is("FUNCTION") || is("PROCEDURE")) {
        return untrusted(object);
    }
    if makes && is("LANGUAGE") {
        return (!has(&statement[..kind], "TRUSTED")).then_some(Outside::Languages);
    }
    if is("SUBSCRIPTION") {
        return connects(statement[0].token, object);
    }
    if is("TABLE") && has(&statement[..kind], "FOREIGN") {
        return runs_program(object).then_some(Outside::Programs);
    }
    // Rows of a query, which `pg_dump` never writes: its tables are filled later.
    (makes && is("TABLE") && after(object, "AS").is_some()).then_some(Outside::Commands)
}

/// A function whose language may do anything.
fn untrusted(function: &[Piece<'_>]) -> Option<Outside> {
    let is_trusted = |token: &Token<'_>| match token {
        Token::Word(name) => TRUSTED.iter().any(|trusted| name.eq_ignore_ascii_case(trusted)),
        Token::Name(name) | Token::Text(name) => TRUSTED.contains(name),
        Token::Sign(_) => false,
    };
    // A body in SQL comes last, and there `language` may be somebody's column.
    let begins = |pair: &[Piece<'_>]| pair[0].depth == 0 && pair[0].token.is("BEGIN") && pair[1].token.is("ATOMIC");
    let body = function.windows(2).position(begins).unwrap_or(function.len());
    // Behind a schema it is the name of a type. A number may end in a point too, and have letters: `COST 1_0.`.
    let is_name = |at: usize| {
        let before = |back: usize| at.checked_sub(back).map(|at| function[at].token);
        let is_number = matches!(before(3), Some(Token::Sign(sign)) if sign.is_ascii_digit());
        before(1) == Some(Token::Sign('.')) && matches!(before(2), Some(Token::Word(_) | Token::Name(_))) && !is_number
    };
    let says = |at: usize| function[at].depth == 0 && function[at].token.is("LANGUAGE") && !is_name(at);
    let mut languages = (0..body).filter(|at| says(*at)).map(|at| function.get(at + 1));
    languages.any(|language| language.is_none_or(|piece| !is_trusted(&piece.token))).then_some(Outside::Languages)
}

/// A subscription that does more than be there.
fn connects(verb: Token<'_>, subscription: &[Piece<'_>]) -> Option<Outside> {
    let stays = if verb.is("CREATE") {
        subscription.windows(3).any(|three| {
            three[0].token.is("CONNECT") && three[1].token == Token::Sign('=') && three[2].token.is("FALSE")
        })
    } else {
        // `pg_restore` writes `ALTER SUBSCRIPTION … OWNER TO` by itself, and drops nothing.
        verb.is("DROP") || has(subscription, "OWNER")
    };
    (!stays).then_some(Outside::Connections)
}

/// A foreign table whose rows a program of the server's machine prints, or that are in one of its files (`file_fdw`).
fn runs_program(table: &[Piece<'_>]) -> bool {
    table.windows(2).any(|pair| match (pair[0].token, pair[1].token) {
        (Token::Word(word) | Token::Name(word), Token::Text(_)) => word.eq_ignore_ascii_case("program"),
        _ => false,
    })
}

/// `GRANT … ON …` gives a right on something, `GRANT … TO …` a role.
fn granted(rest: &[Piece<'_>]) -> Option<Outside> {
    match after(rest, "ON") {
        Some(object) => shared(object),
        None => Some(Outside::Roles),
    }
}

/// A setting is the session's own, unless the rest of the archive would be read in another way.
fn reading(rest: &[Piece<'_>]) -> Option<Outside> {
    let is_named = |piece: &Piece<'_>| match piece.token {
        Token::Word(name) | Token::Name(name) => READING.iter().any(|reading| name.eq_ignore_ascii_case(reading)),
        _ => false,
    };
    // These two stand in every archive.
    let usual = match rest {
        [name, _, value] if name.token.is("standard_conforming_strings") => value.token == Token::Text("on"),
        [name, _, value] if name.token.is("client_encoding") => {
            matches!(value.token, Token::Text(text) if ENCODINGS.iter().any(|begin| text.starts_with(begin)))
        }
        _ => false,
    };
    (rest.iter().any(is_named) && !usual).then_some(Outside::Commands)
}

/// `SELECT pg_catalog.set_config('search_path', '', false)`, the only call that `pg_dump` writes for a schema.
fn called(rest: &[Piece<'_>]) -> Option<Outside> {
    let tokens: Vec<Token<'_>> = rest.iter().map(|piece| piece.token).collect();
    let usual = match tokens.as_slice() {
        [schema, dot, function, open, Token::Text("search_path"), _, Token::Text(_), _, local, close] => {
            schema.is("pg_catalog")
                && function.is("set_config")
                && local.is("false")
                && [*dot, *open, *close] == [Token::Sign('.'), Token::Sign('('), Token::Sign(')')]
        }
        _ => false,
    };
    (!usual).then_some(Outside::Commands)
}

/// Rows are not in an archive of a schema, and never in files of the server's machine.
fn copied(rest: &[Piece<'_>]) -> Outside {
    let target = after(rest, "FROM").or_else(|| after(rest, "TO"));
    let opens = |target: &[Piece<'_>]| {
        target.first().is_some_and(|first| first.token.is("PROGRAM") || matches!(first.token, Token::Text(_)))
    };
    if target.is_some_and(opens) { Outside::Programs } else { Outside::Commands }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::outside::tokens::{Strings, statements};

    fn judged(text: &str) -> Option<Outside> {
        let statements = statements(text, Strings::Standard).unwrap();
        assert_eq!(statements.len(), 1, "{text}");
        judge(&statements[0])
    }

    #[test]
    fn what_acts_outside_is_found() {
        use Outside::{Commands, Configuration, Connections, Databases, Languages, Programs, Roles, Tablespaces};
        let outside = [
            (Roles, "CREATE ROLE r SUPERUSER"),
            (Roles, "/* x */ create\nuser r"),
            (Roles, "ALTER USER r PASSWORD 'x'"),
            (Roles, "DROP GROUP r"),
            (Roles, "ALTER ROLE ALL IN DATABASE d SET work_mem = 1"),
            (Roles, "GRANT pg_execute_server_program TO r"),
            (Roles, "REVOKE a FROM b"),
            (Roles, "DROP OWNED BY r"),
            (Roles, "REASSIGN OWNED BY a TO b"),
            (Roles, "COMMENT ON ROLE r IS 'x'"),
            (Databases, "CREATE DATABASE d"),
            (Databases, "ALTER DATABASE d OWNER TO r"),
            (Databases, "DROP DATABASE d"),
            (Databases, "COMMENT ON DATABASE d IS 'x'"),
            (Databases, "SECURITY LABEL FOR p ON DATABASE d IS 'x'"),
            (Databases, "GRANT ALL ON DATABASE d TO r"),
            (Tablespaces, "CREATE TABLESPACE t LOCATION '/x'"),
            (Tablespaces, "GRANT CREATE ON TABLESPACE t TO r"),
            (Configuration, "ALTER SYSTEM SET archive_command = 'x'"),
            (Configuration, "GRANT SET ON PARAMETER x TO r"),
            (Programs, "COPY t FROM PROGRAM 'x'"),
            (Programs, "COPY (SELECT 1) TO PROGRAM 'x'"),
            (Programs, "COPY t FROM '/etc/passwd'"),
            (Programs, "LOAD 'x'"),
            (Programs, "CREATE FOREIGN TABLE t (a text) SERVER s OPTIONS (program 'x')"),
            (Languages, "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS $$ x $$"),
            (Languages, "CREATE OR REPLACE PROCEDURE f() LANGUAGE 'c' AS 'lib', 'sym'"),
            (Languages, "CREATE FUNCTION f() RETURNS int LANGUAGE \"SQL\" AS 'x'"),
            (Languages, "CREATE FUNCTION f() RETURNS int SET x TO begin LANGUAGE c AS 'x'"),
            (Languages, "CREATE FUNCTION f() RETURNS int COST 1. LANGUAGE c AS 'x'"),
            (Languages, "CREATE FUNCTION f() RETURNS int COST 1_0. LANGUAGE c AS 'x'"),
            (Languages, "CREATE PROCEDURAL LANGUAGE l HANDLER h"),
            (Connections, "CREATE SUBSCRIPTION s CONNECTION 'connect = false' PUBLICATION p"),
            (Connections, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = true)"),
            (Connections, "ALTER SUBSCRIPTION s ENABLE"),
            (Connections, "IMPORT FOREIGN SCHEMA x FROM SERVER s INTO y"),
            (Commands, "DO $$ BEGIN END $$"),
            (Commands, "SELECT pg_read_file('x')"),
            (Commands, "SELECT pg_catalog.setval('s', length(pg_read_file('x')))"),
            (Commands, "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false)"),
            (Commands, "SET standard_conforming_strings = off"),
            (Commands, "SET \"Standard_Conforming_Strings\" = 'off'"),
            (Commands, "SET client_encoding TO 'SJIS'"),
            (Commands, "SET client_encoding = 'WIN932'"),
            (Commands, "SELECT evil.set_config('search_path', '', false)"),
            (Commands, "SELECT pg_catalog.set_config('role', 'r', false)"),
            (Commands, "CREATE TABLE t AS SELECT pg_read_file('x')"),
            (Commands, "INSERT INTO t VALUES (1)"),
            (Commands, "COPY t FROM stdin"),
            (Commands, "(SELECT 1)"),
            (Commands, "\"CREATE\" TABLE"),
        ];
        for (expected, text) in outside {
            assert_eq!(judged(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_pg_dump_writes_stays_inside() {
        let inside = [
            "SET statement_timeout = 0",
            "SET client_encoding = 'UTF8'",
            "SET standard_conforming_strings = 'on'",
            "SET default_tablespace = ''",
            "SET client_encoding = 'EUC_JIS_2004'",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "CREATE TABLE t (a integer, b integer GENERATED ALWAYS AS ((a + 1)) STORED)",
            "CREATE TABLE public.role (role text DEFAULT 'x'::text, \"user\" text)",
            "CREATE USER MAPPING FOR role SERVER s OPTIONS (password 'x')",
            "DROP USER MAPPING IF EXISTS FOR r SERVER s",
            "COMMENT ON TABLE public.role IS 'ROLE'",
            "COMMENT ON CONSTRAINT c ON public.database IS 'x'",
            "GRANT SELECT(a),UPDATE(b) ON TABLE public.t TO r",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "ALTER DEFAULT PRIVILEGES FOR ROLE r IN SCHEMA s GRANT SELECT ON TABLES TO x",
            "ALTER TABLE ONLY public.t CLUSTER ON i",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN EXECUTE 'CREATE ROLE r'; END $_$",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT film.language FROM film; END",
            "CREATE FUNCTION f() RETURNS SETOF public.language LANGUAGE sql AS 'x'",
            "CREATE TRUSTED PROCEDURAL LANGUAGE pll HANDLER h",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false, slot_name = 's')",
            "ALTER SUBSCRIPTION s OWNER TO r",
            "CREATE FOREIGN TABLE program (a text) SERVER s OPTIONS (table_name 'program')",
            "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION public.f()",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM v)",
            "CREATE UNIQUE INDEX i ON public.t USING btree (a)",
            "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public",
            "CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler",
            "SECURITY LABEL FOR p ON TABLE t IS 'x'",
            "REFRESH MATERIALIZED VIEW v",
        ];
        for text in inside {
            assert_eq!(judged(text), None, "{text}");
        }
    }
}
