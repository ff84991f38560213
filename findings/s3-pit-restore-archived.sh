#!/bin/sh
# s3-pit-restore 0.9 (PyPI): archived objects are named like restored ones, none is restored, and the exit code is 0.
#
# `s3-pit-restore -b BUCKET -d FOLDER -t TIME` gets a versioned bucket as it was at TIME, and prints each key it restored.
#
# What happens: an object of the storage class GLACIER is skipped unless `--enable-glacier` is given; its key is printed
# exactly as that of a restored object. One of DEEP_ARCHIVE isn't known as archived at all: its download fails, which is
# a line on stderr. The exit code is 0 in both cases. Of three objects one arrives, and a script that looks at the exit
# code, or counts the keys that were printed for the first, takes the folder for whole.
#
# Why it matters: lifecycle rules move what is older to these classes by themselves, and the older state is what one
# restores to.
#
# Seen with s3-pit-restore 0.9, boto3 1.40.0 against moto 5.2.5's S3 on 127.0.0.1, Python 3.11.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q setuptools==65.5.0 wheel==0.45.1 || untried "setuptools could not be installed"
"$work/venv/bin/pip" install -q --no-build-isolation s3-pit-restore==0.9 boto3==1.40.0 python-dateutil==2.9.0.post0 \
    'moto[server]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"

"$work/venv/bin/python" - <<'PYTHON'
import boto3

s3 = boto3.client("s3")
s3.create_bucket(Bucket="shop")
s3.put_bucket_versioning(Bucket="shop", VersioningConfiguration={"Status": "Enabled"})
for key, storage in [("orders.csv", "STANDARD"), ("orders-2024.csv", "GLACIER"), ("orders-2020.csv", "DEEP_ARCHIVE")]:
    s3.put_object(Bucket="shop", Key=key, Body=key.encode(), StorageClass=storage)
PYTHON
code=0
"$work/venv/bin/s3-pit-restore" -b shop -d "$work/restored" > "$work/out" 2> "$work/err" || code=$?
printed=$(sort "$work/out" | tr '\n' ' ')
restored=$(ls "$work/restored" | tr '\n' ' ')
echo "printed: $printed"
echo "restored: $restored"
echo "exit code: $code; on stderr: $(sed 's/.*ERROR/ERROR/' "$work/err")"
[ "$code" = 0 ] || changed "the exit code is $code"
[ "$printed" = "orders-2024.csv orders.csv " ] || changed "other keys are printed"
[ "$restored" = "orders.csv " ] || changed "other objects are restored"
echo "As described: one of three objects arrived."
