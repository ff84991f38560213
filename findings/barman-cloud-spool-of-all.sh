#!/bin/sh
# Barman 3.19.1 (PyPI): barman-cloud-wal-restore hands one server's WAL to another that recovers on the same machine.
#
# `restore_command = 'barman-cloud-wal-restore --parallel 4 s3://BUCKET SERVER %f %p'` fetches a segment and the next ones ahead.
# It names the bucket and the server, so a user expects WAL of that server of that bucket.
#
# What happens: what was fetched ahead lies in a spool directory, by default /var/tmp/walrestore for everybody, under the name of
# the segment alone. Segment names count up alike on every server. A restore of `blog` finds there what a restore of `shop`
# left when it reached its target, and gets shop's segment: exit code 0, nothing printed, blog's archive isn't asked.
#
# Why it matters: a machine that tests restores of many servers one after another is the place for this. A segment of another
# system can't be replayed, so the recovery stops short of what the archive holds. Give each restore a `--spool-dir` of its own.
#
# Seen with Barman 3.19.1, boto3 1.40.0 against moto 5.2.5's S3 on 127.0.0.1, Python 3.11. The segments are stand-ins of 16 MiB;
# both calls name the same spool directory, as they do without the option.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q barman==3.19.1 psycopg2-binary==2.9.10 boto3==1.40.0 'moto[server]==5.2.5' \
    || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done
url="http://127.0.0.1:$port"
"$work/venv/bin/python" -c "import boto3; boto3.client('s3', endpoint_url='$url').create_bucket(Bucket='archive')"


"$work/venv/bin/python" - "$url" <<'PYTHON'
import sys

import boto3

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for server, letter in (("shop", b"S"), ("blog", b"B")):
    for number in (1, 2, 3):
        key = f"pg/{server}/wals/0000000100000000/00000001000000000000000{number}"
        s3.put_object(Bucket="archive", Key=key, Body=letter * 16777216)
PYTHON
# restored SERVER NUMBER: whose segment of that number it is that the server gets.
restored() {
    rm -f "$work/restored"
    "$work/venv/bin/barman-cloud-wal-restore" --parallel 3 --spool-dir "$work/spool" --endpoint-url "$url" s3://archive/pg "$1" \
        "00000001000000000000000$2" "$work/restored" || changed "the restore of $1 ended with $?"
    head -c 1 "$work/restored"
}
shop=$(restored shop 1)
left=$(ls "$work/spool" | tr '\n' ' ')
blog=$(restored blog 2)
echo "shop gets segment 1 of '$shop'; left in the spool: $left"
echo "blog gets segment 2 of '$blog'"
[ "$shop" = S ] || untried "shop got '$shop'"
[ "$blog" = S ] || changed "blog got '$blog'"
echo "As described: blog got shop's segment."
