"""gludb's own backup of one class, its upload replaced by a copy into a folder: peer.py DATABASE FOLDER."""

import os
import shutil
import sys

import gludb.backup
from gludb.config import Database, default_database
from gludb.simple import DBObject, Field

database, folder = sys.argv[1:]


@DBObject(table_name="Thing")
class Thing(object):
    name = Field("")
    city = Field("")
    age = Field(0)
    note = Field("")


class Connection(object):
    def __init__(self, *args, **options):
        pass

    def get_bucket(self, name):
        return name


class Key(object):
    def __init__(self, bucket):
        self.key = None

    def set_contents_from_filename(self, path):
        shutil.copyfile(path, os.path.join(folder, self.key))


gludb.backup.S3Connection = Connection
gludb.backup.Key = Key
default_database(Database("sqlite", filename=database))
backup = gludb.backup.Backup(aws_access_key="x", aws_secret_key="x", bucketname="x")
backup.add_class(Thing)
backup.run_backup()
