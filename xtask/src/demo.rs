//! The main job on a sample database, step by step, for somebody who has just cloned this.

use std::path::Path;
use std::thread;

use xshell::cmd;

use crate::printer::say;
use crate::setup;
use crate::workspace::{Outcome, Profile, Workspace};

/// What is compiled: the group of commands that is shown, for folders alone, and the program that shows it. The SDKs of AWS
/// would take ten times as long, and rows and benchmarks as long again.
const PARTS: [&str; 11] = [
    "-p",
    "lastgood",
    "-p",
    "lastgood-acceptance",
    "--bin",
    "lastgood",
    "--bin",
    "demo",
    "--no-default-features",
    "--features",
    "lastgood/pg",
];

/// CPU seconds that compiling them takes, by docs/benchmarks-first-hour.md.
const COMPILE_CPU_S: u64 = 200;

/// Says what comes, sets up, builds quickly, and becomes the demo.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let missing = Missing { packages: setup::missing_for_demo(), installable: setup::may_install(&workspace.shell) };
    let is_built = workspace.binary(Profile::Demo, "demo").exists();
    say(&plan(&missing, is_built, cores, &workspace.target));
    setup::for_demo(workspace)?;
    // Not quiet: cargo shows how far it is.
    cmd!(workspace.shell, "cargo build --locked --profile demo {PARTS...}").run()?;
    workspace.become_acceptance(Profile::Demo, "demo", args)
}

/// What the machine lacks.
struct Missing {
    packages: Vec<&'static str>,
    /// Whether it can be installed from here.
    installable: bool,
}

/// What is going to be done, and how long it takes.
fn plan(missing: &Missing, is_built: bool, cores: u64, target: &Path) -> String {
    let names = missing.packages.join(" and ");
    let install = match (missing.packages.is_empty(), missing.installable) {
        (true, _) => "install nothing: PostgreSQL's server programs and a C compiler are here".to_owned(),
        (false, true) => format!("install {names} with apt-get: about a minute"),
        (false, false) => format!("need {names}, which only root may install"),
    };
    let minutes = COMPILE_CPU_S.div_ceil(60 * cores);
    let compile = if is_built {
        "compile what has changed since the last time: a second, if nothing has".to_owned()
    } else {
        format!(
            "compile `lastgood pg` for folders, unoptimised: about {minutes} min on {cores} cores and 600 MB in `{}`; \
             what the crates need is downloaded first",
            target.display()
        )
    };
    format!(
        "demo, in three steps:\n  1. {install}\n  2. {compile}\n  3. start a throwaway PostgreSQL server, and dump, damage \
         and restore a sample database: a few seconds\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_says_what_takes_how_long() {
        let plan = |packages: &[&'static str], installable, is_built, cores| {
            let missing = Missing { packages: packages.to_vec(), installable };
            super::plan(&missing, is_built, cores, Path::new("/src/target"))
        };
        let first = plan(&[], true, false, 2);
        assert!(first.contains("install nothing") && first.contains("2 min on 2 cores"), "{first}");
        assert!(first.contains("`/src/target`"), "{first}");
        assert!(plan(&["postgresql"], true, true, 1).contains("install postgresql with apt-get"));
        assert!(plan(&["postgresql"], false, true, 1).contains("only root may install"));
        assert!(plan(&[], true, true, 1).contains("what has changed"));
        // However many cores there are, it takes some time.
        assert!(plan(&[], true, false, 64).contains("1 min on 64 cores"));
    }
}
