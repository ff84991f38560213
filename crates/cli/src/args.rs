//! The command line as typed. `commands` decides what it means, so that errors repeat no secrets.

#[cfg(feature = "app")]
pub(crate) mod app;
mod common;
pub(crate) mod config;
#[cfg(feature = "dict")]
pub(crate) mod dict;
#[cfg(feature = "ec2")]
pub(crate) mod ec2;
mod examples;
mod footer;
#[cfg(feature = "glacier")]
pub(crate) mod glacier;
pub(crate) mod help;
pub(crate) mod hooks;
pub(crate) mod pg;
mod reach;
pub(crate) mod retention;
pub(crate) mod server;
pub(crate) mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use lastgood_operator::settings::rate::{Rate, rate};

pub(crate) use crate::args::common::{DryRun, Init};
use crate::env;

/// Back up and restore databases and application data
#[derive(Debug, Parser)]
#[command(name = "lastgood", version, max_term_width = 100, arg_required_else_help = true, infer_long_args = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What stands on the pages of commands instead of the options of every command.
const GLOBALS_ELSEWHERE: &str = "-r, -P, --json, -q, -v and others: see `lastgood --help`, or use `--help-all` here";

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Location of the backups: s3://bucket/prefix, a path, or file:///path [default: ./.lastgood]
    #[arg(short, long, global = true, value_name = "LOCATION", env = env::REPO, hide_env_values = true)]
    pub(crate) repo: Option<String>,
    /// Configuration file [default: ./lastgood.toml, or lastgood/config.toml in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, global = true, value_name = "FILE", env = env::CONFIG_FILE, hide_env_values = true)]
    pub(crate) config_file: Option<String>,
    /// Profile of the configuration file to use
    #[arg(short = 'P', long, global = true, value_name = "NAME", env = env::PROFILE, hide_env_values = true)]
    pub(crate) profile: Option<String>,
    /// Print results as one JSON document, and errors and warnings as JSON lines
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print nothing when all is well: only warnings, errors, and what was asked to be shown (lists, plans, JSON)
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log to standard error; repeat for more detail (-vv, -vvv)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Send no more than this many bytes per second, such as 10MiB
    #[arg(long, global = true, value_name = "SIZE", env = env::LIMIT_UPLOAD, hide_env_values = true, value_parser = rate)]
    pub(crate) limit_upload: Option<Rate>,
    /// Receive no more than this many bytes per second, such as 10MiB
    #[arg(long, global = true, value_name = "SIZE", env = env::LIMIT_DOWNLOAD, hide_env_values = true, value_parser = rate)]
    pub(crate) limit_download: Option<Rate>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Answer yes to questions; replacing a live database still requires its name
    #[arg(long, global = true)]
    pub(crate) yes: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// When writing to a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // made once a run
pub(crate) enum Command {
    /// Dump, restore and manage PostgreSQL databases
    #[cfg(feature = "pg")]
    #[command(subcommand)]
    Pg(pg::Pg),
    /// Restore and manage backups of in-memory stores, including Python's DictDB
    #[cfg(feature = "dict")]
    #[command(subcommand)]
    Dict(dict::Dict),
    /// Back up and restore an application's records, one tarball per backup
    #[cfg(feature = "app")]
    #[command(subcommand)]
    App(app::App),
    /// Snapshot, copy, trim and check EBS volumes of EC2 instances
    #[cfg(feature = "ec2")]
    #[command(subcommand)]
    Ec2(ec2::Ec2),
    /// Archive immutable files in cold storage, each once, and retrieve them with a plan and a price
    #[cfg(feature = "glacier")]
    #[command(subcommand)]
    Glacier(glacier::Glacier),
    /// Create a location and check that its store supports conditional writes
    Init(DryRun),
    /// Show effective settings
    #[command(subcommand)]
    Config(config::Config),
    /// Check the location, and a PostgreSQL server and its programs if one is given
    Doctor(Doctor),
    /// Print a shell completion script
    Completions {
        /// Shell to complete for
        shell: Shell,
    },
    /// Write the manual pages
    Man {
        /// Folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print the version
    Version,
    /// Write the reference of commands, variables and exit codes
    #[command(hide = true)]
    Reference {
        /// Folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Database name, connection string or URL of a server to check as well
    #[arg(value_name = "DATABASE")]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) tools: pg::Tools,
    #[command(flatten)]
    pub(crate) server: server::ServerArgs,
}

/// The whole command line as clap knows it, with the footers of its help pages and all options on each of them.
pub(crate) fn command() -> clap::Command {
    footer::attach(Cli::command(), None)
}

/// [`command`] with pages that are read: options of every command are only on the page of the program itself.
pub(crate) fn pages() -> clap::Command {
    let mut command = footer::attach(Cli::command(), Some(GLOBALS_ELSEWHERE));
    // Only then each command has the options of every command, and they can be hidden in it.
    command.build();
    command.mut_subcommands(without_globals)
}

fn without_globals(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let is_global = argument.is_global_set();
        if is_global { argument.hide(true) } else { argument }
    });
    command.mut_subcommands(without_globals)
}

