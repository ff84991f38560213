//! The programs that freeze and thaw, and their heads.

mod hold;
mod survey;
mod thaw;
mod watchdog;

use std::time::Duration;

use super::hooks::Hooks;
use super::plan::FrozenMount;
use crate::host::{Script, assignment, parameters, quoted};

/// What these programs have in common.
const RECORD: &str = r#"
rec=$base/freeze-$id
hook() { timeout -k 2 "$hook_limit" /bin/sh -c "$1" </dev/null >&2; }
write_mounts() {
  while [ $# -gt 0 ]; do
    printf 'mount %s %s %s %s %s %s\n' "$(($# - 5))" "$2" "$3" "$5" "$4" "$1"
    shift 5
  done
}
"#;

/// Ends the text of the watchdog inside the program that writes it.
const END: &str = "LASTGOOD_WATCHDOG\n";

/// Tells what is mounted. `kept` are files of ours that must not be frozen.
pub(super) fn survey(asked: &[String], kept: &[String]) -> Script {
    let head = assignment("kept", &kept.join("\n")) + &parameters(asked.iter().map(String::as_str));
    Script::new(&head, survey::SURVEY)
}

/// Freezes the file systems in order.
pub(super) fn hold(freeze: &Freeze<'_>) -> Script {
    let head = freeze.head();
    let watchdog = Script::new(&head, &[RECORD, watchdog::WATCHDOG].concat());
    let written = ["write_watchdog() {\ncat <<'", END.trim_end(), "'\n", watchdog.text(), END, "}\n"].concat();
    Script::new(&(head + &written), &[RECORD, hold::HOLD].concat())
}

/// Thaws what dead runs left frozen, or the run `id`.
pub(super) fn thaw(id: Option<&str>) -> Script {
    Script::new(&assignment("id", id.unwrap_or_default()), thaw::THAW)
}

/// What a freeze is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freeze<'a> {
    /// Names its record.
    pub(super) id: &'a str,
    /// Who freezes, for people.
    pub(super) by: &'a str,
    /// The file systems, in order.
    pub(super) mounts: &'a [FrozenMount],
    /// From the first freeze to the forced thaw.
    pub(super) deadline: Duration,
    /// What runs around it.
    pub(super) hooks: &'a Hooks,
    /// Whether it ends while frozen, and a second program thaws: over a transport that only answers at the end.
    pub(super) leave: bool,
}

impl Freeze<'_> {
    fn head(&self) -> String {
        let hooks = self.hooks;
        let (deadline, limit) = (self.deadline.as_secs().to_string(), hooks.limit.as_secs().to_string());
        let mut head = String::new();
        for (name, value) in [
            ("id", self.id),
            ("by", self.by),
            ("mode", if self.leave { "leave" } else { "hold" }),
            ("before", hooks.before.as_deref().unwrap_or_default()),
            ("after", hooks.after.as_deref().unwrap_or_default()),
            ("deadline", deadline.as_str()),
            ("hook_limit", limit.as_str()),
        ] {
            head.push_str(&assignment(name, value));
        }
        let fields: Vec<String> = self.mounts.iter().flat_map(fields).collect();
        head.push_str(&parameters(fields.iter().map(String::as_str)));
        let sync = |mount: &FrozenMount| format!("sync -f {} 2>/dev/null\n", quoted(&mount.path));
        let syncs: String = self.mounts.iter().map(sync).collect();
        head + "sync_all() {\n" + &syncs + ":\n}\n"
    }
}

fn fields(mount: &FrozenMount) -> [String; 5] {
    let (path, source, kind) = (mount.path.clone(), mount.source.clone(), mount.kind.clone());
    [path, mount.device.as_stat().to_string(), mount.device.to_string(), source, kind]
}
