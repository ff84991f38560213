//! The state that lastgood writes into comments of databases, so that the next run can recover a killed one.

use std::collections::BTreeSet;

use backup_core::digest::Sha256Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How our comments begin; what else a comment says is not ours.
pub const COMMENT_PREFIX: &str = "{\"lastgood\":";

/// Beginning of the names of databases that are ours.
pub const NAME_PREFIX: &str = "lastgood_";

/// What a database is to us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// A copy being built, or left half-built by a killed run.
    Restoring {
        /// The database it will replace.
        target: String,
        /// The dump it is built from.
        dump: String,
        /// When.
        since: Timestamp,
    },
    /// A copy whose restore failed, kept on request.
    Kept {
        /// The database it was to replace.
        target: String,
        /// The dump it was built from.
        dump: String,
        /// When.
        since: Timestamp,
    },
    /// A complete copy that is about to take its target's name.
    Swapping {
        /// The database it will replace.
        target: String,
        /// The database of that name, if there is one.
        live: Option<Live>,
        /// Earlier copies of the target that give way in the same switch.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<Live>,
        /// When.
        since: Timestamp,
    },
    /// A database that was replaced and is to be dropped.
    Superseded {
        /// The name it had.
        target: String,
        /// Oid of the database that replaced it.
        by: u32,
        /// Its own comment.
        comment: Option<String>,
        /// When.
        since: Timestamp,
    },
    /// A database that a reversible restore replaced: `:previous`.
    Previous {
        /// The name it had.
        target: String,
        /// Its own comment.
        comment: Option<String>,
        /// When it was replaced.
        since: Timestamp,
    },
    /// The `:previous` database on its way back to its name.
    Returning {
        /// The name it had, and will have again.
        target: String,
        /// The database of that name, if there is one.
        live: Option<Live>,
        /// Whether it accepted connections itself.
        allow_connections: bool,
        /// Its own comment.
        comment: Option<String>,
        /// When it was replaced.
        replaced: Timestamp,
        /// When it began to return.
        since: Timestamp,
    },
    /// The database just as a reversible restore restored it: `:current`.
    Current {
        /// The database that was restored.
        target: String,
        /// The dump it was restored from.
        dump: String,
        /// Oid of the database that went live with it.
        live: u32,
        /// Oid of the database that was replaced and kept then: `:previous`, until they exchange their names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<u32>,
        /// When.
        since: Timestamp,
    },
    /// A local copy that somebody asked for.
    Copy {
        /// What it is a copy of.
        source: String,
        /// Its oid then.
        source_oid: u32,
        /// The copy's own comment.
        comment: Option<String>,
        /// When.
        since: Timestamp,
    },
    /// A `:previous` or `:current` of before that a restore made void, and that is to be dropped.
    Discarded {
        /// Whose it was.
        target: String,
        /// Oid of the database that was restored.
        by: u32,
        /// When.
        since: Timestamp,
    },
}

/// A live database before its swap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Live {
    /// Its oid.
    pub oid: u32,
    /// Whether it accepted connections.
    pub allow_connections: bool,
}

/// The database that a comment is written on: a copy of the comment on another one, or on another server, says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Written {
    /// Its oid.
    pub oid: u32,
    /// The server's system identifier, if it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<i64>,
}

impl Written {
    /// The database of that oid, on the server of that system identifier.
    #[must_use]
    pub fn on(oid: u32, system: Option<i64>) -> Self {
        Self { oid, system }
    }
}

#[derive(Serialize, Deserialize)]
struct Comment {
    lastgood: State,
    /// Not in comments of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Written>,
}

impl State {
    /// The comment that says this of one database.
    #[must_use]
    pub fn to_comment(&self, on: Written) -> String {
        serde_json::to_string(&Comment { lastgood: self.clone(), on: Some(on) }).unwrap_or_default()
    }

    /// What `comment` says, if it has the form of ours. Anybody may have written it.
    #[must_use]
    pub fn from_comment(comment: &str) -> Option<Self> {
        Self::claimed(comment).map(|(state, _)| state)
    }

    /// [`State::from_comment`], with the database that it says it was written on.
    pub(crate) fn claimed(comment: &str) -> Option<(Self, Option<Written>)> {
        let comment = serde_json::from_str::<Comment>(comment).ok()?;
        Some((comment.lastgood, comment.on))
    }

