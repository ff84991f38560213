#!/bin/sh
# ministack 1.5.33 (PyPI): DryRun=True on EC2 deletes the snapshot.
#
# EC2 answers a call with DryRun=True by the error DryRunOperation (or UnauthorizedOperation) and does nothing. Tools that trim
# snapshots ask so whether they may, and are tested against ministack.
#
# What happens: the flag is not looked at. DeleteSnapshot and DeleteVolume with DryRun=True answer 200, and what was named is
# gone. botocore raises nothing, so a tool takes the answer for an unknown one or for "allowed".
#
# Why it matters: a test of a dry run on ministack either fails for a right tool, or hides that a wrong one deletes. And where
# ministack keeps state for developers, a dry run empties it.
#
# Seen with ministack 1.5.33 (SERVICES=ec2), boto3 1.43.106, Python 3.11; moto 5.2.5 answers DryRunOperation and keeps both.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q ministack==1.5.33 boto3==1.43.106 'moto[ec2]==5.2.5' \
    || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$work"
SERVICES=ec2 IOT_MTLS_ENABLED=false BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" "$work/venv/bin/ministack" > "$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done

"$work/venv/bin/python" - "http://127.0.0.1:$port" <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

def dry_run(ec2):
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    answers = []
    for call, names in ((ec2.delete_snapshot, {"SnapshotId": snapshot}), (ec2.delete_volume, {"VolumeId": volume})):
        try:
            answers.append(call(DryRun=True, **names)["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])
    snapshots = [s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    volumes = [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]]
    return answers, snapshot in snapshots, volume in volumes

seen = dry_run(boto3.client("ec2", endpoint_url=sys.argv[1]))
with mock_aws():
    other = dry_run(boto3.client("ec2"))
print("ministack: answers, snapshot and volume still there:", *seen)
print("moto:      answers, snapshot and volume still there:", *other)
if seen != ([200, 200], False, False) or other != (["DryRunOperation"] * 2, True, True):
    sys.exit("CHANGED: other answers, or other things are there")
print("As described: the dry run deleted both.")
PYTHON
