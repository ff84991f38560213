#!/bin/sh
# python-zstandard 0.25.0 (PyPI): `decompress` returns the first frame of a file and says nothing of the rest.
#
# A .zst file may hold many frames one after another: `cat a.zst b.zst`, `pzstd`, and every tool that compresses a dump in
# pieces (lastgood among them) make such files. `zstd -d` gives back all of it.
#
# What happens: `ZstdDecompressor().decompress(data)`, `decompressobj().decompress(data)` and `read_to_iter` stop at the
# end of the first frame and return what they have. No exception, no flag. `copy_stream`, `stream_reader` and
# `zstandard.open` read on, so two ways of the same library give two lengths; pyzstd and the package `zstd` read on too.
#
# Why it matters: a script that reads a backup with the shortest call of the best known library gets the first piece
# of a table and restores it as if it were all. `decompressobj().unused_data` tells what was left.
#
# Seen with zstandard 0.25.0, pyzstd 0.18.0 and zstd 1.5.7.2, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q --only-binary=:all: zstandard==0.25.0 pyzstd==0.18.0 zstd==1.5.7.2 \
    || untried "the packages could not be installed"

"$work/venv/bin/python" - <<'PYTHON'
import io
import sys
import pyzstd
import zstandard
import zstd

def frame(row):
    return zstandard.ZstdCompressor().compress(row * 1000)

rows = frame(b"1\tfirst\n") + frame(b"2\tsecond\n")
whole = 1000 * (len(b"1\tfirst\n") + len(b"2\tsecond\n"))
first = 1000 * len(b"1\tfirst\n")
reader = zstandard.ZstdDecompressor()
rest = zstandard.ZstdDecompressor().decompressobj()
out = io.BytesIO()
reader.copy_stream(io.BytesIO(rows), out)
seen = {
    "decompress": len(reader.decompress(rows)),
    "decompressobj": len(rest.decompress(rows)),
    "read_to_iter": sum(map(len, reader.read_to_iter(io.BytesIO(rows)))),
    "copy_stream": len(out.getvalue()),
    "stream_reader": len(reader.stream_reader(io.BytesIO(rows)).read()),
    "open": len(zstandard.open(io.BytesIO(rows), "rb").read()),
    "pyzstd": len(pyzstd.decompress(rows)),
    "zstd": len(zstd.decompress(rows)),
}
for way, length in seen.items():
    print(f"{way}: {length} of {whole} bytes")
short = {way for way, length in seen.items() if length == first}
long = {way for way, length in seen.items() if length == whole}
if short != {"decompress", "decompressobj", "read_to_iter"} or len(short) + len(long) != len(seen) or not rest.unused_data:
    sys.exit("CHANGED: other ways stop at the first frame")
print("As described: three ways return the first frame as if it were the file.")
PYTHON
