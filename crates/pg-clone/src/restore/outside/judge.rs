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

/// Functions that take statistics (`pg_dump --statistics`, PostgreSQL 18).
const STATISTICS: [&str; 3] = ["pg_restore_relation_stats", "pg_restore_attribute_stats", "pg_restore_extended_stats"];

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
    if is("USER") && !is_mapping(object) {
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

/// `USER MAPPING FOR …`: a role may be called `mapping` as well.
fn is_mapping(object: &[Piece<'_>]) -> bool {
    let is = |at: usize, keyword: &str| object.get(at).is_some_and(|piece| piece.token.is(keyword));
    is(1, "MAPPING") && (is(2, "FOR") || is(2, "IF"))
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
    if is("LANGUAGE") {
        return language(statement[0].token, object);
    }
    // What it makes in itself may be privileges on anything; `pg_dump` writes each for itself.
    if makes && is("SCHEMA") && (has(object, "GRANT") || has(object, "CREATE")) {
        return Some(Outside::Commands);
    }
    if is("SUBSCRIPTION") {
        return connects(statement[0].token, object);
    }
    // A foreign one need not be called that to be altered.
    if is("TABLE") && runs_program(object) {
        return Some(Outside::Programs);
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

/// A language with a handler of its own, which may be any, or one that gets another name: functions are judged by it.
fn language(verb: Token<'_>, language: &[Piece<'_>]) -> Option<Outside> {
    let may_do_anything = if verb.is("ALTER") {
        !language.get(2).is_some_and(|piece| piece.token.is("OWNER"))
    } else {
        verb.is("CREATE") && after(language, "HANDLER").is_some()
    };
    may_do_anything.then_some(Outside::Languages)
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
            matches!(value.token, Token::Text(text) if is_encoding(text))
        }
        _ => false,
    };
    (rest.iter().any(is_named) && !usual).then_some(Outside::Commands)
}

/// The calls that `pg_dump` writes: for the search path, for sequences, for large objects, and for statistics.
fn called(rest: &[Piece<'_>]) -> Option<Outside> {
    let tokens: Vec<Token<'_>> = rest.iter().map(|piece| piece.token).collect();
    let usual = match tokens.as_slice() {
        [schema, Token::Sign('.'), function, Token::Sign('('), arguments @ .., Token::Sign(')')] => {
            schema.is("pg_catalog") && sets(*function, arguments)
        }
        [
            Token::Sign('*'),
            from,
            schema,
            Token::Sign('.'),
            Token::Word(function),
            Token::Sign('('),
            arguments @ ..,
            Token::Sign(')'),
        ] => {
            from.is("FROM")
                && schema.is("pg_catalog")
                && STATISTICS.contains(function)
                && arguments.iter().all(is_plain_argument)
        }
        _ => false,
    };
    (!usual).then_some(Outside::Commands)
}

/// Whether a function of the system's is called that changes nothing but the session or what the archive made.
fn sets(function: Token<'_>, arguments: &[Token<'_>]) -> bool {
    let is_digit = |token: &Token<'_>| matches!(token, Token::Sign(sign) if sign.is_ascii_digit());
    match arguments {
        [Token::Text("search_path"), Token::Sign(','), Token::Text(_), Token::Sign(','), local] => {
            function.is("set_config") && local.is("false")
        }
        [Token::Text(_sequence), Token::Sign(','), value @ .., Token::Sign(','), used] => {
            let digits = value.strip_prefix(&[Token::Sign('-')]).unwrap_or(value);
            let is_value = !digits.is_empty() && digits.iter().all(is_digit);
            function.is("setval") && is_value && (used.is("true") || used.is("false"))
        }
        [Token::Text(number)] => {
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            is_number && (function.is("lo_create") || function.is("lo_unlink"))
        }
        _ => false,
    }
}

/// A constant, or a part of one that is cast to a type. Without parentheses nothing is called.
fn is_plain_argument(token: &Token<'_>) -> bool {
    match token {
        Token::Text(_) | Token::Word(_) => true,
        Token::Name(_) => false,
        Token::Sign(sign) => sign.is_ascii_digit() || [',', ':', '[', ']', '-', '.'].contains(sign),
    }
}

/// `COPY table (columns) FROM stdin`, as `pg_dump` writes it.
pub(super) fn copies_rows(statement: &[Piece<'_>]) -> bool {
    let tokens: Vec<Token<'_>> = statement.iter().map(|piece| piece.token).collect();
    let is_name = |token: &Token<'_>| matches!(token, Token::Word(_) | Token::Name(_));
    let [verb, table @ .., from, stdin] = tokens.as_slice() else { return false };
    let columns = match table {
        [schema, Token::Sign('.'), name, columns @ ..] if is_name(schema) && is_name(name) => columns,
        [name, columns @ ..] if is_name(name) => columns,
        _ => return false,
    };
    let are_columns = match columns {
        [] => true,
        [Token::Sign('('), names @ .., Token::Sign(')')] => {
            names.split(|token| *token == Token::Sign(',')).all(|name| matches!(name, [name] if is_name(name)))
        }
        _ => false,
    };
    verb.is("COPY") && from.is("FROM") && stdin.is("stdin") && are_columns
}

/// Whether a character of this encoding has no byte that looks like a quote or a backslash.
pub(super) fn is_encoding(name: &str) -> bool {
    ENCODINGS.iter().any(|begin| name.starts_with(begin))
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

    fn each_is_found(outside: &[(Outside, &str)]) {
        for (expected, text) in outside {
            assert_eq!(judged(text), Some(*expected), "{text}");
        }
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
            (Languages, "CREATE TRUSTED PROCEDURAL LANGUAGE plv8 HANDLER plpython3_call_handler"),
            (Languages, "ALTER LANGUAGE internal RENAME TO plv8"),
            (Roles, "CREATE USER mapping SUPERUSER"),
            (Roles, "ALTER USER mapping SUPERUSER"),
            (Roles, "DROP USER mapping"),
            (Commands, "CREATE SCHEMA s GRANT ALL ON DATABASE postgres TO r"),
            (Commands, "CREATE SCHEMA s CREATE VIEW v AS SELECT 1"),
            (Programs, "ALTER TABLE t OPTIONS (DROP filename, ADD program 'x')"),
            (Programs, "ALTER FOREIGN TABLE t OPTIONS (ADD \"program\" 'x')"),
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
        ];
        each_is_found(&outside);
    }

    #[test]
    fn commands_outside_are_found() {
        use Outside::Commands;
        let outside = [
            (Commands, "SET client_encoding = 'WIN932'"),
            (Commands, "SELECT evil.set_config('search_path', '', false)"),
            (Commands, "SELECT pg_catalog.set_config('role', 'r', false)"),
            (Commands, "SELECT pg_catalog.setval('s', 1, evil())"),
            (Commands, "SELECT evil.setval('s', 1, true)"),
            (Commands, "SELECT pg_catalog.lo_create('1'), pg_read_file('x')"),
            (Commands, "SELECT pg_catalog.lo_export('1')"),
            (Commands, "SELECT * FROM pg_catalog.pg_restore_relation_stats('relname', evil())"),
            (Commands, "SELECT * FROM pg_catalog.pg_read_file('x')"),
            (Commands, "CREATE TABLE t AS SELECT pg_read_file('x')"),
            (Commands, "INSERT INTO t VALUES (1)"),
            (Commands, "COPY t FROM stdin"),
            (Commands, "(SELECT 1)"),
            (Commands, "\"CREATE\" TABLE"),
        ];
        each_is_found(&outside);
    }

    #[test]
    fn rows_are_copied_from_the_program_alone() {
        let copies = |text: &str| copies_rows(&statements(text, Strings::Standard).unwrap()[0]);
        for text in [
            "COPY public.t (a, \"B c\") FROM stdin",
            "COPY t FROM stdin",
            "COPY public.t  FROM stdin;",
            "copy \"T\" (\"a\") from STDIN",
        ] {
            assert!(copies(text), "{text}");
        }
        for text in [
            "COPY t FROM 'x'",
            "COPY t FROM PROGRAM 'x'",
            "COPY t TO stdin",
            "COPY t FROM stdin WHERE a IS DISTINCT FROM stdin",
            "COPY (SELECT evil()) FROM stdin",
            "COPY t (a, f(b)) FROM stdin",
            "COPY t () FROM stdin",
        ] {
            assert!(!copies(text), "{text}");
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
            "SELECT pg_catalog.setval('public.s', 12, true)",
            "SELECT pg_catalog.setval('public.s', -1, false)",
            "SELECT pg_catalog.lo_create('16387')",
            "SELECT * FROM pg_catalog.pg_restore_attribute_stats('version', '180000'::integer, 'attname', 'a', \
             'null_frac', '0.5'::real, 'most_common_freqs', '{0.5}'::real[])",
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
            "CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql",
            "ALTER PROCEDURAL LANGUAGE plpgsql OWNER TO postgres",
            "CREATE SCHEMA s AUTHORIZATION r",
            "CREATE SCHEMA \"grant\"",
            "CREATE USER MAPPING IF NOT EXISTS FOR r SERVER s",
            "ALTER TABLE ONLY public.t ALTER COLUMN program SET DEFAULT 'x'::text",
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
