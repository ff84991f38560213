//! The table of kinds.

use super::kind::{Kind, both, folder, s3};
use super::{app, beside, clock, cut, dict, full, fuzz, hostile, names, pg, signals};

/// Every kind, in the order in which they are told.
pub(super) static KINDS: [Kind; 24] = [
    Kind { name: "kill-dump", what: "kill -9 of dumps", set: both::<pg::Dumps> },
    Kind {
        name: "kill-restore",
        what: "kill -9 of restores, also reversible and into new databases",
        set: both::<pg::Restores>,
    },
    Kind { name: "kill-prune", what: "kill -9 of prunes of dumps", set: both::<pg::Prunes> },
    Kind { name: "kill-app", what: "kill -9 of backups, restores and prunes of records", set: both::<app::Records> },
    Kind {
        name: "kill-dict",
        what: "kill -9 of a service, and of restores and prunes of its backups",
        set: both::<dict::Killed>,
    },
    Kind { name: "signal", what: "SIGTERM, SIGINT and SIGHUP to anything", set: both::<signals::Signals> },
    Kind { name: "cut-s3", what: "connections to S3 cut or stalled at some byte", set: s3::<cut::Store> },
    Kind { name: "cut-pg", what: "connections to PostgreSQL cut or stalled at some byte", set: both::<cut::Server> },
    Kind { name: "full-disk", what: "a disk that is full at some byte", set: folder::<full::Full> },
    Kind {
        name: "hostile-pg",
        what: "changed manifests, packs, archives and markers of dumps",
        set: both::<hostile::Dumps>,
    },
    Kind { name: "hostile-app", what: "changed manifests and tarballs of records", set: both::<hostile::Records> },
    Kind {
        name: "hostile-dict",
        what: "changed manifests, JSON and pickle files of stores",
        set: both::<hostile::Stores>,
    },
    Kind { name: "names", what: "names that steer a terminal", set: folder::<names::Names> },
    Kind { name: "beside-pg", what: "dumps, prunes and verifies beside each other", set: both::<beside::Dumps> },
    Kind { name: "beside-app", what: "the same of records", set: both::<beside::Records> },
    Kind { name: "clock-dict", what: "a service whose clock is wrong, each life otherwise", set: both::<dict::Skewed> },
    Kind { name: "clock-pg", what: "dumps and prunes with a wrong clock", set: both::<clock::Skewed> },
    Kind { name: "fuzz-manifest", what: "the reader of manifests", set: fuzz::set },
    Kind { name: "fuzz-pack", what: "the reader of frames in packs", set: fuzz::set },
    Kind {
        name: "fuzz-archive",
        what: "the reader of archives of pg_dump and of the statements in them",
        set: fuzz::set,
    },
    Kind { name: "fuzz-conninfo", what: "the reader of connection strings", set: fuzz::set },
    Kind { name: "fuzz-tarball", what: "the reader of tarballs", set: fuzz::set },
    Kind { name: "fuzz-pickle", what: "the reader of pickle files", set: fuzz::set },
    Kind { name: "fuzz-json", what: "the reader of JSON", set: fuzz::set },
];
