"""One job of `bench dict` done by DictDB itself, in a process of its own; prints what it took as one line of JSON."""

import json
import logging
import sys
import threading
import time

from dictdb import BackupManager, DictDB
from dictdb.obs.logging import logger

job, rows, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind = sys.argv[4] if len(sys.argv) > 4 else "json"
# Without its log, which by default takes longer than the work.
logger.remove()
logging.disable(logging.CRITICAL)


def filled():
    db = DictDB()
    db.create_table("people")
    people = db.get_table("people")
    for number in range(rows):
        people.insert({"id": number, "name": f"Name{number}", "age": number % 90})
    return db, people


def newest():
    import pathlib

    return str(sorted(pathlib.Path(folder).glob(f"dictdb_backup_*.{kind}"))[-1])


def manager(db):
    return BackupManager(db, folder, backup_interval=86_400, file_format=kind)


def full():
    db, _ = filled()
    backups = manager(db)
    begin = time.perf_counter()
    backups.backup_full()
    wall = time.perf_counter() - begin
    assert backups.consecutive_failures == 0
    return {"wall_s": wall}


def load():
    file = newest()
    begin = time.perf_counter()
    db = DictDB.load(file, kind)
    wall = time.perf_counter() - begin
    assert len(db.get_table("people").records) == rows
    return {"wall_s": wall}


def stall():
    db, people = filled()
    backups, stop, longest = manager(db), threading.Event(), [0.0]

    def write():
        count = 0
        while not stop.is_set():
            begin = time.perf_counter()
            people.upsert({"id": count * 7_919 % rows, "age": 1})
            longest[0] = max(longest[0], time.perf_counter() - begin)
            count += 1

    writer = threading.Thread(target=write)
    writer.start()
    begin = time.perf_counter()
    backups.backup_full()
    wall = time.perf_counter() - begin
    stop.set()
    writer.join()
    return {"longest_s": longest[0], "wall_s": wall}


print(json.dumps({"full": full, "load": load, "stall": stall}[job]()))
