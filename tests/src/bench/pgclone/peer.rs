//! A Django project that does nothing but run django-pgclone.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::context::{Context, text};
use crate::Outcome;

const SETTINGS: &str = r#"
import os
SECRET_KEY = "not a secret: this project serves nobody"
INSTALLED_APPS = ["django.contrib.contenttypes", "pgclone"]
USE_TZ = True
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": os.environ["PEER_DATABASE"],
    "USER": os.environ["PEER_USER"],
    "PASSWORD": os.environ["PEER_PASSWORD"],
    "HOST": os.environ["PEER_HOST"],
    "PORT": os.environ["PEER_PORT"],
}}
PGCLONE_STORAGE_LOCATION = os.environ["PEER_LOCATION"]
PGCLONE_INSTANCE = "peer"
PGCLONE_PRE_SWAP_HOOKS = []
"#;

const MANAGE: &str = r#"
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"#;

/// The project, and how it reaches the server.
pub(super) struct Peer {
    python: String,
    project: PathBuf,
    /// Where its dumps go, and in them one folder a case.
    pub(super) location: PathBuf,
    bin_dir: PathBuf,
    server: [(&'static str, String); 4],
    pub(super) version: String,
}

impl Peer {
    pub(super) fn set_up(python: &str, context: &Context) -> Outcome<Self> {
        let project = context.path("project");
        std::fs::create_dir_all(&project)?;
        std::fs::write(project.join("settings.py"), SETTINGS)?;
        std::fs::write(project.join("manage.py"), MANAGE)?;
        let asked = Command::new(python)
            .args(["-c", "import importlib.metadata as m; print(m.version('django-pgclone'))"])
            .output()
            .map_err(|error| format!("`{python}` cannot be started: {error}"))?;
        if !asked.status.success() {
            return Err(format!("`{python}` has no django-pgclone; `cargo xtask bench pgclone` installs it").into());
        }
        let (host, port, user, password) = context.server.login();
        Ok(Self {
            python: python.to_owned(),
            project,
            location: context.path("theirs"),
            bin_dir: context.server.program("psql").parent().unwrap_or(Path::new("/")).to_owned(),
            server: [("PEER_HOST", host), ("PEER_PORT", port), ("PEER_USER", user), ("PEER_PASSWORD", password)],
            version: String::from_utf8_lossy(&asked.stdout).trim().to_owned(),
        })
    }

    /// `manage.py pgclone ARGS` for `database`, its dumps in a folder of their own.
    pub(super) fn pgclone(&self, database: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.current_dir(&self.project).args(["manage.py", "pgclone"]).args(args);
        let leading_elsewhere = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("PG"));
        for name in leading_elsewhere {
            command.env_remove(name);
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.bin_dir.display())).env("PEER_DATABASE", database);
        command.env("PEER_LOCATION", format!("{}/", text(&self.folder(database))));
        command.envs(self.server.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Where the dumps of `database` are.
    pub(super) fn folder(&self, database: &str) -> PathBuf {
        self.location.join(database)
    }

    /// The keys it lists, newest first.
    pub(super) fn keys(&self, database: &str) -> Outcome<Vec<String>> {
        let listed = super::Ran::of(self.pgclone(database, &["ls"]))?.must()?.stdout();
        Ok(listed.lines().map(str::trim).filter(|line| line.ends_with(".dump")).map(ToOwned::to_owned).collect())
    }
}
