#!/bin/sh
# django-sqlite-backup 0.3.0 (PyPI): its backups lack the last commits, and its own `restore` doesn't find them.
#
# `manage.py backup` puts the sqlite database of a Django project into S3, `manage.py restore DATE` gets it back.
#
# What happens, twice: (1) The backup is a plain copy of the main file. With the write-ahead log on (Django's guide shows
# how, many turn it on) what was committed since the last checkpoint is in `NAME-wal` and in no backup: "Backup done!", exit
# code 0, and the copy has not even the table. (2) The object is stored under the file's base name and looked for
# under the whole path of DATABASES["default"]["NAME"]. With the path that Django's own template sets (BASE_DIR /
# "db.sqlite3") the restore ends with NoSuchKey on every backup that the same package made.
#
# Why it matters: both show on the day of the restore and never before.
#
# Seen with django-sqlite-backup 0.3.0, Django 5.2.8, boto3 1.40.0 against moto 5.2.5's S3 on 127.0.0.1, Python 3.11.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q django-sqlite-backup==0.3.0 Django==5.2.8 boto3==1.40.0 'moto[server]==5.2.5' \
    || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done

mkdir "$work/project"
cat > "$work/project/settings.py" <<PYTHON
SECRET_KEY = "for this test only"
INSTALLED_APPS = ["django_sqlite_backup"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "$work/project/db.sqlite3",
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL;"},
    }
}
SQLITE_BACKUP = {"BUCKET_NAME": "backups", "S3_ENDPOINT": "http://127.0.0.1:$port"}
PYTHON
export PYTHONPATH="$work/project" DJANGO_SETTINGS_MODULE=settings
cat > "$work/try.py" <<'PYTHON'
import sqlite3
import sys
from datetime import date

import boto3
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

django.setup()
s3 = boto3.client("s3", endpoint_url=settings.SQLITE_BACKUP["S3_ENDPOINT"])
s3.create_bucket(Bucket="backups")
with connection.cursor() as cursor: # stays open, as in an application that serves
    cursor.execute("create table orders (id integer)")
    cursor.execute("insert into orders values (1)")
call_command("backup")

key = f"sqlite_backup/{date.today()}/db.sqlite3"
path = sys.argv[1]
s3.download_file("backups", key, path)
try:
    copy = sqlite3.connect(path).execute("select count(*) from orders").fetchone()
except sqlite3.OperationalError as error:
    copy = str(error)
print("the committed order in the backup:", copy)
if copy != "no such table: orders":
    sys.exit("CHANGED: the backup holds what was committed")
try:
    call_command("restore", str(date.today()))
except s3.exceptions.NoSuchKey as error:
    print("restore:", error)
else:
    sys.exit("CHANGED: the restore finds the backup")
print("As described: the copy lacks the commit, and the restore doesn't find the copy.")
PYTHON
"$work/venv/bin/python" "$work/try.py" "$work/copy.db"
