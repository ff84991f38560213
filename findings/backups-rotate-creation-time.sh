#!/bin/sh
# backups-rotate 0.0.2 (PyPI): one `chmod` of the folder, and the next run deletes all backups but one.
#
# backups-rotate keeps, say, one backup of each of the last 30 days. Without a date format or `use_modification_time` a
# backup's time is "its creation time", says the guide.
#
# What happens: on Linux the time taken is that of the last change of the inode. `chmod`, `chown`, a rename or putting the
# folder back with `cp -a` or `rsync -a` makes all backups "created" at the same moment. They fall into one bin of
# every tier, and all but one are deleted, with exit code 0, although names and modification times show thirty days.
#
# Why it matters: these are the very commands one gives to a backup folder after moving it to a new disk or handing
# it to another user.
#
# Seen with backups-rotate 0.0.2, pandas 2.2.3, Python 3.11, on Linux (ext4).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q backups-rotate==0.0.2 pandas==2.2.3 numpy==2.2.6 click==8.1.8 ruamel.yaml==0.18.6 \
    || untried "the packages could not be installed"

mkdir "$work/backups"
for age in $(seq 1 30); do
    day=$(date -d "$age days ago" +%F)
    echo "dump of $day" > "$work/backups/shop-$day.sql"
    touch -d "$day 03:00" "$work/backups/shop-$day.sql"
done
chmod 640 "$work"/backups/*.sql
cat > "$work/config.yaml" <<CONFIG
- name: shop
  folder: $work/backups
  patterns:
    - "shop-*.sql"
  policy:
    year: infinite
    month: 12
    day: 30
CONFIG

before=$(ls "$work/backups" | wc -l)
"$work/venv/bin/backups-rotate" --config "$work/config.yaml" shop || changed "backups-rotate ended with $?"
after=$(ls "$work/backups" | wc -l)
echo "backups before: $before, after: $after"
[ "$before" = 30 ] || changed "the test made $before backups"
# Two are left in the rare case that an hour boundary of the tiers passed while the files were made.
[ "$after" -le 2 ] || changed "$after of 30 daily backups are still there"
echo "As described: 30 daily backups were taken for backups of the same moment."
