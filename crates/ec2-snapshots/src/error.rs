//! Errors; callers decide by the variant.

use backup_core::failure::{Call, Failure, Operation, Remedy, Setting};
use backup_core::retention::RetentionError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};

use crate::freeze::FreezeError;
use crate::host::HostError;
use crate::model::{InvalidRegion, Region};
use crate::ports::{CallError, Fault};
use crate::sync::SyncError;

/// Result of everything here.
pub type Ec2Result<T> = Result<T, Ec2Error>;

/// A failed operation on snapshots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ec2Error {
    /// No region, or several, are meant by a name.
    #[error("{}", region_fault(given, candidates))]
    Region {
        /// What was given.
        given: String,
        /// What it could mean; empty if there is none.
        candidates: Vec<String>,
    },
    /// The credentials are not allowed to do something.
    #[error("{} is not allowed in {}: {source}", source.action, source.region)]
    Denied {
        /// What EC2 said.
        source: CallError,
    },
    /// EC2 does not accept the credentials, or there are none.
    #[error("{}", credentials_fault(source))]
    Credentials {
        /// What EC2 said.
        source: CallError,
    },
    /// EC2 cannot be reached, fails or is too busy.
    #[error("{} in {} failed: {source}", source.action, source.region)]
    Unreachable {
        /// What EC2 said, or what became of the connection.
        source: CallError,
    },
    /// The certificate of EC2, or of what answers in its place, cannot be verified: nothing was sent.
    #[error("the certificate of EC2 in {} cannot be verified: {source}", source.region)]
    Untrusted {
        /// What is wrong with it.
        source: CallError,
    },
    /// EC2 refused a request.
    #[error("{} in {} was refused: {source}", source.action, source.region)]
    Refused {
        /// What EC2 said.
        source: CallError,
    },
    /// Whether snapshots were begun is not known, and they cannot be looked for.
    #[error("{what}: whether snapshots were begun is not known")]
    Unknown {
        /// What was asked for.
        what: String,
        /// How to find out.
        help: String,
        /// What EC2 said, or what became of the connection.
        #[source]
        source: Box<CallError>,
    },
    /// There is no snapshot, set, instance or volume of that name.
    #[error("there is no {what} in {region}")]
    NotFound {
        /// What was looked for, such as "snapshot `snap-…`".
        what: String,
        /// Where.
        region: Region,
    },
    /// There is no snapshot, set, instance or volume of that name in several regions.
    #[error("there is no {what} in any of {regions} regions")]
    Nowhere {
        /// What was looked for.
        what: String,
        /// How many regions were looked at.
        regions: usize,
    },
    /// A tag that EC2 would not take.
    #[error("the tag `{name}` cannot be set: {what}; nothing was created")]
    Tag {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Snapshots that did not become complete.
    #[error("{what}")]
    Broken {
        /// Which, and what EC2 says of them.
        what: String,
    },
    /// Snapshots that are not complete yet.
    #[error("{what}")]
    NotFinished {
        /// Which, how far they are, and how long was waited.
        what: String,
    },
    /// An instance or volume for a while did not become what it had to be.
    #[error("{what}")]
    Machine {
        /// Which, and what is wrong.
        what: String,
    },
    /// The consistency that was asked for was not reached.
    #[error("{what}")]
    Consistency {
        /// What was reached, and why not more.
        what: String,
        /// What to do.
        help: String,
    },
    /// An image cannot be made of these snapshots.
    #[error("no image can be made: {what}; nothing was created")]
    Image {
        /// Why.
        what: String,
    },
    /// What a plan was made for is not there any more.
    #[error("the plan no longer fits: {what}; nothing was changed")]
    Changed {
        /// What has changed.
        what: String,
    },
    /// A file of descriptions or a plan that cannot be read.
    #[error("`{file}` cannot be read: {what}; nothing was changed")]
    Input {
        /// The file.
        file: String,
        /// What is wrong, and where.
        what: String,
    },
    /// A file on this machine that cannot be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The newest snapshots are too old.
    #[error("{what}")]
    Stale {
        /// Which.
        what: String,
    },
    /// A block or an answer of EBS that is not what it should be.
    #[error("{what}")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// A replica that is not what it is a replica of.
    #[error("{what}")]
    Differs {
        /// In which blocks.
        what: String,
    },
    /// A snapshot that was not exported to a location.
    #[error("there is no export `{what}` in `{location}`")]
    NoExport {
        /// The region and the snapshot.
        what: String,
        /// Where.
        location: String,
    },
    /// The location or a policy failed.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A freeze or thaw failed.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// A host does not do what is asked of it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A copy between hosts failed.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// An option that makes no sense.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do instead.
        help: Remedy,
    },
    /// The caller asked to stop.
    #[error("interrupted; what was begun goes on in EC2, and the next run finds it")]
    Interrupted,
}

