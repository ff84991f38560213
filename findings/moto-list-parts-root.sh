#!/bin/sh
# moto 5.2.5 (PyPI): ListParts answers with the element ListPartsResponse instead of ListPartsResult.
#
# S3's answer to ListParts has the root element ListPartsResult, as its API reference shows and as clients that check it expect, such as
# the AWS SDK for Rust. boto3 does not look at the root, so that nobody notices in Python.
#
# What happens: every ListParts fails in such a client, on an upload that is as it should be.
#
# Why it matters: what resumes uploads, or asks how old one is before it gives it up, cannot be tested on moto's server from other
# languages, or takes the failure for an upload without parts. Take ministack for that.
#
# Seen with moto 5.2.5 (moto_server), Python 3.11; ministack 1.5.33 and SeaweedFS 4.48 answer ListPartsResult.
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

python3 - "$one" "$other" <<'PYTHON'
import http.client
import re
import sys

def root(port):
    def ask(method, path, body=None):
        server = http.client.HTTPConnection("127.0.0.1", int(port))
        server.request(method, path, body, {"Content-Type": "application/octet-stream"})
        return server.getresponse().read().decode()
    ask("PUT", "/backups")
    upload = re.search("<UploadId>([^<]+)", ask("POST", "/backups/object?uploads"))[1]
    ask("PUT", f"/backups/object?partNumber=1&uploadId={upload}", b"x" * 100)
    answer = ask("GET", f"/backups/object?uploadId={upload}")
    return re.search(r"<([A-Za-z]+)[ >]", answer.split("?>")[-1])[1], answer.count("<Part>")

seen, reference = root(sys.argv[1]), root(sys.argv[2])
print("moto:      root element and parts:", *seen)
print("ministack: root element and parts:", *reference)
if seen != ("ListPartsResponse", 1) or reference != ("ListPartsResult", 1):
    sys.exit("CHANGED: other elements, or other parts")
print("As described: moto's root element is not S3's.")
PYTHON
