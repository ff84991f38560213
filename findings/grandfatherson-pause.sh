#!/bin/sh
# GrandFatherSon 1.3 (PyPI): after a pause in the backups, everything is to be deleted, the last good one too.
#
# `to_delete(times, days=7, weeks=4, months=6)` says which backups may go under grandfather-father-son rotation.
#
# What happens: the numbers count back from today and not from the newest backup. A source whose backups stopped longer
# ago than the longest tier (the job was switched off, the credentials expired) loses all of them at the next clean-up:
# `to_keep` is empty. With `days=7` alone a quiet week and a day is enough. No error, no exception for the newest.
#
# Why it matters: the clean-up usually goes on in cron when the backup itself has died. That is when the last good backup
# is needed most.
#
# Seen with GrandFatherSon 1.3, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q setuptools==65.5.0 wheel==0.45.1 || untried "setuptools could not be installed"
"$work/venv/bin/pip" install -q --no-build-isolation GrandFatherSon==1.3 || untried "the package could not be installed"

"$work/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timedelta
from grandfatherson import to_delete, to_keep

last = datetime(2026, 3, 1, 3, 0)
times = [last - timedelta(days=age) for age in range(400)]
rules = dict(days=7, weeks=4, months=6)
running = to_keep(times, now=last + timedelta(hours=6), **rules)
paused = to_keep(times, now=last + timedelta(days=215), **rules)
week = to_delete(times, days=7, now=last + timedelta(days=8))
print(f"kept while the backups run: {len(running)}")
print(f"kept 215 days after the last one: {len(paused)}; deleted: {len(to_delete(times, now=last + timedelta(days=215), **rules))}")
print(f"deleted under days=7 after a pause of 8 days: {len(week)} of {len(times)}")
if not (last - timedelta(days=1) in running and len(running) > 10 and not paused and len(week) == len(times)):
    sys.exit("CHANGED: something is kept after the pause")
print("As described: the newest backup is among those to be deleted.")
PYTHON
