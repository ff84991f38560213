//! Dump, restore and swap under bad input and bad luck.

mod bound;
pub(super) mod carry;
mod configuration;
mod confirm;
pub(super) mod damage;
pub(super) mod data_only;
mod dropping;
mod extensions;
mod filters;
mod forged;
mod guard;
mod guide;
mod hooks;
mod hostile;
mod incomplete;
mod incremental;
mod legacy;
pub(super) mod local;
mod login;
mod managed;
mod names;
mod nested;
mod packages;
mod part;
mod planned;
mod pooler;
mod pressure;
mod second_chance;
mod server;
mod settings;
mod situations;
mod snapshot;
mod standby;
mod swap;
mod tables;
mod tags;
mod tools;
mod vanished;
mod versions;
mod workers;

use crate::harness::{Area, Locations, Row};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = basic();
    rows.extend(swaps());
    rows.extend(contents());
    rows.extend(tried_again());
    rows.extend(refused());
    rows.extend(configured());
    rows.extend(connections());
    rows.extend(hooks::rows());
    rows.extend(local_databases());
    rows.extend(hostile::rows());
    rows.extend(situations::rows());
    rows.extend(tagged());
    rows.extend(incremental());
    rows.extend(since());
    rows
}

/// Dumps that read only what changed, and what would make them wrong.
fn since() -> Vec<Row> {
    use Locations::{Both, Folder};
    use incremental::{random, since, traps};
    vec![
        Row::new("P-since", "a dump reads only what changed, and is what a full one is", Area::Pg, Both, |world| {
            Box::pin(since::changes(world))
        }),
        Row::new("P-since-lists", "the same with tables and frames in lists", Area::Pg, Folder, |world| {
            Box::pin(since::lists(world))
        }),
        Row::new("P-since-sample", "what is kept is read again and compared", Area::Pg, Folder, |world| {
            Box::pin(since::sample(world))
        }),
        Row::new("P-since-rights", "without summaries or rights everything is read", Area::Pg, Folder, |world| {
            Box::pin(since::rights(world))
        }),
        Row::new("P-since-open", "transactions open or prepared at the base", Area::Pg, Folder, |world| {
            Box::pin(traps::open(world))
        }),
        Row::new("P-since-text", "changes of the rows' text that touch no page", Area::Pg, Folder, |world| {
            Box::pin(traps::text(world))
        }),
        Row::new("P-since-history", "a disk that was put back", Area::Pg, Folder, |world| {
            Box::pin(traps::history(world))
        }),
        Row::new("P-since-standby", "dumps of a standby, and of two promoted apart", Area::Pg, Folder, |world| {
            Box::pin(traps::standby(world))
        }),
        Row::new("P-since-rewritten", "tables emptied, rewritten, moved, not logged", Area::Pg, Folder, |world| {
            Box::pin(traps::rewritten(world))
        }),
        Row::new("P-since-gap", "summaries that are gone, were off, and a crash", Area::Pg, Folder, |world| {
            Box::pin(traps::gap(world))
        }),
        Row::new("P-since-hints", "pages that reading and vacuuming change", Area::Pg, Folder, |world| {
            Box::pin(traps::hints(world))
        }),
        Row::new("P-since-random", "anything between dumps, 50 seeds", Area::Pg, Folder, |world| {
            Box::pin(random::anything(world))
        }),
    ]
}

/// Dumps that build on others.
fn incremental() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("P-again", "a dump stores only what an earlier one does not have", Area::Pg, Both, |world| {
            Box::pin(incremental::changes(world))
        }),
        Row::new(
            "P-again-jobs",
            "frames are the same with any jobs, with lists, in full dumps",
            Area::Pg,
            Both,
            |world| Box::pin(incremental::any_jobs(world)),
        ),
        Row::new("P-again-pruned", "a dump restores whole after those it builds on went", Area::Pg, Both, |world| {
            Box::pin(incremental::outlives(world))
        }),
        Row::new("P-again-damage", "shared packs damaged, missing, stored anew", Area::Pg, Both, |world| {
            Box::pin(incremental::stored_anew(world))
        }),
        Row::new("P-again-forged", "a forged manifest that a later dump builds on", Area::Pg, Both, |world| {
            Box::pin(incremental::forged(world))
        }),
        Row::new("P-again-killed", "kill -9 at each step of a dump that builds on another", Area::Pg, Both, |world| {
            Box::pin(incremental::killed(world))
        }),
    ]
}

