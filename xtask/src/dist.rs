//! What a release consists of: the binary, its man pages and its completions, in one folder, and the debug information beside it.

use std::fs;
use std::path::Path;

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Profile, Workspace};

/// Shells the binary writes completions for, and the file names they look for.
const SHELLS: [(&str, &str); 4] =
    [("bash", "lastgood.bash"), ("zsh", "_lastgood"), ("fish", "lastgood.fish"), ("powershell", "_lastgood.ps1")];

/// Licences and pages that go with the binary.
const PAPERS: [&str; 5] = ["README.md", "CHANGELOG.md", "FORMAT.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// The folder in cargo's target folder. Not `dist`, where cargo builds the profile of that name.
const FOLDER: &str = "release-files";

/// Builds the binary and fills [`FOLDER`].
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let shell = &workspace.shell;
    let (profile, _) = Profile::Dist.names();
    cmd!(shell, "cargo build --locked --profile {profile} -p lastgood --bin lastgood").run()?;
    let dist = workspace.target.join(FOLDER);
    shell.remove_path(&dist)?;
    let (man, completions) = (dist.join("man"), dist.join("completions"));
    shell.create_dir(&man)?;
    shell.create_dir(&completions)?;
    let lastgood = dist.join("lastgood");
    stripped(workspace, &lastgood)?;
    cmd!(shell, "{lastgood} man --out {man}").run()?;
    for (name, file) in SHELLS {
        let script = cmd!(shell, "{lastgood} completions {name}").quiet().read()?;
        shell.write_file(completions.join(file), script)?;
    }
    for paper in PAPERS {
        shell.copy_file(workspace.root.join(paper), dist.join(paper))?;
    }
    let mb = fs::metadata(&lastgood)?.len() as f64 / 1e6;
    say(&format!("dist: `{}`, whose `lastgood` has {mb:.1} MB", dist.display()));
    Ok(())
}

/// Copies the built binary to `to` without debug information, which `to.debug` has: debuggers find it by the name.
fn stripped(workspace: &Workspace, to: &Path) -> Outcome {
    let (shell, built, debug) =
        (&workspace.shell, workspace.binary(Profile::Dist, "lastgood"), to.with_extension("debug"));
    cmd!(shell, "objcopy --only-keep-debug {built} {debug}").run()?;
    cmd!(shell, "objcopy --strip-all --add-gnu-debuglink={debug} {built} {to}").run()?;
    Ok(())
}
