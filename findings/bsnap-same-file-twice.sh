#!/bin/sh
# bsnap 0.1.0 (PyPI): tomorrow's snapshot into the same image file is a mixture of both, and "SUCCESS".
#
# `bsnap --snapshot-id ID --output-file volume.img` downloads an EBS snapshot into a raw image, and goes on where it was
# interrupted, by the file `volume.img.state.json`.
#
# What happens: the state file lists the numbers of the blocks that are done and not the snapshot they are of. A second
# snapshot of the volume, downloaded to the same file, gets only the blocks that the first one did not have. What
# changed in place keeps the older content. All blocks count as retrieved, it prints SUCCESS, exit code 0. And on each
# start the last byte of the image is written as zero, so in a resumed download a last block that was complete no longer is.
#
# Why it matters: a file system whose blocks are of two days is damage that shows when it is mounted, or later. Neither the
# blocks' checksums, which the service sends along, nor anything else is compared.
#
# Seen with bsnap 0.1.0, boto3 1.40.0 against moto 5.2.5's EBS direct interface on 127.0.0.1, Python 3.11.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q bsnap==0.1.0 boto3==1.40.0 'moto[server]==5.2.5' || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"

# Two snapshots of a volume of 1 GiB: block 1 was added on the second day, block 0 and the last one were changed. moto's blocks
# have 512 bytes, where EBS's have 512 KiB.
"$work/venv/bin/python" - > "$work/ids" <<'PYTHON'
import base64
import hashlib

import boto3

ebs = boto3.client("ebs")
last = (1 << 30) // 512 - 1
for content in ({0: b"A", last: b"A"}, {0: b"B", 1: b"B", last: b"B"}):
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for index, letter in content.items():
        block = letter * 512
        checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
        ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=block, DataLength=len(block), Checksum=checksum,
                               ChecksumAlgorithm="SHA256")
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(content))
    print(snapshot)
PYTHON
for snapshot in $(cat "$work/ids"); do
    "$work/venv/bin/bsnap" --snapshot-id "$snapshot" --output-file "$work/volume.img" > "$work/out" || changed "bsnap ended with $?"
    grep -q SUCCESS "$work/out" || changed "it didn't say SUCCESS"
done
seen=$(python3 - "$work/volume.img" <<'PYTHON'
import sys

with open(sys.argv[1], "rb") as image:
    for place in (0, 512, (1 << 30) - 512, (1 << 30) - 1):
        image.seek(place)
        print({b"\0": "zero"}.get(byte := image.read(1), byte.decode()), end=" ")
PYTHON
)
echo "first bytes of the first, second and last block, and the last byte of the image: $seen"
[ "$seen" = "A B A zero " ] || changed "the image holds '$seen'"
echo "As described: the image of the second snapshot has two blocks of the first and a wrong last byte."
