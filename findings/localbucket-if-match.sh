#!/bin/sh
# localbucket 1.2.1 (PyPI): If-Match is accepted whatever it says, so a lock in S3 can be taken from its holder.
#
# Several writers of one S3 prefix agree by conditional writes: PutObject with If-Match goes through only for the one that
# saw the object as it is, and DeleteObject with If-Match removes only one's own lock. A server without this is expected to
# refuse the header (501 NotImplemented), which tells the client.
#
# What happens: If-None-Match is kept to, for single and multipart uploads. If-Match is ignored: a PutObject with an ETag that
# the object never had answers 200 and replaces it, a DeleteObject answers 204 and removes it.
#
# Why it matters: a program that probes the server with If-None-Match alone takes it for safe, and two backups then prune and
# write at the same time. Probe with an If-Match that must fail.
#
# Seen with localbucket 1.2.1, boto3 1.40.0, Python 3.11.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q localbucket==1.2.1 boto3==1.40.0 || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$work/buckets"
"$work/venv/bin/localbucket" --host 127.0.0.1 --port "$port" "$work/buckets" > "$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done

"$work/venv/bin/python" - "http://127.0.0.1:$port" <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
s3.create_bucket(Bucket="backups")

def status(call, **words):
    try:
        return call(Bucket="backups", Key="lock", **words)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]

other = '"00000000000000000000000000000000"'
first = status(s3.put_object, Body=b"held by A", IfNoneMatch="*")
second = status(s3.put_object, Body=b"held by B", IfNoneMatch="*")
taken = status(s3.put_object, Body=b"held by B", IfMatch=other)
holder = s3.get_object(Bucket="backups", Key="lock")["Body"].read().decode()
removed = status(s3.delete_object, IfMatch=other)
print(f"If-None-Match: * answers {first}, then {second}")
print(f"a wrong If-Match answers {taken} to PUT (now '{holder}'), {removed} to DELETE")
if (first, second, taken, holder, removed) != (200, 412, 200, "held by B", 204):
    sys.exit("CHANGED: other answers")
print("As described: B took A's lock and removed it.")
PYTHON
