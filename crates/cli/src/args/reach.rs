//! What a `--help` page ends with, as data.

use crate::exit::Exit;

/// Examples and exit codes of one command.
#[derive(Debug)]
pub(crate) struct Footer {
    /// The command as it is typed, without `lastgood`; empty for the program itself.
    pub(crate) path: &'static str,
    /// Command lines and what each does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// What the command reaches, and so what can go wrong with it.
    pub(crate) reach: Reach,
    /// Codes it ends with beyond those.
    pub(crate) more: &'static [Exit],
}

/// What a command talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A group: it ends as its commands do.
    Group,
    /// Files of this machine at most.
    Nothing,
    /// A location, and perhaps a server.
    Location,
    /// A server without a location.
    Server,
}

impl Reach {
    pub(crate) fn exits(self) -> &'static [Exit] {
        match self {
            Self::Group => &[],
            Self::Nothing => &[Exit::Ok, Exit::Failed, Exit::Usage],
            Self::Location => &[
                Exit::Ok,
                Exit::Failed,
                Exit::Usage,
                Exit::NoLocation,
                Exit::Key,
                Exit::Integrity,
                Exit::NewerFormat,
                Exit::Unreachable,
                Exit::Interrupted,
                Exit::Terminated,
            ],
            Self::Server => {
                &[Exit::Ok, Exit::Failed, Exit::Usage, Exit::Unreachable, Exit::Interrupted, Exit::Terminated]
            }
        }
    }
}

/// One of them, on one line of the table.
pub(crate) const fn footer(
    path: &'static str,
    reach: Reach,
    more: &'static [Exit],
    examples: &'static [(&'static str, &'static str)],
) -> Footer {
    Footer { path, examples, reach, more }
}
