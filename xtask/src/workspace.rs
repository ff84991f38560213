//! Where the checkout and its built binaries are.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use xshell::{Shell, cmd};

/// Result of every step here; the error's text is shown to whoever ran the command.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The package of whole runs, whose binaries are `e2e`, `bench` and `demo`.
const ACCEPTANCE: &str = "lastgood-acceptance";

/// What a crate's own tests add to it: without that, `cargo test` would compile it and everything above it once more.
pub(crate) const TESTED_FEATURES: &str = "--features=glacier-archive/endpoint";

/// Which build a command uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What `cargo test` builds: checks on, slow.
    Dev,
    /// For everything that is timed.
    Release,
    /// What users install: as `Release`, and small.
    Dist,
    /// What is compiled quickly and run once.
    Demo,
}

impl Profile {
    /// Its name in `Cargo.toml`, and that of its folder.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Dev => ("dev", "debug"),
            Self::Release => ("release", "release"),
            Self::Dist => ("dist", "dist"),
            Self::Demo => ("demo", "demo"),
        }
    }
}

/// The checkout, and a shell standing in it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// A shell whose current folder is the root.
    pub(crate) shell: Shell,
    /// The root of the checkout.
    pub(crate) root: PathBuf,
    /// Where cargo puts compiled output: `CARGO_TARGET_DIR` is honoured because cargo itself is asked.
    pub(crate) target: PathBuf,
    /// `cargo metadata` of the workspace without its dependencies' own.
    pub(crate) metadata: Value,
}

impl Workspace {
    /// Asks cargo for the workspace this program was built from.
    pub(crate) fn open() -> Outcome<Self> {
        let shell = Shell::new()?;
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        shell.change_dir(manifest.parent().ok_or("xtask is not inside a workspace")?);
        let text = cmd!(shell, "cargo metadata --locked --no-deps --format-version 1").quiet().read()?;
        let metadata: Value = serde_json::from_str(&text)?;
        let folder = |field: &str| {
            metadata[field].as_str().map(PathBuf::from).ok_or(format!("`cargo metadata` has no `{field}`"))
        };
        let (root, target) = (folder("workspace_root")?, folder("target_directory")?);
        shell.change_dir(&root);
        Ok(Self { shell, root, target, metadata })
    }

    /// Builds every binary of the workspace. The whole workspace at once, so that features unify as in `cargo test` and
    /// nothing is compiled twice.
    pub(crate) fn build(&self, profile: Profile) -> Outcome {
        self.build_with(profile, &[])
    }

    /// [`Workspace::build`] of other targets as well, as options of cargo.
    pub(crate) fn build_with(&self, profile: Profile, targets: &[&str]) -> Outcome {
        let (name, _) = profile.names();
        let as_tested = (profile == Profile::Dev).then_some(TESTED_FEATURES);
        cmd!(self.shell, "cargo build --workspace --locked --bins {targets...} --profile {name} {as_tested...}")
            .run()?;
        Ok(())
    }

    /// Where the built binary `name` is.
    pub(crate) fn binary(&self, profile: Profile, name: &str) -> PathBuf {
        let (_, folder) = profile.names();
        self.target.join(folder).join(name)
    }

    /// The acceptance binary `name`, told which `lastgood` to drive.
    pub(crate) fn acceptance(&self, profile: Profile, name: &str, args: &[String]) -> Outcome<Command> {
        let binary = self.binary(profile, name);
        if !binary.exists() {
            return Err(format!("`{}` was not built: {ACCEPTANCE} has no such binary yet", binary.display()).into());
        }
        let mut command = Command::new(binary);
        command.args(args).current_dir(&self.root).env("LASTGOOD_BIN", self.binary(profile, "lastgood"));
        Ok(command)
    }

    /// Becomes the acceptance binary `name`: its output and exit code are this command's.
    pub(crate) fn become_acceptance(&self, profile: Profile, name: &str, args: &[String]) -> Outcome {
        Err(self.acceptance(profile, name, args)?.exec().into())
    }
}
