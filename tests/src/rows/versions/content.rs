//! A database with something of everything that a server's version knows.

use std::path::Path;

use crate::harness::{RowResult, World};

/// A file for each version, of what is new in it.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/versions");

/// The first version that has a file.
const OLDEST: u32 = 12;

/// Roles that own or may read what the files create. They are the server's, and in no dump.
const ROLES: [&str; 2] = ["versions_owner", "versions_reader"];

/// What belongs to the database itself.
const SETTINGS: &str = "ALTER DATABASE \"{}\" SET work_mem = '7MB'; ALTER ROLE versions_reader IN DATABASE \"{}\" SET statement_timeout = '3s'; \
    ALTER DATABASE \"{}\" CONNECTION LIMIT 17; ALTER DATABASE \"{}\" OWNER TO versions_owner; \
    GRANT CONNECT ON DATABASE \"{}\" TO versions_reader WITH GRANT OPTION; COMMENT ON DATABASE \"{}\" IS 'the shop''s'";

/// Changes rows and a sequence, and no definition.
pub(super) const CHANGE: &str = "UPDATE app.everything SET n = 0 WHERE id > 500; DELETE FROM app.everything WHERE id < 100; SELECT nextval('app.down')";

/// Creates the roles.
pub(super) fn roles(world: &World) -> RowResult {
    for role in ROLES {
        world.psql("postgres", &format!("CREATE ROLE {role}"))?;
    }
    Ok(())
}

/// Creates the sample database `base` with everything that a server of this major version can hold, and settings of its own.
pub(super) fn create(world: &World, base: &str, major: u32) -> RowResult<String> {
    let name = world.sample(base)?;
    for version in OLDEST..=major {
        let file = Path::new(FILES).join(format!("{version}.sql"));
        if file.exists() {
            world.cluster().psql_file(&name, &file)?;
        }
    }
    settings(world, &name)?;
    Ok(name)
}

/// Gives a database its settings.
pub(super) fn settings(world: &World, name: &str) -> RowResult {
    world.psql("postgres", &SETTINGS.replace("{}", name))?;
    Ok(())
}
