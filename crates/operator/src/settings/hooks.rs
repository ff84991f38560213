//! The hooks of the configuration file, as a dump and a restore take them.

use std::path::Path;

use pg_clone::hook::{Hook, Hooks};

use crate::settings::layer::{HookEntry, Layer};
use crate::settings::origin::Set;

/// All hooks of `layer`; those of the command line come behind them.
pub(super) fn of(layer: &Layer) -> Hooks {
    let mut hooks = Hooks::default()
        .pre_dump(list(&layer.pre_dump))
        .post_create(list(&layer.post_create))
        .pre_swap(list(&layer.pre_swap))
        .post_swap(list(&layer.post_swap));
    if let Some(timeout) = &layer.hook_timeout {
        hooks.timeout = timeout.value;
    }
    hooks
}

fn list(entries: &[Set<HookEntry>]) -> Vec<Hook> {
    entries.iter().map(|entry| hook(&entry.value)).collect()
}

fn hook(entry: &HookEntry) -> Hook {
    match entry {
        HookEntry::Sql(path) => Hook::Sql(path.clone()),
        HookEntry::Command { command, folder } if folder == Path::new(".") => Hook::Command(command.clone()),
        // Its relative paths start at the file's folder, wherever we were started.
        HookEntry::Command { command, folder } => {
            Hook::Command(format!("cd '{}' || exit; {command}", folder.display().to_string().replace('\'', r"'\''")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_file_elsewhere_run_in_its_folder() {
        let of = |folder: &str| hook(&HookEntry::Command { command: "./x && y".into(), folder: folder.into() });
        assert_eq!(of("."), Hook::Command("./x && y".into()));
        assert_eq!(of("/etc/it's"), Hook::Command(r"cd '/etc/it'\''s' || exit; ./x && y".into()));
    }
}
