#!/bin/sh
# DictDB 1.11.0 (dctdb of PyPI): the documented restore gives a database older than the full backup it starts from.
#
# With `incremental=True` the backup folder holds full files and deltas. The guide restores by loading the latest full file and
# then applying every delta in the order of the names.
#
# What happens: a full backup leaves the list of changed records as it is, and a delta has no link to what it builds on. Deltas
# that are older than the full file are applied over it and put older records back: here the full backup holds the price
# 30, and the restore ends with 20. The change that only the full file holds is in no later delta if the record wasn't
# touched again after it. No error: `apply_delta` returns how many records it changed.
#
# Why it matters: the more full backups there are among the deltas, the more of them a restore undoes. Deltas older than the
# full file (by the number in the name) must be left out by hand.
#
# Seen with dctdb 1.11.0, which asks for Python 3.13 and runs as it is on 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q --no-deps --ignore-requires-python dctdb==1.11.0 || untried "the package could not be installed"

"$work/venv/bin/python" - "$work/backups" 2> "$work/log" <<'PYTHON' || { tail -5 "$work/log" >&2; exit 1; }
import sys
from pathlib import Path

from dictdb import BackupManager, DictDB
from dictdb.storage.persist import apply_delta

folder = Path(sys.argv[1])
shop = DictDB()
shop.create_table("items")
items = shop.get_table("items")
manager = BackupManager(shop, folder, incremental=True)

def price():
    return items.select(where=None)[0]["price"]

items.insert({"id": 1, "price": 10})
manager.backup_full()
items.upsert({"id": 1, "price": 20})
manager.backup_delta()
items.upsert({"id": 1, "price": 30})
manager.backup_full()
live = price()

full = sorted(folder.glob("dictdb_backup_*.json"))[-1]
restored = DictDB.load(str(full), "json")
in_full = restored.get_table("items").select(where=None)[0]["price"]
for delta in sorted(folder.glob("dictdb_delta_*.json")):
    print("applied:", apply_delta(restored, delta), "record of the delta")
after = restored.get_table("items").select(where=None)[0]["price"]
print(f"price in the live database {live}, in the latest full backup {in_full}, after the documented restore {after}")
if (live, in_full, after) != (30, 30, 20):
    sys.exit("CHANGED: the restore gives another state")
print("As described: the restore is older than the full backup.")
PYTHON