impl Failure for Ec2Error {
    backup_core::failure_kinds! {
        [Core(CoreError), Freeze(FreezeError), Host(HostError), Sync(SyncError)]
        Region: "ec2::region", Usage, permanent, "no region, or several, are meant by a name",
            "write more of its name; `aws ec2 describe-regions` lists the regions of the account";
        Denied: "ec2::denied", Failed, permanent, "the credentials are not allowed to do something",
            "allow the action to whoever runs lastgood; the folder `examples/iam` of the crate has a policy for each command";
        Credentials: "ec2::credentials", Key, permanent, "EC2 does not accept the credentials, or there are none",
            ["set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in again. If other regions accept them, enable this \
              one for the account, have tokens made by an endpoint of STS in a region, or name the others with ", Setting::Region];
        Unreachable: "ec2::unreachable", Unreachable, passing, "EC2 cannot be reached, fails or is too busy",
            "run the same command again later; nothing is made twice";
        Untrusted: "ec2::untrusted", Unreachable, permanent, "the certificate of EC2, or of what answers in its place, cannot be verified",
            "nothing was sent. If your own authority signed it, such as that of a proxy, set AWS_CA_BUNDLE to that authority's certificate";
        Refused: "ec2::refused", Failed, permanent, "EC2 refused a request";
        Unknown: "ec2::unknown", Failed, permanent, "the answer to a request was lost, and whether it was carried out is not known",
            ["run ", Operation::ListSnapshots, " before you try again"];
        NotFound: "ec2::not_found", Failed, permanent, "there is no snapshot, set, instance or volume of that name",
            [Call::from(Operation::ListSnapshots).with(Setting::Region.with("all".to_owned())), " lists the snapshots of all regions"];
        Nowhere: "ec2::nowhere", Failed, permanent, "there is no snapshot, set, instance or volume of that name in any of several regions",
            ["check its ID; ", Call::from(Operation::ListSnapshots).with(Setting::Region.with("all".to_owned())), " lists snapshots and sets, `aws ec2 describe-instances` instances"];
        Tag: "ec2::tag", Usage, permanent, "EC2 would not take a tag: names have up to 128 characters, values up to 256, and a snapshot has up to 50 tags";
        Broken: "ec2::broken", Failed, permanent, "snapshots failed in EC2",
            [Operation::ShowSnapshots, " says why; ", Operation::CleanBroken, " deletes them"];
        NotFinished: "ec2::not_finished", Failed, passing, "snapshots are not complete yet",
            ["they go on in EC2; ", Operation::ListSnapshots, " shows how far they are"];
        Machine: "ec2::machine", Failed, passing, "a temporary instance or volume did not become ready, or could not be removed",
            "try again: what was left behind is removed then";
        Consistency: "ec2::consistency", Failed, permanent, "the consistency that was asked for was not reached";
        Image: "ec2::image", Failed, permanent, "no image can be made of these snapshots",
            [Operation::ShowSnapshots.on("SET"), " lists the snapshots of a set and their devices"];
        Changed: "ec2::changed", Failed, permanent, "what a plan was made for has changed since",
            ["make a new plan with ", Setting::PlanOut, " and look at it"];
        Input: "ec2::input", Failed, permanent, "a file of descriptions or a plan cannot be read",
            ["descriptions are what `aws ec2 describe-snapshots` prints as JSON; plans are written with ", Setting::PlanOut];
        Io: "ec2::io", Failed, permanent, "a file on this machine cannot be read or written";
        Stale: "ec2::stale", Stale, permanent, "the newest snapshot of a volume is older than it may be",
            [Operation::Snapshot, " makes new ones; ", Operation::ListSnapshots, " shows what became of the last"];
        Damaged: "ec2::damaged", Integrity, permanent, "a block of a snapshot is not what EBS says it is",
            "run it again; if it stays so, the snapshot is damaged and another one is to be used";
        Differs: "ec2::differs", Integrity, permanent, "a replica differs from the snapshot it is a replica of",
            "make another replica, and delete this one when that one is verified";
        NoExport: "ec2::no_export", Failed, permanent, "a snapshot was not exported to the location",
            "export it first, or name one that is";
        Usage: "ec2::usage", Usage, permanent, "an option cannot be used";
        Interrupted: "ec2::interrupted", Interrupted, permanent, "the run was interrupted";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Core(error) => error.remedy(),
            Self::Freeze(error) => error.remedy(),
            Self::Host(error) => error.remedy(),
            Self::Sync(error) => error.remedy(),
            Self::Usage { help, .. } => Some(help.clone()),
            Self::Unknown { help, .. } | Self::Consistency { help, .. } => Some(help.clone().into()),
            Self::Denied { source } => Some(
                format!(
                    "allow `{}` to whoever runs lastgood; the folder `examples/iam` of the crate has a policy for each command",
                    source.action
                )
                .into(),
            ),
            Self::Refused { source } => refused_help(&source.code).map(Into::into),
            _ => self.kind().remedy(),
        }
    }
}