    /// The database whose name this is about.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Restoring { target, .. }
            | Self::Kept { target, .. }
            | Self::Swapping { target, .. }
            | Self::Superseded { target, .. }
            | Self::Previous { target, .. }
            | Self::Returning { target, .. }
            | Self::Current { target, .. }
            | Self::Discarded { target, .. } => target,
            Self::Copy { source, .. } => source,
        }
    }

    /// Whether there is nothing to finish or undo.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Previous { .. } | Self::Current { .. } | Self::Copy { .. })
    }

    /// The comment that its owner gave the database, which ours stands in place of.
    #[must_use]
    pub fn own_comment(self) -> Option<String> {
        match self {
            Self::Superseded { comment, .. }
            | Self::Previous { comment, .. }
            | Self::Returning { comment, .. }
            | Self::Copy { comment, .. } => comment,
            _ => None,
        }
    }
}

/// How many marks within each other are looked through for what an owner said.
const MARKS_WITHIN_MAX: usize = 8;

/// What its owner said of a database: a mark of ours is no property of what it holds, and would make a restored copy pass
/// for another. What begins as one is never given to a database as its own.
pub(crate) fn own_comment(comment: Option<String>) -> Option<String> {
    let mut comment = comment?;
    for _ in 0..MARKS_WITHIN_MAX {
        if !comment.starts_with(COMMENT_PREFIX) {
            return Some(comment);
        }
        comment = State::from_comment(&comment)?.own_comment()?;
    }
    None
}

/// A number for a target's name: for its advisory lock, and eight digits of the names of its temporary databases.
#[must_use]
pub fn target_number(target: &str) -> u32 {
    let digest = Sha256Digest::of(target.as_bytes());
    digest.as_bytes().iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A new name for a temporary database of `target`: 26 bytes, whatever the target's length.
#[must_use]
pub fn temporary_name(target: &str) -> String {
    // The last bits of a UUIDv7 are random; its first ones are the time, and equal in two quick runs.
    let unique = Uuid::now_v7().as_u128() & 0xffff_ffff;
    format!("{NAME_PREFIX}{:08x}_{unique:08x}", target_number(target))
}

/// The target's number in a name of [`temporary_name`]'s form.
#[must_use]
pub fn number_in_name(name: &str) -> Option<u32> {
    let (number, unique) = name.strip_prefix(NAME_PREFIX)?.split_once('_')?;
    let hexadecimal = |text: &str| text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hexadecimal(number) && hexadecimal(unique)).then(|| u32::from_str_radix(number, 16).ok())?
}

/// A database as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its oid.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Whether it accepts connections.
    pub allow_connections: bool,
    /// Whether dropping it was begun and not ended: then it can be dropped, and nothing else.
    pub is_invalid: bool,
    /// What its comment says it is to us, if that is believed.
    pub state: Option<State>,
}

/// What recovery does, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Let clients in again: a swap was killed between closing the door and the switch.
    AllowConnections {
        /// The live database.
        database: String,
    },
    /// Give a replaced database its name back: nothing else has it. The server's transactions make this impossible;
    /// somebody dropped the new one by hand.
    RenameBack {
        /// Its name now.
        database: String,
        /// The name it had.
        target: String,
        /// Its own comment.
        comment: Option<String>,
    },
    /// Drop a copy that never went live.
    DropCopy {
        /// The copy.
        database: String,
        /// Whom it was for.
        target: String,
    },
    /// Drop a database that was replaced.
    DropSuperseded {
        /// Its name now.
        database: String,
        /// The name it had.
        target: String,
    },
    /// Drop a `:previous` or `:current` that a later restore made void.
    DropDiscarded {
        /// Its name now.
        database: String,
        /// Whose it was.
        target: String,
    },
    /// Let a `:previous` whose return was killed be that again.
    StayPrevious {
        /// Its name.
        database: String,
        /// The name it did not get back.
        target: String,
        /// Its own comment.
        comment: Option<String>,
        /// When it was replaced.
        replaced: Timestamp,
    },
    /// Drop a database of one of our names that says nothing, and holds nothing or is a copy made by us: killed between
    /// creation and comment.
    DropUnmarked {
        /// Its name.
        database: String,
    },
    /// A database of ours whose drop was begun and not ended: only mentioned. Nobody can use it; dropping it is somebody's
    /// decision all the same.
    MentionInvalid {
        /// The database.
        database: String,
        /// Whose it was.
        target: String,
    },
    /// A copy kept on request: only mentioned.
    Mention {
        /// The copy.
        database: String,
        /// Whom it was for.
        target: String,
    },
}

