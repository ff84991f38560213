//! What several commands read from their arguments.

use lastgood_operator::settings::{Layer, Set, Settings};
use pg_clone::PgResult;
use pg_clone::dump::DumpOptions;
use pg_clone::pattern::TablePattern;
use pg_clone::restore::RestoreOptions;
use pg_clone::stored::list::{Filter, Selector, Wanted};

use crate::args::pg::of_cluster::OfCluster;
use crate::args::pg::{Limits, Tools};
use crate::context::Context;
use crate::env;
use crate::error::CliResult;

/// What both a dump's and a restore's command line say of settings that can stand in the file, too.
pub(super) fn shared_flags(tools: &Tools, limits: &Limits) -> Layer {
    // The variable that stands for the option is a place of its own.
    let variable = env::value(env::PG_BIN).map(Into::into);
    let bin_dir = tools.pg_bin.clone().filter(|path| Some(path) != variable.as_ref() && !path.as_os_str().is_empty());
    Layer {
        bin_dir: bin_dir.map(|path| Set::flag("--pg-bin", path)),
        statement_timeout: limits.statement_timeout.map(|timeout| Set::flag("--statement-timeout", timeout)),
        ..Layer::default()
    }
}

/// How the settings want a database dumped.
pub(in crate::commands) fn dump_options(settings: &Settings, database: String) -> PgResult<DumpOptions> {
    let patterns =
        |texts: &[Set<String>]| texts.iter().map(|text| TablePattern::parse(&text.value)).collect::<PgResult<Vec<_>>>();
    let layer = settings.layer();
    let mut options = DumpOptions::new(database);
    options.exclude_table = patterns(&layer.exclude_table)?;
    options.exclude_table_data = patterns(&layer.exclude_table_data)?;
    options.exclude_setting = layer.exclude_setting.iter().map(|setting| setting.value.clone()).collect();
    options.pg_bin = settings.bin_dir();
    options.hooks = settings.hooks();
    if let Some(jobs) = &layer.jobs {
        options.jobs = jobs.value;
    }
    if let Some(timeout) = &layer.lock_timeout {
        options.lock_timeout = timeout.value;
    }
    if let Some(bytes) = env::value(env::LISTS_OVER).and_then(|bytes| bytes.parse().ok()) {
        options.lists_over_bytes = bytes;
    }
    if let Some(bytes) = env::value(env::RANGE_BYTES).and_then(|bytes| bytes.parse().ok()) {
        options.range_bytes = bytes;
    }
    Ok(options)
}

/// How the settings want a dump restored.
pub(in crate::commands) fn restore_options(settings: &Settings, wanted: impl Into<Selector>) -> RestoreOptions {
    let mut options = RestoreOptions::new(wanted);
    options.reversible = settings.reversible();
    options.managed = settings.managed();
    options.pg_bin = settings.bin_dir();
    options.hooks = settings.hooks();
    if let Some(jobs) = &settings.layer().jobs {
        options.jobs = jobs.value;
    }
    options
}

/// The database a read-only command is limited to. A name alone needs no server; a connection string or URL is taken
/// apart, because people paste what they have.
pub(super) fn named(database: Option<&str>, context: &Context) -> CliResult<Option<String>> {
    match database {
        None => Ok(None),
        // Nothing of the environment is asked that may be about other servers.
        Some(text) if pg_clone::is_plain_name(text) => Ok(Some(text.to_owned())),
        // Only the database of the argument itself: one from the environment would hide the others.
        Some(text) => Ok(context.server(Some(text))?.1),
    }
}

/// Which dumps a command is limited to.
pub(super) fn filter(database: Option<String>, config: Option<&String>, of: &OfCluster) -> Filter {
    let mut filter = Filter::default();
    (filter.database, filter.config, filter.cluster) = (database, config.cloned(), of.cluster.clone());
    filter
}

/// The dump that somebody who is connected to no server means. It is only looked at: that of the newest that can be read is
/// what somebody wants to see.
pub(super) fn wanted(text: &str, of: &OfCluster) -> Wanted {
    Wanted::new(text).cluster(of.cluster.clone()).allow_older(true)
}
