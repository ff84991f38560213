//! Situations of other people's databases and servers that stock tools manage.

mod invalid;
mod keys;
mod live;
mod locale;
mod objects;
mod powerless;
mod releases;
mod strange;
mod words;

use crate::harness::{Area, Locations, Row};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = of_dumps();
    rows.extend(of_sessions());
    rows.extend(elsewhere());
    rows.extend(beside_others());
    rows
}

/// What a dump has, on this machine's own server.
fn of_dumps() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new(
            "P-key-left-out",
            "rows left out of the dump break some foreign keys and not others",
            Area::Pg,
            Both,
            |world| Box::pin(keys::to_rows_left_out(world)),
        ),
        Row::new(
            "P-objects",
            "20,000 large objects of another role, with default settings",
            Area::Pg,
            Folder,
            |world| Box::pin(objects::of_another_role(world)),
        )
        .own_server(),
        Row::new(
            "P-invalid",
            "a DROP DATABASE of a copy, and of the target, was interrupted",
            Area::Pg,
            Folder,
            |world| Box::pin(invalid::half_dropped(world)),
        ),
        Row::new(
            "P-locale",
            "the dump's locale is missing on the server; another is chosen",
            Area::Pg,
            Folder,
            |world| Box::pin(locale::missing(world)),
        ),
        Row::new(
            "P-locale-template",
            "a dump without provider where template0 has another",
            Area::Pg,
            Folder,
            |world| Box::pin(locale::of_the_template(world)),
        )
        .own_server(),
    ]
}

/// Rows alone, options, and roles, on this machine's own server.
fn of_sessions() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("P-data-computed", "rows of a table whose columns are all computed", Area::Pg, Folder, |world| {
            Box::pin(live::computed(world))
        }),
        Row::new(
            "P-data-events",
            "event triggers of the live database do not fire for rows alone",
            Area::Pg,
            Folder,
            |world| Box::pin(live::events(world)),
        ),
        Row::new(
            "P-data-not-valid",
            "rows that a NOT VALID key, check or NOT NULL let stay",
            Area::Pg,
            Folder,
            |world| Box::pin(live::not_valid(world)),
        ),
        Row::new("P-options", "PGOPTIONS reach every session of a restore", Area::Pg, Folder, |world| {
            Box::pin(live::options(world))
        }),
        Row::new(
            "P-autovacuum",
            "a role without power copies and drops beside autovacuum",
            Area::Pg,
            Folder,
            |world| Box::pin(powerless::beside_autovacuum(world)),
        )
        .own_server(),
        Row::new(
            "P-rights",
            "a view's owner may not read, and may not create in `public`",
            Area::Pg,
            Folder,
            |world| Box::pin(powerless::rights_of_owners(world)),
        ),
        Row::new("P-role-full", "every connection of the role is taken", Area::Pg, Folder, |world| {
            Box::pin(words::role_full(world))
        }),
        Row::new("P-role-policy", "a role that a policy names is missing", Area::Pg, Folder, |world| {
            Box::pin(words::missing_in_policy(world))
        }),
        Row::new("P-no-admin", "neither `postgres` nor `template1` lets the role in", Area::Pg, Folder, |world| {
            Box::pin(words::no_database_to_start_from(world))
        })
        .own_server(),
    ]
}

/// What others have on the same server.
fn beside_others() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "P-search-path",
            "nothing that a database's owner puts on its search path is called",
            Area::Pg,
            Folder,
            |world| Box::pin(strange::search_path(world)),
        ),
        Row::new(
            "P-encodings",
            "names, comments and settings that were written in other encodings",
            Area::Pg,
            Folder,
            |world| Box::pin(strange::encodings(world)),
        )
        .own_server(),
        Row::new("P-role-set", "a role that becomes another as it logs in", Area::Pg, Folder, |world| {
            Box::pin(strange::becomes_another(world))
        }),
        Row::new("P-superusers", "extensions that only a superuser may create", Area::Pg, Folder, |world| {
            Box::pin(strange::of_superusers(world))
        }),
        Row::new("P-prepared", "a prepared transaction that has a table for itself", Area::Pg, Folder, |world| {
            Box::pin(strange::prepared(world))
        })
        .own_server(),
        Row::new("P-tablespaces", "a tablespace that the server lacks", Area::Pg, Folder, |world| {
            Box::pin(strange::tablespaces(world))
        })
        .own_server(),
    ]
}

/// On servers of other versions.
fn elsewhere() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("V-warnings", "`pg_restore` 14 hands on the server's warnings", Area::Versions, Folder, |world| {
            Box::pin(releases::warnings(world))
        }),
        Row::new(
            "V-newer-client",
            "what newer clients write comes back on the server it is of",
            Area::Versions,
            Folder,
            |world| Box::pin(releases::newer_clients(world)),
        ),
        Row::new(
            "V-attver",
            "what servers of November 2026 note in columns is in no dump",
            Area::Versions,
            Folder,
            |world| Box::pin(releases::notes_of_servers(world)),
        )
        .elective(),
        Row::new("V-not-enforced", "rows alone over a key that is not enforced", Area::Versions, Folder, |world| {
            Box::pin(releases::not_enforced(world))
        }),
        Row::new("V-login", "a login trigger, and PGOPTIONS against it", Area::Versions, Folder, |world| {
            Box::pin(releases::login_trigger(world))
        }),
        Row::new(
            "V-public",
            "PUBLIC loses CREATE on public from 14 to 16, and it is told",
            Area::Versions,
            Folder,
            |world| Box::pin(releases::public_schema(world)),
        ),
    ]
}
