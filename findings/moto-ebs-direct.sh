#!/bin/sh
# moto 5.2.5 (PyPI): its EBS direct interface leaves added blocks out of ListChangedBlocks, and its blocks have 512 bytes.
#
# Tools that copy EBS snapshots are tested against moto. ListChangedBlocks is to name each block that differs between two
# snapshots, also one that only the second has; a block of EBS has 524288 bytes, as ListSnapshotBlocks says in BlockSize.
#
# What happens: (1) the walk goes over the first snapshot's blocks alone. One that was written later for the first time is not
# named, so an incremental export of it lacks that block. (2) BlockSize is 512, in KiB by the look of it; a client that
# multiplies the index by BlockSize, as the documentation asks for, writes all blocks over each other's places.
#
# Why it matters: an incremental copy that is right on AWS fails its test here, and one that only looks at the first
# snapshot's blocks, which loses data on AWS, passes.
#
# Seen with moto 5.2.5, boto3 1.40.0, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q boto3==1.40.0 'moto[ec2]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true

"$work/venv/bin/python" - <<'PYTHON'
import base64
import hashlib
import sys

import boto3
from moto import mock_aws

def snapshot(ebs, content):
    made = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for index, letter in content.items():
        block = letter * 524288
        checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
        ebs.put_snapshot_block(SnapshotId=made, BlockIndex=index, BlockData=block, DataLength=len(block), Checksum=checksum,
                               ChecksumAlgorithm="SHA256")
    ebs.complete_snapshot(SnapshotId=made, ChangedBlocksCount=len(content))
    return made

with mock_aws():
    ebs = boto3.client("ebs")
    first = snapshot(ebs, {0: b"A", 1: b"A", 2: b"A"})
    second = snapshot(ebs, {0: b"A", 1: b"B", 2: b"A", 7: b"B"})
    changed = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)
    named = [block["BlockIndex"] for block in changed["ChangedBlocks"]]
    size = ebs.list_snapshot_blocks(SnapshotId=second)["BlockSize"]
    stored = [len(ebs.get_snapshot_block(SnapshotId=second, BlockIndex=7, BlockToken=block["BlockToken"])["BlockData"].read())
              for block in ebs.list_snapshot_blocks(SnapshotId=second)["Blocks"] if block["BlockIndex"] == 7]
print(f"blocks 1 and 7 differ; named: {named}; BlockSize {size}, but block 7 has {stored[0]} bytes")
if 7 in named or 1 not in named or size != 512 or stored != [524288]:
    sys.exit("CHANGED: other blocks are named, or another size")
print("As described: the added block is not named.")
PYTHON
