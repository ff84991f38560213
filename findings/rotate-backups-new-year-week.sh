#!/bin/sh
# rotate-backups 8.1 (PyPI): a dump of 1 January holds one of the weekly places until the end of that year.
#
# `rotate-backups --relaxed --weekly=4` is to keep one backup of each of the last four weeks; "relaxed" because the
# backups are not made at even intervals.
#
# What happens: a week is named by the calendar year and the ISO number. 1 January 2027 is in ISO week 53 (of 2026), so
# its backup counts as that of week 53 of 2027: the last week of a year that has only begun. From then on it sorts
# after every other week of 2027. Of weekly backups up to the end of June the newest three weeks are kept and the
# one of 1 January, while the fourth week's is deleted.
#
# Why it matters: one backup less than asked for, in a place that looks filled, in every year that begins in week 52 or 53
# (2021, 2022, 2023, 2027, 2028 among them).
#
# Seen with rotate-backups 8.1, Python 3.11, on Linux.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q rotate-backups==8.1 setuptools==65.5.0 executor==23.2 humanfriendly==10.0 coloredlogs==15.0.1 \
    property-manager==3.0 update-dotdee==6.0 simpleeval==1.0.3 six==1.17.0 python-dateutil==2.9.0.post0 \
    || untried "the packages could not be installed"

mkdir "$work/backups"
# A backup on each Friday, from 1 January to 25 June 2027.
for week in $(seq 0 25); do
    touch "$work/backups/shop-$(date -d "2027-01-01 $((week * 7)) days" +%F).tar"
done
"$work/venv/bin/rotate-backups" --relaxed --weekly=4 "$work/backups" 2> "$work/log" || changed "rotate-backups ended with $?"
kept=$(ls "$work/backups" | tr '\n' ' ')
echo "kept: $kept"
[ "$kept" = "shop-2027-01-01.tar shop-2027-06-11.tar shop-2027-06-18.tar shop-2027-06-25.tar " ] \
    || changed "other backups are kept than the newest three and the one of 1 January"
echo "As described: the backup of 4 June was deleted for that of 1 January."
