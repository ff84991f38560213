//! Options that name hooks, read by hand, because derived arguments lose the order of two options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use lastgood_operator::settings::time;
use pg_clone::hook::{DUMP_POINTS, Hook, Hooks, Point, RESTORE_POINTS};

const HEADING: &str = "Hooks";
const TIMEOUT: &str = "hook_timeout";

/// Hooks as they were typed; `DUMP` and `RESTORE` say whose points have flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookArgs<const DUMP: bool, const RESTORE: bool> {
    hooks: Vec<(Point, Hook)>,
    timeout: Option<Duration>,
}

/// Of `pg dump`.
pub(crate) type DumpHooks = HookArgs<true, false>;

/// Of `pg restore`.
pub(crate) type RestoreHooks = HookArgs<false, true>;

/// Of `pg hooks test`.
pub(crate) type AllHooks = HookArgs<true, true>;

impl<const DUMP: bool, const RESTORE: bool> HookArgs<DUMP, RESTORE> {
    /// Adds them to `hooks`, behind what is there already.
    pub(crate) fn add_to(&self, hooks: &mut Hooks) {
        for (point, hook) in &self.hooks {
            hooks.at_mut(*point).push(hook.clone());
        }
        if let Some(timeout) = self.timeout {
            hooks.timeout = timeout;
        }
    }

    fn points() -> impl Iterator<Item = Point> {
        let of = |wanted: bool, points: &'static [Point]| if wanted { points } else { &[] };
        of(DUMP, &DUMP_POINTS).iter().chain(of(RESTORE, &RESTORE_POINTS)).copied()
    }

    /// The hooks of `point` in the order in which they were typed.
    fn typed(point: Point, matches: &ArgMatches) -> Vec<(Point, Hook)> {
        let of = |id: &str| matches.indices_of(id).into_iter().flatten();
        let commands = matches.get_many::<String>(command_id(point)).into_iter().flatten();
        let files = matches.get_many::<PathBuf>(sql_id(point)).into_iter().flatten();
        let commands = of(command_id(point)).zip(commands.map(|text| Hook::Command(text.clone())));
        let files = of(sql_id(point)).zip(files.map(|path| Hook::Sql(path.clone())));
        let mut typed: Vec<(usize, Hook)> = commands.chain(files).collect();
        typed.sort_by_key(|(index, _)| *index);
        typed.into_iter().map(|(_, hook)| (point, hook)).collect()
    }
}

fn command_id(point: Point) -> &'static str {
    match point {
        Point::PreDump => "pre-dump-hook",
        Point::PostCreate => "post-create-hook",
        Point::PreSwap => "pre-swap-hook",
        Point::PostSwap => "post-swap-hook",
    }
}

fn sql_id(point: Point) -> &'static str {
    match point {
        Point::PreDump => "pre-dump-sql",
        Point::PostCreate => "post-create-sql",
        Point::PreSwap => "pre-swap-sql",
        Point::PostSwap => "post-swap-sql",
    }
}

fn when(point: Point) -> &'static str {
    match point {
        Point::PreDump => "in the database to dump, before the dump",
        Point::PostCreate => "in the temporary database, while it is still empty",
        Point::PreSwap => "in the complete and checked temporary database, before the swap",
        Point::PostSwap => "in the live database, after the swap; a failure does not undo the restore",
    }
}

impl<const DUMP: bool, const RESTORE: bool> Args for HookArgs<DUMP, RESTORE> {
    fn augment_args(command: Command) -> Command {
        let flag = |id: &'static str| Arg::new(id).long(id).action(ArgAction::Append).help_heading(HEADING);
        let with_points = Self::points().fold(command, |command, point| {
            command
                .arg(
                    flag(command_id(point))
                        .value_name("CMD")
                        .help(format!("Run this command {}; repeatable", when(point))),
                )
                .arg(
                    flag(sql_id(point))
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help(format!("Run this SQL file {}; repeatable", when(point))),
                )
        });
        with_points.arg(
            Arg::new(TIMEOUT)
                .long("hook-timeout")
                .value_name("TIME")
                .value_parser(|text: &str| time::duration(text).map(|limit| limit.unsigned_abs()))
                .help_heading(HEADING)
                .help("Maximum time each hook may run, such as 30m or 6h [default: 1h]"),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const DUMP: bool, const RESTORE: bool> FromArgMatches for HookArgs<DUMP, RESTORE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let hooks = Self::points().flat_map(|point| Self::typed(point, matches)).collect();
        Ok(Self { hooks, timeout: matches.get_one::<Duration>(TIMEOUT).copied() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(line: &str) -> Result<Hooks, clap::Error> {
        let command = AllHooks::augment_args(Command::new("test"));
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        let mut hooks = Hooks::default().pre_swap(vec![Hook::Command("of-the-file".into())]);
        AllHooks::from_arg_matches(&matches)?.add_to(&mut hooks);
        Ok(hooks)
    }

    #[test]
    fn hooks_and_files_of_a_point_keep_the_order_of_the_command_line_and_come_after_what_was_there() {
        let typed = hooks(
            "test --pre-swap-sql 1.sql --pre-swap-hook two --post-swap-hook x --pre-swap-sql 3.sql --pre-swap-hook \
             four \
             --pre-dump-hook p",
        )
        .unwrap();
        let words: Vec<String> = typed.pre_swap.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["of-the-file", "1.sql", "two", "3.sql", "four"]);
        assert_eq!(typed.post_swap, [Hook::Command("x".into())]);
        assert_eq!(typed.pre_dump, [Hook::Command("p".into())]);
        assert_eq!(typed.timeout, pg_clone::hook::TIMEOUT_DEFAULT);
    }

    #[test]
    fn the_time_limit_is_a_time() {
        assert_eq!(hooks("test --hook-timeout 90m").unwrap().timeout, Duration::from_secs(5_400));
        assert!(hooks("test --hook-timeout soon").is_err());
        assert!(hooks("test --hook-timeout=-5m").is_err());
    }
}