/// What to do about the databases of one target, given all databases of the server. Pure; the caller holds the target's
/// lock, so nothing found is still being worked on.
#[must_use]
pub fn decide(databases: &[Found], number: u32) -> Vec<Action> {
    let ours = |found: &&Found| match &found.state {
        Some(state) => target_number(state.target()) == number,
        None => number_in_name(&found.name) == Some(number),
    };
    let mut actions = Vec::new();
    let mut opened = BTreeSet::new();
    for found in databases.iter().filter(ours) {
        let database = found.name.clone();
        let live = |target: &str| databases.iter().find(|other| other.name == *target && other.oid != found.oid);
        match &found.state {
            // Under its target's name it is the live database, whatever its comment says.
            Some(state) if state.target() == found.name => {}
            // Renamed by hand, or a comment that was copied: whoever did that wants it.
            Some(State::Restoring { target, .. } | State::Superseded { target, .. })
                if number_in_name(&found.name) != Some(number) =>
            {
                actions.push(Action::Mention { database, target: target.clone() });
            }
            // What recovery drops by itself can be dropped. Nothing else can be done with it.
            Some(state) if found.is_invalid && !is_doomed(state) => {
                actions.push(Action::MentionInvalid { database, target: state.target().to_owned() });
            }
            Some(State::Superseded { target, .. }) if found.is_invalid => {
                actions.push(Action::DropSuperseded { database, target: target.clone() });
            }
            Some(State::Kept { target, .. }) => actions.push(Action::Mention { database, target: target.clone() }),
            Some(State::Restoring { target, .. }) => {
                actions.push(Action::DropCopy { database, target: target.clone() });
            }
            Some(State::Previous { .. } | State::Current { .. } | State::Copy { .. }) => {}
            Some(State::Swapping { target, live: before, also, .. }) => {
                actions.extend(reopen(databases, target, before.as_ref(), also, &mut opened));
                actions.push(if number_in_name(&found.name) == Some(number) {
                    Action::DropCopy { database, target: target.clone() }
                } else {
                    Action::Mention { database, target: target.clone() }
                });
            }
            Some(State::Superseded { target, by, comment, .. }) => match live(target) {
                Some(now) if now.oid == *by => {
                    actions.push(Action::DropSuperseded { database, target: target.clone() });
                }
                // Replaced again since: a later restore succeeded.
                Some(_) => actions.push(Action::Mention { database, target: target.clone() }),
                None => actions.push(Action::RenameBack { database, target: target.clone(), comment: comment.clone() }),
            },
            Some(State::Returning { target, live: before, allow_connections, comment, replaced, .. }) => {
                let itself = Live { oid: found.oid, allow_connections: *allow_connections };
                actions.extend(reopen(databases, target, before.as_ref(), &[itself], &mut opened));
                let (target, comment) = (target.clone(), comment.clone());
                actions.push(Action::StayPrevious { database, target, comment, replaced: *replaced });
            }
            Some(State::Discarded { target, by, .. }) => {
                let is_ours = number_in_name(&found.name) == Some(number);
                actions.push(match live(target) {
                    Some(now) if is_ours && now.oid == *by => {
                        Action::DropDiscarded { database, target: target.clone() }
                    }
                    // Perhaps the last that is left of it.
                    _ => Action::Mention { database, target: target.clone() },
                });
            }
            None => actions.push(Action::DropUnmarked { database }),
        }
    }
    actions
}

/// Whether a killed run would have dropped it, or has no use for it.
fn is_doomed(state: &State) -> bool {
    matches!(
        state,
        State::Restoring { .. } | State::Swapping { .. } | State::Superseded { .. } | State::Discarded { .. }
    )
}

/// Lets clients into the databases whose doors a killed swap closed: the live one, and copies of its own.
fn reopen(
    databases: &[Found],
    target: &str,
    live: Option<&Live>,
    also: &[Live],
    opened: &mut BTreeSet<u32>,
) -> Vec<Action> {
    let belongs = |now: &Found, before: &Live| {
        let is_copy = now.state.as_ref().is_some_and(|state| state.target() == target);
        now.oid == before.oid && (now.name == target || is_copy)
    };
    let closed = live.into_iter().chain(also).filter(|before| before.allow_connections).filter_map(|before| {
        databases.iter().find(|now| belongs(now, before) && !now.allow_connections && opened.insert(now.oid))
    });
    closed.map(|now| Action::AllowConnections { database: now.name.clone() }).collect()
}

#[cfg(test)]
mod tests;
