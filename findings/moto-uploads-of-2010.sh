#!/bin/sh
# moto 5.2.5 (PyPI): every unfinished multipart upload began on 10 November 2010.
#
# A backup tool that was killed leaves multipart uploads, which cost money until somebody aborts them. A clean-up lists them
# (ListMultipartUploads) and aborts those that began, say, a week ago.
#
# What happens: moto says 2010-11-10T20:48:33Z in `Initiated` of each upload, also of one that began a second ago. A clean-up
# by age aborts the uploads of a backup that is running.
#
# Why it matters: a test of "leave running uploads alone" fails for a right tool, and one of "abort old ones" passes for a tool
# that aborts all. Aborting by age must be tested on another server, or with the clock of the test before 2010.
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
from datetime import datetime, timedelta, timezone

import boto3
from moto import mock_aws

with mock_aws():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="backups")
    s3.create_multipart_upload(Bucket="backups", Key="shop.dump")
    began = s3.list_multipart_uploads(Bucket="backups")["Uploads"][0]["Initiated"]
    for upload in s3.list_multipart_uploads(Bucket="backups")["Uploads"]:
        if upload["Initiated"] < datetime.now(timezone.utc) - timedelta(days=7):
            s3.abort_multipart_upload(Bucket="backups", Key=upload["Key"], UploadId=upload["UploadId"])
    left = s3.list_multipart_uploads(Bucket="backups").get("Uploads", [])
print(f"an upload of this second began {began:%Y-%m-%d %H:%M:%S}; left by a clean-up of what is older than a week: {len(left)}")
if began.year != 2010 or left:
    sys.exit("CHANGED: the upload has another time")
print("As described: the running upload was aborted for its age.")
PYTHON
