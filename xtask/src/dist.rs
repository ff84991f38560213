//! What a release consists of: the binary, its man pages and its completions, in one folder.

use xshell::cmd;

use crate::printer::say;
use crate::workspace::{Outcome, Profile, Workspace};

/// Shells the binary writes completions for, and the file names they look for.
const SHELLS: [(&str, &str); 4] =
    [("bash", "lastgood.bash"), ("zsh", "_lastgood"), ("fish", "lastgood.fish"), ("powershell", "_lastgood.ps1")];

/// Licences and pages that go with the binary.
const PAPERS: [&str; 5] = ["README.md", "CHANGELOG.md", "FORMAT.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Builds for release and fills `dist` in cargo's target folder.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    workspace.build(Profile::Release)?;
    let shell = &workspace.shell;
    let dist = workspace.target.join("dist");
    shell.remove_path(&dist)?;
    let (man, completions) = (dist.join("man"), dist.join("completions"));
    shell.create_dir(&man)?;
    shell.create_dir(&completions)?;
    let lastgood = dist.join("lastgood");
    shell.copy_file(workspace.binary(Profile::Release, "lastgood"), &lastgood)?;
    cmd!(shell, "{lastgood} man --out {man}").run()?;
    for (name, file) in SHELLS {
        let script = cmd!(shell, "{lastgood} completions {name}").quiet().read()?;
        shell.write_file(completions.join(file), script)?;
    }
    for paper in PAPERS {
        shell.copy_file(workspace.root.join(paper), dist.join(paper))?;
    }
    say(&format!("dist: `{}`", dist.display()));
    Ok(())
}
