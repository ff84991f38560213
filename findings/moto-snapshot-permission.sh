#!/bin/sh
# moto 5.2.5 (PyPI): a snapshot shared by `CreateVolumePermission` stays private, and the call succeeds.
#
# ModifySnapshotAttribute takes who may use a snapshot in two ways: as `OperationType` with `UserIds`, or as
# `CreateVolumePermission` with `Add` and `Remove`, which the AWS CLI's own examples and most guides use.
#
# What happens: moto looks at the first way only. The second is answered as carried out, and DescribeSnapshotAttribute then lists
# nobody.
#
# Why it matters: a tool that shares replicas with a second account, or that must leave shared snapshots alone, passes its
# tests on moto without sharing or protecting anything.
#
# Seen with moto 5.2.5, boto3 1.44.8, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q 'moto[ec2]==5.2.5' boto3==1.44.8 || untried "the packages could not be installed"

cat > "$work/share.py" <<'PYTHON'
import boto3
from moto import mock_aws

FRIEND = "123456789012"


@mock_aws
def main():
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ec2 = boto3.client("ec2", region_name="us-east-1", **keys)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]

    def shared():
        asked = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
        answer = ec2.describe_snapshot_attribute(**asked)
        return [one["UserId"] for one in answer["CreateVolumePermissions"]]

    add = {"Add": [{"UserId": FRIEND}]}
    answer = ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=add)
    print("CreateVolumePermission:", answer["ResponseMetadata"]["HTTPStatusCode"], shared())
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[FRIEND]
    )
    print("UserIds:", shared())


main()
PYTHON
said=$("$work/venv/bin/python" "$work/share.py") || changed "the program ended with $?"
echo "$said"
[ "$said" = "CreateVolumePermission: 200 []
UserIds: ['123456789012']" ] || changed "moto says something else"
echo "As described: the snapshot is private after the first call, which succeeded."
