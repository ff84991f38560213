#!/bin/sh
# moto 5.2.5 (PyPI): RestoreObject with a VersionId brings the newest version back and not the one that was asked for.
#
# An object of the storage class GLACIER must be restored before it can be read. In a versioned bucket RestoreObject takes a
# VersionId, which is what a tool needs that restores a state of last week.
#
# What happens: the call answers 202 and the newest version gets the header `x-amz-restore`; the one that was asked for stays
# archived, and a GetObject of it is refused (InvalidObjectState). A tool that waits for its version waits for ever; one
# that forgets the VersionId passes the test, and on AWS pays for the wrong version.
#
# Why it matters: restoring an older version can't be tested on moto, and the mistake in a tool looks like the right thing.
#
# Seen with moto 5.2.5, boto3 1.40.0, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q boto3==1.40.0 'moto[s3]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true

"$work/venv/bin/python" - <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

with mock_aws():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="backups")
    s3.put_bucket_versioning(Bucket="backups", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="backups", Key="shop.dump", Body=body, StorageClass="GLACIER")["VersionId"]
                for body in (b"of last week", b"of today")]
    asked = s3.restore_object(Bucket="backups", Key="shop.dump", VersionId=versions[0], RestoreRequest={"Days": 1})
    restored = ["Restore" in s3.head_object(Bucket="backups", Key="shop.dump", VersionId=version) for version in versions]
    try:
        got = s3.get_object(Bucket="backups", Key="shop.dump", VersionId=versions[0])["Body"].read().decode()
    except ClientError as error:
        got = error.response["Error"]["Code"]
status = asked["ResponseMetadata"]["HTTPStatusCode"]
print(f"asked for last week's version: {status}; restored (last week's, today's): {restored}; last week's reads as: {got}")
if (status, restored, got) != (202, [False, True], "InvalidObjectState"):
    sys.exit("CHANGED: another version is restored")
print("As described: today's version was restored.")
PYTHON
