//! Remedies of the libraries in the words of the command line: options as flags, operations as commands.

use backup_core::failure::{Call, Operation, Part, Remedy, Set, Setting, Value};
use backup_core::location::shell_word;
use pg_clone::error::Problem;
use serde::Serialize;
use serde_json::Value as Json;

/// What to do, as somebody at a shell does it.
pub(crate) fn words(remedy: &Remedy) -> String {
    remedy
        .parts()
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.to_string(),
            Part::Setting(set) => format!("`{}`", option(set)),
            Part::Operation(call) => format!("`{}`", command(call)),
        })
        .collect()
}

/// A sentence with what to do about it behind it.
pub(crate) fn sentence(what: &str, remedy: Option<&Remedy>) -> String {
    match remedy.filter(|remedy| !remedy.is_empty()) {
        Some(remedy) => format!("{what}; {}", words(remedy)),
        None => what.to_owned(),
    }
}

/// A document whose `problems` say what to do in these words.
#[derive(Debug)]
pub(crate) struct Worded<'a, T>(pub(crate) &'a T, pub(crate) &'a [Problem]);

impl<T: Serialize> Serialize for Worded<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serde_json::to_value(self.0).map_err(serde::ser::Error::custom)?;
        if let Some(Json::Array(listed)) = document.get_mut("problems") {
            for (listed, problem) in listed.iter_mut().zip(self.1) {
                listed["help"] = Json::String(words(&problem.help));
            }
        }
        document.serialize(serializer)
    }
}

fn option(set: &Set) -> String {
    match &set.value {
        None => flag(set.setting).to_owned(),
        Some(value) => format!("{} {}", flag(set.setting), argument(value)),
    }
}

fn command(call: &Call) -> String {
    let mut words = vec![named(call.operation).to_owned()];
    words.extend(call.subject.as_ref().map(argument));
    words.extend(call.options.iter().map(option));
    words.join(" ")
}

/// As it can be pasted into a shell.
fn argument(value: &Value) -> String {
    match value {
        Value::Placeholder(text) => (*text).to_owned(),
        Value::Given(text) => shell_word(text),
    }
}

/// The flag of an option.
fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Location => "-r",
        Setting::KeepDaily => "--keep-daily",
        Setting::KeepWeekly => "--keep-weekly",
        Setting::AllowEmpty => "--allow-empty",
        Setting::AllowPartial => "--allow-partial",
        Setting::MaxShrink => "--max-shrink",
        Setting::Full => "--full",
        Setting::Source => "--source",
        Setting::Cluster => "--cluster",
        Setting::Config => "--config",
        Setting::Into => "--into",
        Setting::To => "--to",
        Setting::UpTo => "--up-to",
        Setting::Confirm => "--confirm-database",
        Setting::DataOnly => "--data-only",
        Setting::SchemaOnly => "--schema-only",
        Setting::CarryOver => "--carry-over",
        Setting::ReplaceRows => "--replace-rows",
        Setting::DisableTriggers => "--disable-triggers",
        Setting::Reversible => "--reversible",
        Setting::KeepFailed => "--keep-failed",
        Setting::AllowIncomplete => "--allow-incomplete",
        Setting::AllowOlder => "--allow-older",
        Setting::ConfirmIncomplete => "--confirm-incomplete",
        Setting::ExcludeExtension => "--exclude-extension",
        Setting::Force => "--force",
        Setting::AllowOutside => "--allow-outside",
        Setting::NoOwner => "--no-owner",
        Setting::NoAcl => "--no-acl",
        Setting::NoTablespaces => "--no-tablespaces",
        Setting::Managed => "--managed",
        Setting::Locale => "--locale",
        Setting::LocaleProvider => "--locale-provider",
        Setting::NoHooks => "--no-hooks",
        Setting::Table => "--table",
        Setting::Schema => "--schema",
        Setting::Host => "-h",
        Setting::Port => "-p",
        Setting::User => "-U",
        Setting::ExcludeTable => "--exclude-table",
        Setting::ExcludeTableData => "--exclude-table-data",
        Setting::Jobs => "--jobs",
        Setting::LockTimeout => "--lock-timeout",
        Setting::PgBin => "--pg-bin",
        Setting::Type => "--type",
        Setting::OnConflict => "--on-conflict",
        Setting::ExpireAfter => "--expire-after",
        Setting::GlacierAfter => "--glacier-after",
        Setting::State => "--state",
        Setting::Orphans => "--orphans",
        Setting::Tier => "--tier",
        Setting::Region => "--region",
        Setting::Tag => "--tag",
        Setting::Consistent => "--consistent",
        Setting::Via => "--via",
        Setting::Sudo => "--sudo",
        Setting::Freeze => "--freeze",
        Setting::HookBefore => "--hook-before",
        Setting::HookAfter => "--hook-after",
        Setting::Primary => "--primary",
        Setting::Secondary => "--secondary",
        Setting::From => "--from",
        Setting::Within => "--within",
        Setting::Cadence => "--cadence",
        Setting::For => "--for",
        Setting::PlanOut => "--out",
    }
}

