//! A configuration that nobody defined: its name is part of the dump's key all the same, and a mistyped one would begin a series of
//! dumps of its own, with none of the settings that were meant.

use backup_core::store::StoreRead;
use pg_clone::options::CONFIG_DEFAULT;
use pg_clone::stored::key::DumpKey;

use crate::context::Context;
use crate::error::CliResult;

/// Least likeness of two names, from 0 to 1, at which one may be meant by the other: two letters of eight.
const LIKENESS_MIN: f64 = 0.7;

/// Warns of the first dump under a name that no file defines and that looks like that of other dumps.
pub(super) async fn warn_if_mistyped(
    store: &dyn StoreRead,
    database: &str,
    config: &str,
    context: &Context,
) -> CliResult<()> {
    if config == CONFIG_DEFAULT || context.config.defines(config) {
        return Ok(());
    }
    if is_file_name(config) {
        let text = "a file is named with `--config-file FILE`, and `--config NAME` is one of its configurations";
        context.printer.warn(&format!("no configuration `{config}` is defined: {text}"));
        return Ok(());
    }
    let folder = format!("{}/", DumpKey::database_folder(database)?);
    let children = context.or_cancelled(async { Ok(store.list_children(&folder).await?) }).await?;
    let keys = children.iter().filter_map(|child| DumpKey::parse_folder_name(database, child.trim_end_matches('/')));
    let configs: Vec<String> = keys.map(|key| key.config).collect();
    if let Some(meant) = meant(config, &configs) {
        context.printer.warn(&format!(
            "no configuration `{config}` is defined, and `{database}` has no dump of it yet: was `{meant}` meant?"
        ));
    }
    Ok(())
}

/// Whether the text looks like the name of a configuration file.
fn is_file_name(config: &str) -> bool {
    config.contains('/') || config.ends_with(".toml")
}

/// The configuration of dumps that may have been meant, if none is of the one that was typed.
fn meant<'c>(typed: &str, configs: &'c [String]) -> Option<&'c str> {
    if configs.iter().any(|config| config == typed) {
        return None;
    }
    let likeness = |config: &&String| strsim::normalized_damerau_levenshtein(typed, config);
    let nearest = configs.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&nearest) >= LIKENESS_MIN).then_some(nearest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_new_and_like_another_is_taken_for_mistyped() {
        let configs = ["nightly", "default", "nightly"].map(str::to_owned);
        assert_eq!(meant("nigthly", &configs), Some("nightly"));
        assert_eq!(meant("nightly", &configs), None);
        assert_eq!(meant("weekly", &configs), None);
        assert_eq!(meant("nigthly", &[]), None);
        assert!(is_file_name("./nightly") && is_file_name("lastgood.toml") && !is_file_name("nightly"));
    }
}