/// Tags that dumps are given after they were made.
fn tagged() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("P-tags", "tags given and taken later: listed, filtered, kept by", Area::Pg, Both, |world| {
            Box::pin(tags::come_and_go(world))
        }),
        Row::new("P-tags-together", "many change the tags of one dump at once", Area::Pg, Both, |world| {
            Box::pin(tags::together(world))
        }),
        Row::new("P-tags-damaged", "tags that cannot be read let no dump go", Area::Pg, Both, |world| {
            Box::pin(tags::damaged(world))
        }),
    ]
}

/// The whole cycle, failing programs, damage, names.
fn basic() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("P0", "dump, ls, show, verify, restore over itself", Area::Pg, Both, |world| {
            Box::pin(names::plain_cycle(world))
        }),
        Row::new("P1", "pg_dump exits 1 at start, exits 1 half-way, is SIGKILLed", Area::Pg, Both, |world| {
            Box::pin(tools::dump_fails(world))
        }),
        Row::new("P2", "pg_dump and pg_restore of other versions than the server's", Area::Pg, Both, |world| {
            Box::pin(versions::skew(world))
        }),
        Row::new("P3", "server restarts mid-dump", Area::Pg, Both, |world| Box::pin(server::restart_mid_dump(world)))
            .own_server(),
        Row::new("P4", "every stored object cut, flipped, longer, missing, swapped", Area::Pg, Both, |world| {
            Box::pin(damage::every_object(world))
        }),
        Row::new("P4-manifest", "manifest cut, flipped, missing, of another dump", Area::Pg, Both, |world| {
            Box::pin(damage::manifest(world))
        }),
        Row::new("P4-legacy", "single-file dump cut or flipped", Area::Pg, Both, |world| {
            Box::pin(damage::single_file(world))
        }),
        Row::new("P5", "pg_restore reports an unknown error, or is killed", Area::Pg, Both, |world| {
            Box::pin(tools::restore_fails(world))
        }),
        Row::new("P7", "databases with hostile names: full cycle", Area::Pg, Both, |world| {
            Box::pin(names::hostile_names(world))
        }),
    ]
}

/// The swap, and what belongs to the database itself.
fn swaps() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("P-forged", "a pack forged between its check and its load is refused", Area::Pg, Both, |world| {
            Box::pin(forged::packs(world))
        }),
        Row::new("P8", "clients hammering connections during the swap", Area::Pg, Both, |world| {
            Box::pin(swap::hammered(world))
        }),
        Row::new("P8-refuse", "prepared transactions and slots stand against the swap", Area::Pg, Folder, |world| {
            Box::pin(swap::bound(world))
        })
        .own_server(),
        Row::new("P8-appears", "a database that appears meanwhile is not replaced", Area::Pg, Folder, |world| {
            Box::pin(swap::appears(world))
        }),
        Row::new("P8-crowd", "hundreds of idle clients, and one amid a transaction", Area::Pg, Folder, |world| {
            Box::pin(pressure::crowd(world))
        })
        .own_server(),
        Row::new("P-connections", "every connection of the server is taken", Area::Pg, Folder, |world| {
            Box::pin(pressure::no_connection(world))
        })
        .own_server(),
        Row::new("P-space", "the server's disk is full amid a restore", Area::Pg, Both, |world| {
            Box::pin(pressure::no_space(world))
        })
        .own_server(),
        Row::new(
            "P8-subscribed",
            "a subscription stands against the swap, and against no clearing away",
            Area::Pg,
            Folder,
            |world| Box::pin(swap::subscription(world)),
        ),
        Row::new("P14", "two restores of one database at once", Area::Pg, Both, |world| {
            Box::pin(swap::two_at_once(world))
        }),
        Row::new("P-vanished", "the machine of a restore vanishes", Area::Pg, Folder, |world| {
            Box::pin(vanished::is_waited_for(world))
        })
        .own_server(),
        Row::new("P15-session", "what is set for sessions changes no value", Area::Pg, Folder, |world| {
            Box::pin(settings::of_sessions(world))
        }),
        Row::new("P15", "settings, owner, privileges, encoding are equal afterwards", Area::Pg, Both, |world| {
            Box::pin(settings::kept(world))
        }),
    ]
}

