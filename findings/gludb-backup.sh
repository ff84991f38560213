#!/bin/sh
# gludb 0.2.0 (PyPI): a backup changes what it saves, and of two classes of one name it leaves one out.
#
# `Backup.add_class(...)` and `run_backup()` put all records of the classes into one tarball in S3, a JSON record a line.
#
# What happens, twice: (1) Writing a record out sets its `_last_update` to now. In the tarball every record carries the time
# of the backup; when it was really changed last is lost, and two backups of unchanged data differ in every line, so
# nothing can be deduplicated or compared. (2) A class is known by its own name and its table's. A second class `Order` with
# a table `orders` from another module, stored in another database, isn't added: `add_class` returns 0, the log has no word,
# and the backup "completes".
#
# Why it matters: (1) "which records changed since" can't be answered from backups; (2) a whole database can be missing.
#
# Seen with gludb 0.2.0, boto 2.49.0, json-delta 2.0.2, Python 3.11. A stand-in takes the file in place of S3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q setuptools==65.5.0 wheel==0.45.1 || untried "setuptools could not be installed"
"$work/venv/bin/pip" install -q --no-build-isolation gludb==0.2.0 boto==2.49.0 json-delta==2.0.2 \
    || untried "the packages could not be installed"

cat > "$work/branch.py" <<'PYTHON'
from gludb.simple import DBObject, Field

@DBObject(table_name="orders")
class Order(object):
    item = Field("")
PYTHON
cp "$work/branch.py" "$work/office.py"
cat > "$work/try.py" <<'PYTHON'
import shutil
import sys
import tarfile
import time

import branch
import gludb.backup
import office
from gludb.config import Database, class_database

folder = sys.argv[1]
for module in (branch, office):
    class_database(module.Order, Database("sqlite", filename=f"{folder}/{module.__name__}.db"))
    module.Order.ensure_table()
    order = module.Order(item=module.__name__)
    order.save()
written = branch.Order.find_all()[0]._last_update

class Bucket:
    def get_bucket(self, name):
        return self

class Key:
    def __init__(self, bucket):
        self.key = None
    def set_contents_from_filename(self, name):
        shutil.copy(name, f"{folder}/{self.key}")

gludb.backup.S3Connection = lambda *args: Bucket()
gludb.backup.Key = Key
texts, added = [], []
for _ in range(2):
    time.sleep(0.05)
    backup = gludb.backup.Backup(aws_access_key="test", aws_secret_key="test", bucketname="backups")
    added = [backup.add_class(branch.Order), backup.add_class(office.Order)]
    _, name = backup.run_backup()
    with tarfile.open(f"{folder}/{name}") as tar:
        texts.append("".join(tar.extractfile(member).read().decode() for member in tar))
print("record in the database: _last_update", written)
print("first backup: ", texts[0].strip())
print("second backup:", texts[1].strip())
print("classes added:", added, "- the office's order is in the backup:", "office" in texts[0])
if written in texts[0] or texts[0] == texts[1]:
    sys.exit("CHANGED: the backup keeps the time of the last update")
if added[1] != 0 or "office" in texts[0] or "branch" not in texts[0]:
    sys.exit("CHANGED: both classes are in the backup")
print("As described: the times are those of the backups, and the second class is missing.")
PYTHON
env -u DEBUG -u travis "$work/venv/bin/python" "$work/try.py" "$work"
