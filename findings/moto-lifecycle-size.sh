#!/bin/sh
# moto 5.2.5 (PyPI): a lifecycle rule's sizes, ObjectSizeGreaterThan and ObjectSizeLessThan, are taken and forgotten.
#
# S3 stores both in a rule's filter and gives them back (Amazon S3 API Reference, LifecycleRuleFilter, LifecycleRuleAndOperator).
#
# What happens: PutBucketLifecycleConfiguration succeeds, and GetBucketLifecycleConfiguration shows the rule without them.
#
# Why it matters: a program that compares what is there with what it wants changes the rules on every run, and a test that its rules
# spare small objects cannot fail. ministack keeps them.
#
# Seen with moto 5.2.5 (moto_server), ministack 1.5.33, Python 3.11.
set -eu
work=$(mktemp -d)
servers=
trap '[ -z "$servers" ] || kill $servers 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

for package in 'moto[s3,server]==5.2.5' ministack==1.5.33; do
    name=${package%%[=[]*}
    python3 -m venv "$work/$name" || untried "python3 -m venv failed"
    "$work/$name/bin/pip" install -q "$package" || untried "$name could not be installed"
done
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
one=$(free)
other=$(free)
cd "$work"
"$work/moto/bin/moto_server" -H 127.0.0.1 -p "$one" > "$work/log" 2>&1 &
servers=$!
SERVICES=s3 IOT_MTLS_ENABLED=false BIND_HOST=127.0.0.1 GATEWAY_PORT="$other" "$work/ministack/bin/ministack" > "$work/other.log" 2>&1 &
servers="$servers $!"
for port in "$one" "$other"; do
    for _ in $(seq 200); do
        python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
        sleep 0.2
    done
done

"$work/moto/bin/python" - "$one" "$other" <<'PYTHON'
import sys

import boto3

WANTED = [{"Prefix": "a/", "ObjectSizeGreaterThan": 131072}, {"Prefix": "b/", "ObjectSizeLessThan": 1000}]

def kept(port):
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="test",
                      aws_secret_access_key="test")
    s3.create_bucket(Bucket="backups")
    rules = [{"ID": f"r{number}", "Status": "Enabled", "Filter": {"And": both}, "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}]}
             for number, both in enumerate(WANTED)]
    s3.put_bucket_lifecycle_configuration(Bucket="backups", LifecycleConfiguration={"Rules": rules})
    return [rule["Filter"].get("And") for rule in s3.get_bucket_lifecycle_configuration(Bucket="backups")["Rules"]]

seen, reference = kept(sys.argv[1]), kept(sys.argv[2])
print("moto:     ", seen)
print("ministack:", reference)
if seen != [{"Prefix": "a/"}, {"Prefix": "b/"}] or reference[0] != WANTED[0]:
    sys.exit("CHANGED: other filters")
print("As described: moto forgets the sizes.")
PYTHON
