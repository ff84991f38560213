#!/bin/sh
# django-dbbackup 5.4.0 (PyPI): restoring `shop` restores the backup of `workshop`; cleaning up after `shop` deletes it.
#
# A Django project has the databases `shop` and `workshop`, both backed up to one storage. `dbrestore --database shop` is
# to restore the latest backup of `shop`, and `dbbackup --database shop --clean` is to leave `shop`'s last two
# (DBBACKUP_CLEANUP_KEEP = 2).
#
# What happens: a backup belongs to a database when the name of the database occurs anywhere in the name of the file.
# `workshop-HOST-DATE` contains `shop`. So the restore takes workshop's backup when it is younger, puts its rows into shop's
# database, and ends with exit code 0. The clean-up counts workshop's backups among shop's and deletes all of them.
#
# Why it matters: two databases of one project, one of which is named after the other (`app` and `app_archive`, `db` and
# `db2`), are common. The damage is only seen on the day of a restore.
#
# Seen with django-dbbackup 5.4.0, Django 5.2.8, Python 3.11, the databases on sqlite; PostgreSQL's connectors share the code.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q django-dbbackup==5.4.0 Django==5.2.8 || untried "the packages could not be installed"
python="$work/venv/bin/python"

mkdir "$work/backups" "$work/project"
cat > "$work/project/settings.py" <<PYTHON
SECRET_KEY = "for this test only"
USE_TZ = True
INSTALLED_APPS = ["dbbackup"]
def sqlite(name):
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": "$work/" + name + ".db"}
DATABASES = {"default": sqlite("main"), "shop": sqlite("shop"), "workshop": sqlite("workshop")}
FILES = "django.core.files.storage.FileSystemStorage"
STORAGES = {
    "default": {"BACKEND": FILES},
    "staticfiles": {"BACKEND": FILES},
    "dbbackup": {"BACKEND": FILES, "OPTIONS": {"location": "$work/backups"}},
}
DBBACKUP_HOSTNAME = "host"
DBBACKUP_CLEANUP_KEEP = 2
PYTHON
export PYTHONPATH="$work/project" DJANGO_SETTINGS_MODULE=settings
admin() { "$python" -m django "$@" || changed "django-admin $1 ended with $?"; }
query() {
    "$python" -c '
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
print(*[row[0] for statement in sys.argv[2:] for row in database.execute(statement)])
database.commit()' "$@"
}

for database in shop workshop; do
    query "$work/$database.db" "create table item (name)" "insert into item values ('of $database')" > "$work/out"
    admin dbbackup --database "$database"
    sleep 1.1 # names carry seconds
done
admin dbrestore --database shop --noinput
restored=$(query "$work/shop.db" "select name from item")
echo "shop holds after its restore: $restored"
[ "$restored" = "of workshop" ] || changed "shop got '$restored'"

for _ in 1 2; do
    admin dbbackup --database shop --clean
    sleep 1.1
done
left=$(ls "$work/backups" | sed -n 's/-host-.*sqlite3$//p' | tr '\n' ' ')
echo "backups left: $left"
[ "$left" = "shop shop " ] || changed "the clean-up left '$left'"
echo "As described: the only backup of workshop is gone."