impl Ec2Error {
    /// There is no `what` in `regions`, all of which were looked at.
    pub(crate) fn not_found(what: String, regions: &[Region]) -> Self {
        match regions {
            [region] => Self::NotFound { what, region: region.clone() },
            several => Self::Nowhere { what, regions: several.len() },
        }
    }
}

impl From<CallError> for Ec2Error {
    fn from(source: CallError) -> Self {
        match source.fault {
            Fault::Denied => Self::Denied { source },
            Fault::Unauthenticated | Fault::NoCredentials => Self::Credentials { source },
            Fault::Throttled | Fault::Failing | Fault::NoAnswer => Self::Unreachable { source },
            Fault::Untrusted => Self::Untrusted { source },
            Fault::Missing | Fault::Refused => Self::Refused { source },
        }
    }
}

impl From<InvalidRegion> for Ec2Error {
    fn from(InvalidRegion { given }: InvalidRegion) -> Self {
        Self::Region { given, candidates: Vec::new() }
    }
}

impl From<StoreError> for Ec2Error {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for Ec2Error {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}

impl From<RetentionError> for Ec2Error {
    fn from(error: RetentionError) -> Self {
        Self::Core(error.into())
    }
}

impl From<Cancelled> for Ec2Error {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl Ec2Error {
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<Remedy>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }

    pub(crate) fn input(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Input { file: file.into(), what: what.into() }
    }
}

fn region_fault(given: &str, candidates: &[String]) -> String {
    match candidates {
        _ if given.is_empty() => "the name of a region is empty".to_owned(),
        [] => format!("no region is called `{given}` or begins so"),
        several => format!("several regions begin with `{given}`: {}", several.join(", ")),
    }
}

/// What to do about what EC2 refuses and only its code tells apart.
fn refused_help(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidAMIName.Duplicate" => {
            "nothing was created. Give the image another name, or use the image that is there"
        }
        "InvalidAMIName.Malformed" => "nothing was created. Give the image another name",
        "SnapshotLimitExceeded" => "delete snapshots that are no longer needed, or ask AWS for a higher quota",
        "InvalidRegion" => "set AWS_REGION to a region of the account; `aws ec2 describe-regions` lists them",
        _ => return None,
    })
}

fn credentials_fault(source: &CallError) -> String {
    match source.fault {
        Fault::NoCredentials => format!("no credentials for EC2 were found: {source}"),
        _ => format!("EC2 in {} does not accept the credentials: {source}", source.region),
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(Ec2Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_names_the_action_and_a_lost_answer_may_pass() {
        let call = |fault| CallError {
            action: "ec2:CreateSnapshots",
            region: "eu-west-1".parse().unwrap(),
            fault,
            code: "UnauthorizedOperation".to_owned(),
            message: String::new(),
        };
        let denied = Ec2Error::from(call(Fault::Denied));
        assert!(
            denied.is_permanent() && denied.remedy().unwrap().to_string().contains("ec2:CreateSnapshots"),
            "{denied}"
        );
        assert!(!Ec2Error::from(call(Fault::NoAnswer)).is_permanent());
    }
}
