#!/bin/sh
# glacier-backup 1.2 (PyPI): a file whose size is a multiple of 4 MiB is sent with a wrong tree hash and an empty part.
#
# glacier-backup uploads files to a Glacier vault in parts of 4 MiB. The request that completes an upload carries the SHA-256
# tree hash of the whole; Glacier compares it with its own and refuses the archive if they differ.
#
# What happens: one part too many is counted when the size is a whole number of parts. A last part of 0 bytes goes out with the
# range `bytes 4194304-4194303/*`, and the hash of nothing is taken into the tree. The final hash isn't the file's. Files of
# any other size are right. The program logs the failure, goes on to the next file and ends with exit code 0.
#
# Why it matters: disk images, preallocated database files and padded archives have such sizes. They are uploaded in full
# each night, refused at the end, and never stored.
#
# Seen with glacier-backup 1.2, boto3 1.40.0, Python 3.11, against a stand-in on 127.0.0.1 that takes all and notes what came.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q glacier-backup==1.2 boto3==1.40.0 || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true

"$work/venv/bin/python" - "$work/file" <<'PYTHON'
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.utils import calculate_tree_hash
from glacier_backup.uploader import Uploader

noted = {"ranges": [], "hash": None}

class Vault(BaseHTTPRequestHandler):
    """Glacier's three calls of a multipart upload, as far as a client needs answers."""
    def answer(self, code, **headers):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_PUT(self):
        noted["ranges"].append(self.headers["Content-Range"])
        self.answer(204, x_amz_sha256_tree_hash=self.headers["x-amz-sha256-tree-hash"])
    def do_POST(self):
        if self.path.endswith("/multipart-uploads"):
            self.answer(201, x_amz_multipart_upload_id="upload", Location="/-/vaults/v/multipart-uploads/upload")
        else:
            noted["hash"] = self.headers["x-amz-sha256-tree-hash"]
            self.answer(201, x_amz_archive_id="archive", Location="/-/vaults/v/archives/archive")
    def log_message(self, *words):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Vault)
threading.Thread(target=server.serve_forever, daemon=True).start()
glacier = boto3.resource("glacier", endpoint_url=f"http://127.0.0.1:{server.server_port}")
path = sys.argv[1]
right = {}
for size in (3 << 20, 4 << 20, 5 << 20, 8 << 20):
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    noted["ranges"].clear()
    Uploader(glacier.Vault("-", "v"), concurrent_uploads=1).upload(path)
    with open(path, "rb") as file:
        right[size >> 20] = noted["hash"] == calculate_tree_hash(file)
    print(f"{size >> 20} MiB: parts {', '.join(noted['ranges'])}; tree hash {'right' if right[size >> 20] else 'WRONG'}")
server.shutdown()
if right != {3: True, 4: False, 5: True, 8: False} or "bytes 8388608-8388607/*" not in noted["ranges"]:
    sys.exit("CHANGED: other sizes are sent right")
print("As described: whole numbers of parts are sent wrong.")
PYTHON
