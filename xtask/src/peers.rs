//! Python programs we are measured against and read the files of: each in a virtual environment, made once.

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
pub(crate) const MINISTACK: Peer =
    Peer { name: "ministack", folder: "ministack", module: "ministack", pip: &["ministack==1.5.33"] };

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