/// Reversible restores and databases of the server.
fn local_databases() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new(
            "P16",
            "reversible restore, undone and redone; without the flag the copies go",
            Area::Pg,
            Both,
            |world| Box::pin(local::reversible(world)),
        ),
        Row::new("P16-settings", "settings stay with the live name through every toggle", Area::Pg, Folder, |world| {
            Box::pin(local::settings(world))
        }),
        Row::new("P16-hooks", "hooks of reversible and local restores", Area::Pg, Folder, |world| {
            Box::pin(local::hooks(world))
        }),
        Row::new("P16-copy", "pg copy, ls --local, drop-local, restore :NAME", Area::Pg, Folder, |world| {
            Box::pin(local::copies(world))
        }),
        Row::new("P16-names", "copies of 63-byte names; names that are taken", Area::Pg, Folder, |world| {
            Box::pin(local::names(world))
        }),
        Row::new("P16-lock", "local restores and drops while a restore runs", Area::Pg, Folder, |world| {
            Box::pin(local::at_once(world))
        }),
        Row::new("P16-busy", "copying a database that clients hammer", Area::Pg, Folder, |world| {
            Box::pin(local::busy_source(world))
        })
        .own_server(),
    ]
}

/// What a server refuses at first.
fn tried_again() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "P-path",
            "functions that name others without a schema, in all that computes",
            Area::Pg,
            Folder,
            |world| Box::pin(second_chance::by_search_path(world)),
        ),
        Row::new(
            "P-matviews",
            "materialized views that need each other through functions",
            Area::Pg,
            Folder,
            |world| Box::pin(second_chance::views_in_any_order(world)),
        ),
        Row::new(
            "P-path-file",
            "the same of a single file, and what cannot be restored of it",
            Area::Pg,
            Folder,
            |world| Box::pin(second_chance::of_single_files(world)),
        ),
        Row::new("P-path-rows", "the same of rows alone", Area::Pg, Folder, |world| {
            Box::pin(second_chance::rows_alone(world))
        }),
        Row::new(
            "P-path-plan",
            "tables that cannot even be planned without it: rows alone, carried over, large ones",
            Area::Pg,
            Folder,
            |world| Box::pin(planned::by_search_path(world)),
        ),
        Row::new("P-workers", "several jobs stand in each other's way", Area::Pg, Folder, |world| {
            Box::pin(workers::in_each_others_way(world))
        }),
        Row::new("P-early", "settings of the database decide what is computed", Area::Pg, Folder, |world| {
            Box::pin(second_chance::under_its_settings(world))
        }),
    ]
}

/// What a server refuses for good, or cannot do yet.
fn refused() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "P-incomplete",
            "what cannot be restored is named, and let pass if asked twice",
            Area::Pg,
            Folder,
            |world| Box::pin(incomplete::named_and_let_pass(world)),
        ),
        Row::new(
            "P-unreachable",
            "views over a server that cannot be reached are named, and let pass",
            Area::Pg,
            Folder,
            |world| Box::pin(incomplete::of_unreachable_server(world)),
        ),
        Row::new("P-bound", "an extension that a server has in one database only", Area::Pg, Folder, |world| {
            Box::pin(bound::to_its_name(world))
        })
        .own_server(),
        Row::new("P-extensions", "databases with packaged extensions, there and back", Area::Pg, Folder, |world| {
            Box::pin(extensions::there_and_back(world))
        })
        .own_server(),
        Row::new("P-packages", "databases with less common extensions, there and back", Area::Pg, Folder, |world| {
            Box::pin(packages::there_and_back(world))
        })
        .own_server()
        .elective(),
        Row::new("P-drop-waits", "the server cannot drop the replaced database yet", Area::Pg, Folder, |world| {
            Box::pin(dropping::waits_for_nobody(world))
        })
        .own_server(),
        Row::new(
            "P-drop-dead",
            "its client is dead, which the server has not noticed: no run is running",
            Area::Pg,
            Folder,
            |world| Box::pin(dropping::dead_client(world)),
        )
        .own_server(),
    ]
}

