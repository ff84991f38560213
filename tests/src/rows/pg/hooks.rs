//! Hooks of the user's: in order, in bounds, on the right database, and never the end of the live one.

pub(super) mod environment;
pub(super) mod failing;
pub(super) mod limits;
pub(super) mod local;
pub(super) mod trial;

use std::fs;

use crate::harness::{Area, Locations, Row, RowResult, World};

/// Exit code for a hook that failed.
const TOOL: i32 = 22;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("P10", "a hook exits 1, is killed, hangs, prints the password", Area::Pg, Both, |world| {
            Box::pin(failing::before_the_swap(world))
        }),
        Row::new("P10-sql", "an SQL hook fails, hangs, leaves its transaction open", Area::Pg, Folder, |world| {
            Box::pin(failing::sql_files(world))
        }),
        Row::new("P10-dump", "a hook before the dump fails: nothing is stored", Area::Pg, Both, |world| {
            Box::pin(failing::before_the_dump(world))
        }),
        Row::new("P10-after", "a hook after the switch fails: told, nothing undone", Area::Pg, Folder, |world| {
            Box::pin(failing::after_the_switch(world))
        }),
        Row::new("P10-flood", "a hook prints 100 MB, in lines and in one", Area::Pg, Folder, |world| {
            Box::pin(limits::flood(world))
        }),
        Row::new("P10-open", "a hook leaves processes and connections behind", Area::Pg, Folder, |world| {
            Box::pin(limits::left_open(world))
        }),
        Row::new(
            "P10-signal",
            "signals end the hook too; a kill leaves a copy that recover drops",
            Area::Pg,
            Folder,
            |world| Box::pin(limits::signals(world)),
        ),
        Row::new(
            "P10-order",
            "hooks and files of every point, in the order they were typed",
            Area::Pg,
            Both,
            |world| Box::pin(environment::order(world)),
        ),
        Row::new(
            "P10-env",
            "what a hook is told: its database, the password in a file, no secret of ours",
            Area::Pg,
            Both,
            |world| Box::pin(environment::told(world)),
        ),
        Row::new("P10-local", "hooks of reversible and local restores", Area::Pg, Folder, |world| {
            Box::pin(local::local(world))
        }),
        Row::new("P10-test", "`pg hooks test` switches nothing and leaves nothing", Area::Pg, Folder, |world| {
            Box::pin(trial::test(world))
        }),
        Row::new("P-rds", "the preparation for RDS that comes along", Area::Pg, Folder, |world| {
            Box::pin(trial::rds_prep(world))
        })
        .own_server(),
    ]
}

/// The real `psql`, quoted for a hook.
fn psql(world: &World) -> String {
    format!("'{}' -XAtq", world.cluster().bin_dir().join("psql").display())
}

/// Writes an SQL file and returns its path.
fn sql_file(world: &World, name: &str, text: &str) -> RowResult<String> {
    let path = world.folder().join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// What a hook wrote to a file; empty if it did not run.
fn notes(world: &World, name: &str) -> String {
    fs::read_to_string(world.folder().join(name)).unwrap_or_default()
}
