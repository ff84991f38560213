#!/bin/sh
# cronicle 0.4.0 (PyPI): the yearly tier never takes a second backup.
#
# cronicle keeps rotated links to backups in DAILY, WEEKLY, MONTHLY and YEARLY. With `yearly: 5` and one dump on the
# first of January of six years, a user expects the last five in YEARLY.
#
# What happens: the first dump is linked, every later one is turned down with "too short delay since last archive", even
# when it is years younger. The same holds for the daily tier when the dump before is exactly one month old. The exit
# code is 0 each time. The reason is visible from outside: the delay is compared one calendar field at a time, and after
# exactly a year the field "months" is 0, after exactly a month the field "days" is.
#
# Why it matters: with `--remove`, dumps that no tier holds are deleted once they fall out of the others. What was to be
# kept for five years is one dump from the very first run, and nothing says so.
#
# Seen with cronicle 0.4.0, python-dateutil 2.9.0.post0, Python 3.11, on Linux.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q cronicle==0.4.0 python-dateutil==2.9.0.post0 confuse==2.0.1 click==8.1.8 click-log==0.4.0 \
    || untried "the packages could not be installed"

mkdir -p "$work/config" "$work/yearly" "$work/daily"
export CRONICLEDIR="$work/config"
cat > "$work/config/config.yaml" <<CONFIG
"$work/yearly/shop-*.dump":
  yearly: 5
"$work/daily/shop-*.dump":
  daily: 7
CONFIG

keep() {
    echo "$2" > "$work/$1/shop-$2.dump"
    touch -d "$2 03:00" "$work/$1/shop-$2.dump"
    "$work/venv/bin/cronicle" "$work/$1/shop-$2.dump" || changed "cronicle ended with $? for $2"
}
for day in 2020-01-01 2021-01-01 2022-01-01 2023-01-01 2024-01-01 2025-01-01; do keep yearly "$day"; done
for day in 2025-03-15 2025-04-15; do keep daily "$day"; done

yearly=$(ls "$work/yearly/YEARLY")
daily=$(ls "$work/daily/DAILY")
echo "YEARLY holds: $yearly"
echo "DAILY holds: $daily"
[ "$yearly" = shop-2020-01-01.dump ] || changed "the yearly tier holds something else than the first dump alone"
[ "$daily" = shop-2025-03-15.dump ] || changed "the daily tier took the dump that is one month younger"
echo "As described: the youngest dump is in neither tier."
