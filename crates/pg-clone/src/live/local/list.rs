//! Every database of a server, and what each is for.

use jiff::Timestamp;
use serde::Serialize;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql::databases;
use crate::error::PgResult;
use crate::live::local::copies::since;
use crate::live::recover;
use crate::live::state::{Found, State};

/// What a database is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is in use under its own name.
    Live,
    /// What a reversible restore replaced.
    Previous,
    /// What a reversible restore restored, as it was then.
    Current,
    /// A local copy.
    Copy,
    /// A copy whose restore failed, kept on request.
    Kept,
    /// Being built, or left by a run that was killed.
    Temporary,
}

/// A database of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LocalDatabase {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The database it is a copy of, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The dump it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<String>,
    /// Since when it has been what it is; unknown for a live database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether the database it was made from has been replaced since, or is gone: it is older than its source.
    pub outdated: bool,
    /// Its size, if we may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Clients connected to it.
    pub sessions: u64,
    /// Whether it accepts connections.
    pub allow_connections: bool,
    /// Whether a `DROP DATABASE` of it was interrupted: then it can be dropped, and nothing else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
    #[serde(skip)]
    pub(crate) found: Found,
}

impl LocalDatabase {
    /// Whose lock it is under: a copy that a restore made is its target's, any other its own.
    pub(crate) fn lock_name(&self) -> &str {
        match &self.found.state {
            Some(State::Copy { .. }) | None => &self.name,
            Some(state) => state.target(),
        }
    }
}

/// The databases of `server` by name, without its templates.
///
/// # Errors
/// Connection errors.
pub async fn list(server: &Server) -> PgResult<Vec<LocalDatabase>> {
    among(&server.connect_admin().await?).await
}

pub(crate) async fn among(admin: &Session) -> PgResult<Vec<LocalDatabase>> {
    let found = recover::look(admin).await?;
    let usages = databases::usages(admin).await?;
    let listed = usages.iter().filter_map(|usage| {
        let this = found.iter().find(|found| found.oid == usage.oid)?;
        Some(LocalDatabase { bytes: usage.bytes, sessions: usage.sessions, ..described(this, &found) })
    });
    Ok(listed.collect())
}

/// What `this`, one of `databases`, is by its mark.
fn described(this: &Found, databases: &[Found]) -> LocalDatabase {
    // Under the name that its mark is about it is the live database, whatever the mark says.
    let state = this.state.as_ref().filter(|state| state.target() != this.name);
    let oid = |name: &str| databases.iter().find(|found| found.name == name).map(|found| found.oid);
    let (role, dump, outdated) = match state {
        None => (Role::Live, None, false),
        Some(State::Previous { .. } | State::Returning { .. }) => (Role::Previous, None, false),
        Some(State::Current { target, dump, live, .. }) => {
            (Role::Current, Some(dump.clone()), oid(target) != Some(*live))
        }
        Some(State::Copy { source, source_oid, .. }) => (Role::Copy, None, oid(source) != Some(*source_oid)),
        Some(State::Kept { dump, .. }) => (Role::Kept, Some(dump.clone()), false),
        Some(State::Restoring { dump, .. }) => (Role::Temporary, Some(dump.clone()), false),
        Some(State::Swapping { .. } | State::Superseded { .. } | State::Discarded { .. }) => {
            (Role::Temporary, None, false)
        }
    };
    LocalDatabase {
        name: this.name.clone(),
        role,
        of: state.map(|state| state.target().to_owned()),
        dump,
        since: state.and_then(since),
        outdated,
        bytes: None,
        sessions: 0,
        allow_connections: this.allow_connections,
        invalid: this.is_invalid,
        found: this.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(oid: u32, name: &str, state: Option<State>) -> Found {
        Found { oid, name: name.into(), allow_connections: true, is_invalid: false, state }
    }

    #[test]
    fn a_copy_whose_source_was_replaced_since_is_outdated() {
        let copy =
            |source_oid| State::Copy { source: "shop".into(), source_oid, comment: None, since: Timestamp::UNIX_EPOCH };
        let live = found(7, "shop", None);
        for (oid, outdated) in [(7, false), (5, true)] {
            let copy = found(9, "shop_test", Some(copy(oid)));
            let listed = described(&copy, &[live.clone(), copy.clone()]);
            assert_eq!((listed.role, listed.outdated, listed.of.as_deref()), (Role::Copy, outdated, Some("shop")));
        }
    }

    #[test]
    fn under_its_targets_name_a_database_is_live() {
        let state = State::Previous { target: "shop".into(), comment: None, since: Timestamp::UNIX_EPOCH };
        let live = found(7, "shop", Some(state));
        assert_eq!(described(&live, std::slice::from_ref(&live)).role, Role::Live);
    }
}