/// The command of an operation.
fn named(operation: Operation) -> &'static str {
    match operation {
        // The same command as before, with this flag.
        Operation::Plan => "-n",
        Operation::Init => "lastgood init",
        Operation::ListDumps => "lastgood pg ls",
        Operation::ShowDump => "lastgood pg show",
        Operation::VerifyDump => "lastgood pg verify",
        Operation::RestoreDump => "lastgood pg restore",
        Operation::PruneDumps => "lastgood pg prune",
        Operation::ListDatabases => "lastgood pg ls --local",
        Operation::CopyDatabase => "lastgood pg copy",
        Operation::DropDatabase => "lastgood pg drop-local",
        Operation::Recover => "lastgood pg recover",
        Operation::TestHooks => "lastgood pg hooks test",
        Operation::ListRecords => "lastgood app ls",
        Operation::PruneRecords => "lastgood app prune",
        Operation::ListStores => "lastgood dict ls",
        Operation::ListSnapshots => "lastgood ec2 ls",
        Operation::ShowSnapshots => "lastgood ec2 show",
        Operation::Snapshot => "lastgood ec2 snapshot",
        Operation::CleanBroken => "lastgood ec2 clean-broken",
        Operation::Thaw => "lastgood ec2 thaw",
        Operation::ListArchived => "lastgood glacier ls",
        Operation::PlanRetrieval => "lastgood glacier plan",
        Operation::PruneArchived => "lastgood glacier prune",
        Operation::WatchRetrievals => "lastgood glacier watch",
        Operation::ListOrphans => "lastgood glacier orphans ls",
        Operation::FetchArchived => "lastgood glacier fetch",
        Operation::RebuildCatalogue => "lastgood glacier catalogue rebuild",
    }
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use backup_core::remedy;
    use clap::Command;

    use super::*;
    use crate::args;

    #[test]
    fn what_the_reader_fills_in_stands_as_it_is_and_values_can_be_pasted() {
        let given = Operation::RestoreDump
            .on("shop".to_owned())
            .with(Setting::Into.with("other shop".to_owned()))
            .with(Setting::DataOnly);
        let remedy = remedy!["run ", given, ", or choose one with ", Setting::Cluster.with("HOST|ID")];
        assert_eq!(
            words(&remedy),
            "run `lastgood pg restore shop --into 'other shop' --data-only`, or choose one with `--cluster HOST|ID`"
        );
    }

    #[test]
    fn a_sentence_without_a_remedy_stands_alone() {
        assert_eq!(sentence("it stays", None), "it stays");
        assert_eq!(sentence("it stays", Some(&"".into())), "it stays");
        assert_eq!(
            sentence("it stays", Some(&remedy!["run ", Operation::Recover])),
            "it stays; run `lastgood pg recover`"
        );
    }

    /// The command that these words call, if each of them is one or an option of it.
    fn called<'a>(root: &'a Command, words: &[&str]) -> Option<&'a Command> {
        words.iter().try_fold(root, |command, word| match word.strip_prefix("--") {
            Some(long) => has_flag(command, long).then_some(command),
            None => command.find_subcommand(word),
        })
    }

    fn has_flag(command: &Command, long: &str) -> bool {
        command.get_arguments().any(|argument| argument.get_long() == Some(long))
    }

    fn any_has_flag(command: &Command, flag: &str) -> bool {
        let here = match (flag.strip_prefix("--"), flag.strip_prefix('-')) {
            (Some(long), _) => has_flag(command, long),
            (None, short) => {
                let short = short.and_then(|short| short.chars().next());
                command.get_arguments().any(|argument| argument.get_short() == short && short.is_some())
            }
        };
        here || command.get_subcommands().any(|command| any_has_flag(command, flag))
    }

    #[test]
    fn every_option_and_command_exists() {
        let root = args::command();
        for setting in Setting::ALL {
            assert!(any_has_flag(&root, flag(*setting)), "{setting:?}");
        }
        for operation in Operation::ALL {
            let words: Vec<&str> = named(*operation).split(' ').collect();
            match words.as_slice() {
                ["lastgood", command @ ..] => assert!(called(&root, command).is_some(), "{operation:?}"),
                [flag] => assert!(any_has_flag(&root, flag), "{operation:?}"),
                _ => panic!("{operation:?}: {words:?}"),
            }
        }
        assert!(!any_has_flag(&root, "--no-such-option") && called(&root, &["pg", "--local"]).is_none());
    }
}