/// [`pages`] as they are read on a screen: what each option does in a line or two, without the meaning of each value.
fn brief_pages() -> clap::Command {
    brief(pages())
}

fn brief(command: clap::Command) -> clap::Command {
    let footer = command.get_after_long_help().cloned();
    let command = match footer {
        Some(footer) => command.after_help(footer),
        None => command,
    };
    let command = command.mut_args(|argument| match argument.get_id() == "help" {
        true => argument.action(ArgAction::HelpShort).help("Print help; --help-all says more, of more options"),
        false => argument,
    });
    command.mut_subcommands(brief)
}

/// Reads the command line.
///
/// # Errors
/// What clap says of it, and help that was asked for.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let (arguments, all) = help::with_plain_help(arguments);
    let mut matches = command().try_get_matches_from(&arguments).map_err(|error| match help::is_page(&error) {
        true if all => error,
        true => brief_pages().try_get_matches_from(&arguments).err().unwrap_or(error),
        false => as_typed(error, &arguments),
    })?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command()))
}

/// The page of the command that the line names.
pub(crate) fn page_of(arguments: &[OsString]) -> Option<clap::builder::StyledStr> {
    let asking = arguments.iter().cloned().chain([OsString::from("--help")]);
    let page = brief_pages().try_get_matches_from(asking).err().filter(help::is_page)?;
    Some(page.render())
}

/// The error without the options that only variables give: its line of usage would show them as if they had to be typed.
fn as_typed(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    match without_variables(command()).try_get_matches_from(arguments) {
        Err(plain) if plain.kind() == error.kind() => plain,
        _ => error,
    }
}

fn without_variables(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| argument.env(clap::builder::Resettable::Reset)).mut_subcommands(without_variables)
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for line in ["lastgood --json -r s3://bucket/x pg ls shop", "lastgood pg ls shop -r s3://bucket/x --json"] {
            let cli = parse(line);
            assert!(cli.global.json);
            assert_eq!(cli.global.repo.as_deref(), Some("s3://bucket/x"));
        }
    }

    #[test]
    fn the_configuration_file_and_a_configuration_in_it_are_two_options() {
        let cli = parse("lastgood pg dump shop --config nightly --config-file a.toml -P staging");
        assert_eq!(cli.global.config_file.as_deref(), Some("a.toml"));
        assert_eq!(cli.global.profile.as_deref(), Some("staging"));
        let Command::Pg(pg::Pg::Dump(dump)) = cli.command else { panic!("another command") };
        assert_eq!(dump.config, "nightly");
    }

    fn page(line: &str) -> String {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        super::parse(&arguments).unwrap_err().render().to_string()
    }

    #[test]
    fn options_of_every_command_are_shown_once_and_all_of_them_on_request() {
        let (short, long) = (page("lastgood pg restore --help"), page("lastgood pg restore --help-all"));
        assert!(short.contains("--into <DATABASE>") && long.contains("--into <DATABASE>"));
        assert!(!short.contains("--limit-upload <SIZE>") && short.contains("`--help-all`"), "{short}");
        assert!(long.contains("--limit-upload <SIZE>") && !long.contains("`--help-all`"), "{long}");
        // What fits a few screens, of as many options as a restore has.
        assert!(short.lines().count() <= 130 && long.lines().count() > 200, "{} lines", short.lines().count());
        assert!(short.contains("Examples:") && short.contains("Exit codes:"), "{short}");
        assert!(page("lastgood --help").contains("--limit-upload <SIZE>"));
        assert!(!page("lastgood help pg hooks test").contains("--limit-upload <SIZE>"));
        // What is hidden works all the same, and is no help where it is a value.
        assert_eq!(parse("lastgood pg ls shop -r x").global.repo.as_deref(), Some("x"));
        assert!(
            super::parse(&["lastgood", "pg", "tag", "add", "shop", "--", "--help-all"].map(OsString::from)).is_ok()
        );
    }

    #[test]
    fn repeated_exclusions_accumulate() {
        let cli = parse("lastgood pg dump shop --exclude-table a --exclude-table b --exclude-table-data audit.log");
        let Command::Pg(pg::Pg::Dump(dump)) = cli.command else { panic!("another command") };
        assert_eq!(dump.exclude_table, ["a", "b"]);
        assert_eq!(dump.exclude_table_data, ["audit.log"]);
    }
}
