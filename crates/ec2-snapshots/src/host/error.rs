//! Why programs cannot be run on a host; callers decide by the variant.

use backup_core::failure::{Failure, Setting};

/// A host that does not do what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// What was typed names no host.
    #[error("`{given}` is no host")]
    Name {
        /// What was typed, readable.
        given: String,
    },
    /// The host cannot be reached, or speaks another language.
    #[error("cannot run commands on {host}: {said}")]
    Unreachable {
        /// The host.
        host: String,
        /// What was said last.
        said: String,
    },
    /// Our commands have to be root's.
    #[error("{host} runs our commands as another user than root; nothing was changed there")]
    NotRoot {
        /// The host.
        host: String,
    },
    /// A program is missing on the host.
    #[error("`{tool}` is missing on {host}; nothing was changed there")]
    Tool {
        /// The host.
        host: String,
        /// The program.
        tool: String,
    },
}

impl Failure for HostError {
    backup_core::failure_kinds! {
        []
        Name: "host::name", Usage, permanent, "what was typed names no host",
            "use `local`, the id of an instance, or `user@host` as `ssh` takes it";
        Unreachable: "host::unreachable", Unreachable, passing, "a host cannot be reached or does not run our commands",
            "run `ssh HOST true` by hand, or `aws ssm describe-instance-information` for Systems Manager";
        NotRoot: "host::not_root", Failed, permanent, "a host does not run our commands as root",
            ["log in as root, or let the user run `sudo -n sh` and add ", Setting::Sudo];
        Tool: "host::tool_missing", Tool, permanent, "a program is missing on a host",
            "install util-linux and coreutils there, and rsync for `sync-mount`";
    }
}