/// The configuration file, and what it forbids.
fn configured() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("P11", "a guard wins over every option and confirmation", Area::Pg, Both, |world| {
            Box::pin(guard::wins_over_everything(world))
        })
        .own_server(),
        Row::new("P11-recover", "recovery under a guard makes whole and drops nothing", Area::Pg, Folder, |world| {
            Box::pin(guard::recovery(world))
        }),
        Row::new("P-config", "lists of the file, its configuration and options add up", Area::Pg, Both, |world| {
            Box::pin(configuration::takes_effect(world))
        }),
        Row::new(
            "P-config-stranger",
            "a configuration that another user planted is not used",
            Area::Pg,
            Folder,
            |world| Box::pin(configuration::of_strangers(world)),
        ),
        Row::new("P-guide", "the guide's first night: every command and what it prints", Area::Pg, Folder, |world| {
            Box::pin(guide::first_night(world))
        }),
        Row::new("P-json", "every document that --json prints, as the page about it says", Area::Pg, Folder, |world| {
            Box::pin(guide::documents(world))
        }),
        Row::new(
            "P-config-hooks",
            "hooks of a named configuration run, and options add to them",
            Area::Pg,
            Both,
            |world| Box::pin(configuration::hooks(world)),
        ),
        Row::new("P-session", "application name and statement timeout reach the sessions", Area::Pg, Folder, |world| {
            Box::pin(configuration::sessions(world))
        }),
        Row::new("P-limits", "a statement or lock that takes too long ends the run", Area::Pg, Folder, |world| {
            Box::pin(configuration::limits(world))
        }),
    ]
}

/// Ways to the server.
fn connections() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("P12", "passwords with every odd sign, unsafe files, none", Area::Pg, Folder, |world| {
            Box::pin(login::passwords(world))
        }),
        Row::new(
            "P6",
            "a role that is no superuser dumps and restores, ownership noise is told",
            Area::Pg,
            Folder,
            |world| Box::pin(managed::under_a_role_of_little_power(world)),
        )
        .own_server(),
        Row::new("P13", "certificate of another name, expired, self-signed", Area::Pg, Folder, |world| {
            Box::pin(login::certificates(world))
        })
        .own_server(),
        Row::new("P-pooler", "a pooler in front of the server is refused by its name", Area::Pg, Folder, |world| {
            Box::pin(async move {
                pooler::others_get_through(world).await?;
                pooler::refused(world).await
            })
        }),
        Row::new("P-standby", "a standby is dumped from, and never restored on", Area::Pg, Folder, |world| {
            Box::pin(standby::dumped_from(world))
        })
        .own_server(),
    ]
}

/// What is in a dump, and who may replace what.
fn contents() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("P-bank", "writers during the dump: the sum over tables holds", Area::Pg, Both, |world| {
            Box::pin(snapshot::bank(world))
        }),
        Row::new("P-truncate", "TRUNCATE and rewrites race with the dump", Area::Pg, Both, |world| {
            Box::pin(snapshot::truncate(world))
        }),
        Row::new("P-migration", "a migration asks for exclusive locks during the dump", Area::Pg, Both, |world| {
            Box::pin(snapshot::migration(world))
        }),
        Row::new("P-legacy", "dumps of django-pgclone 1.x to 3.x are listed and restored", Area::Pg, Both, |world| {
            Box::pin(legacy::every_form(world))
        }),
        Row::new("P-exclude", "excluded tables and rows, partitions, keys to them", Area::Pg, Both, |world| {
            Box::pin(filters::excluded(world))
        }),
        Row::new("P-nested", "indexes of partitions of partitions are valid", Area::Pg, Folder, |world| {
            Box::pin(nested::indexes(world))
        }),
        Row::new("P-tables", "very many tiny tables need few requests", Area::Pg, Both, |world| {
            Box::pin(tables::tiny(world))
        }),
        Row::new(
            "P-part",
            "a part of a dump: rows, definitions, keys, and what is read for it",
            Area::Pg,
            Both,
            |world| Box::pin(part::chosen(world)),
        ),
        Row::new(
            "P-data",
            "rows alone into a live schema: keys in circles, triggers, partitions; refusals change nothing",
            Area::Pg,
            Both,
            |world| Box::pin(data_only::filled(world)),
        ),
        Row::new("P-carry", "tables of the live database survive the swap, exactly", Area::Pg, Both, |world| {
            Box::pin(carry::carried(world))
        }),
        Row::new("P-carry-writer", "a client writes to carried tables all the while", Area::Pg, Folder, |world| {
            Box::pin(carry::written_meanwhile(world))
        }),
        Row::new("P-role", "a role of the dump is missing on the server", Area::Pg, Folder, |world| {
            Box::pin(filters::missing_role(world))
        }),
        Row::new("P-confirm", "nothing live is replaced without its name", Area::Pg, Both, |world| {
            Box::pin(confirm::needs_the_name(world))
        }),
        Row::new("P-password", "a password on the command line is refused", Area::Pg, Folder, |world| {
            Box::pin(confirm::password_refused(world))
        }),
        Row::new("P-dryrun", "dry runs change nothing", Area::Pg, Both, |world| Box::pin(confirm::dry_runs(world))),
    ]
}
