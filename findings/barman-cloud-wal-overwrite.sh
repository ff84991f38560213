#!/bin/sh
# Barman 3.19.1 (PyPI): barman-cloud-wal-archive replaces a WAL segment that is in the archive by another, exit code 0.
#
# PostgreSQL's documentation asks that an archive command refuses to overwrite: a segment of the same name with other content
# comes from another server or another history, and the one that is there may be needed.
#
# What happens, twice: (1) A segment of the same name and server name is replaced without a look at what is there. Two servers
# with one server name (a promoted standby beside the old primary, a clone that kept archive_command) overwrite each
# other's archive and both are told that it worked. (2) With --gzip turned on later, the segment lies there as NAME.gz beside
# the older NAME, and barman-cloud-wal-restore gives the older one.
#
# Why it matters: recovery stops at the foreign segment, or goes on in the wrong history, and it shows only then.
# barman-cloud-check-wal-archive finds an archive that is not empty, if it is run before the first segment and once only.
#
# Seen with Barman 3.19.1, boto3 1.40.0 against moto 5.2.5's S3 on 127.0.0.1, Python 3.11. The segments are stand-ins of 16 MiB.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q barman==3.19.1 psycopg2-binary==2.9.10 boto3==1.40.0 'moto[server]==5.2.5' \
    || untried "the packages could not be installed"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/moto_server" -H 127.0.0.1 -p "$port" > "$work/moto.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2> /dev/null && break
    sleep 0.2
done
url="http://127.0.0.1:$port"
"$work/venv/bin/python" -c "import boto3; boto3.client('s3', endpoint_url='$url').create_bucket(Bucket='archive')"

segment=000000010000000000000001
# archive LETTER [OPTION]: archives a segment that is full of that letter.
archive() {
    head -c 16777216 /dev/zero | tr '\0' "$1" > "$work/$segment"
    "$work/venv/bin/barman-cloud-wal-archive" ${2:-} --endpoint-url "$url" s3://archive/pg main "$work/$segment" \
        || changed "archiving $1 ended with $?"
}
restored() {
    rm -rf "$work/restored" "$work/spool"
    "$work/venv/bin/barman-cloud-wal-restore" --spool-dir "$work/spool" --endpoint-url "$url" s3://archive/pg main "$segment" \
        "$work/restored" || changed "the restore ended with $?"
    head -c 1 "$work/restored"
}
archive A
first=$(restored)
archive B
second=$(restored)
archive C --gzip
third=$(restored)
echo "restored after archiving A: $first; after B of the same name: $second; after C with --gzip: $third"
[ "$first$second$third" = ABB ] || changed "other segments are restored"
echo "As described: A is gone, and C is not what is restored."
