//! Errors; callers decide by the variant.

use std::path::Path;

use backup_core::error::Cause;
use backup_core::failure::{Failure, Operation, Remedy, Setting};
use backup_core::lease::LeaseError;
use backup_core::run::Cancelled;
use backup_core::{CoreError, FormatError, StoreError};

/// Result of everything here.
pub type GlacierResult<T> = Result<T, GlacierError>;

/// A failed backup, retrieval or restore of archived files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GlacierError {
    /// A file or folder of this machine cannot be read or written.
    #[error("cannot {action} `{path}`")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The catalogue cannot be used.
    #[error("cannot {action} the catalogue `{path}`")]
    Catalogue {
        /// What was tried.
        action: &'static str,
        /// The database.
        path: String,
        /// What SQLite said.
        #[source]
        source: Cause,
    },
    /// The catalogue is no database any more.
    #[error("the catalogue `{path}` is damaged")]
    DamagedCatalogue {
        /// The database.
        path: String,
        /// What SQLite said.
        #[source]
        source: Cause,
    },
    /// Another program has the catalogue open for itself.
    #[error("another program has the catalogue `{path}` open for itself; nothing was changed")]
    CatalogueInUse {
        /// The database.
        path: String,
    },
    /// The disk that the catalogue is on is full.
    #[error("there is no room for the catalogue `{path}`")]
    NoRoom {
        /// The database.
        path: String,
        /// What SQLite said.
        #[source]
        source: Cause,
    },
    /// A catalogue that a newer version wrote.
    #[error("the catalogue `{path}` has format {found}, but this version supports formats up to {supported}")]
    NewerCatalogue {
        /// The database.
        path: String,
        /// Its format.
        found: i64,
        /// The newest format this version reads.
        supported: i64,
    },
    /// Another process works with the same catalogue.
    #[error("another process is using `{folder}`; nothing was changed")]
    Held {
        /// The folder of the catalogue.
        folder: String,
    },
    /// There is no such backup.
    #[error("there is no backup `{which}` in `{location}`")]
    NoBackup {
        /// Which was wanted.
        which: String,
        /// Where.
        location: String,
    },
    /// A newer backup than the newest that can be read is there, and cannot be read now.
    #[error("{what}; {}", readable(older.as_deref()))]
    NewerUnreadable {
        /// Why it cannot be read.
        what: String,
        /// The key of the newest that can be; absent if none can.
        older: Option<String>,
    },
    /// The folder has nothing to back up.
    #[error("`{folder}` has no files; nothing was published")]
    Nothing {
        /// The folder.
        folder: String,
    },
    /// What was read is not what was archived.
    #[error("`{what}` is damaged: {why}")]
    Damaged {
        /// The archive or the file in it.
        what: String,
        /// What differs.
        why: String,
    },
    /// The service has other bytes than were sent.
    #[error("the service has other bytes of {what} than were sent; nothing was published")]
    Altered {
        /// Which part of what.
        what: String,
    },
    /// A tier that one of the archives does not have.
    #[error("{what}; nothing was requested")]
    NoSuchTier {
        /// Which tier and class.
        what: String,
    },
    /// No tier keeps what the user allows.
    #[error("{what}; nothing was requested")]
    OverLimit {
        /// What would be needed, and what is allowed.
        what: String,
    },
    /// The service has no capacity for the tier now, or a policy of the account forbids the retrieval.
    #[error("`{key}` was not retrieved: {why}")]
    NoCapacity {
        /// The archive.
        key: String,
        /// What the service says.
        why: String,
    },
    /// AWS makes no vaults for this account.
    #[error("this account has no vault `{vault}` in this region, and AWS takes no new customers for vaults")]
    NoVaults {
        /// The vault.
        vault: String,
    },
    /// The service has made no inventory of the vault yet.
    #[error("there is no inventory of the vault `{vault}` yet: the service makes one a day")]
    NoInventory {
        /// The vault.
        vault: String,
    },
    /// A retrieved copy expired before it was read.
    #[error("the retrieved copy of `{key}` has expired")]
    Expired {
        /// The archive.
        key: String,
    },
    /// Not everything that is needed is there yet.
    #[error("{what}")]
    NotReady {
        /// What is missing, and when it is expected.
        what: String,
        /// What to do.
        help: String,
    },
    /// Another machine changes the same backups, or has taken over.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Archives that the backup would name are being deleted, or are gone.
    #[error("archives that this backup would name were deleted meanwhile; nothing was published")]
    Pruned,
    /// The location failed.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The price book cannot be used.
    #[error("the price book cannot be used: {what}")]
    Prices {
        /// What is wrong, with the line.
        what: String,
    },
    /// An option or name that cannot be used.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to give instead.
        help: Remedy,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A bug of ours: the work panicked, or something that cannot be happened.
    #[error("the work failed unexpectedly: {what}")]
    Internal {
        /// What it was.
        what: String,
    },
}

impl Failure for GlacierError {
    backup_core::failure_kinds! {
        [Core(CoreError), Lease(LeaseError)]
        Folder: "glacier::folder", Failed, permanent, "a file or folder of this machine cannot be read or written";
        Catalogue: "glacier::catalogue", Failed, permanent, "the catalogue cannot be read or written",
            ["nothing that was paid for is lost: ", Operation::WatchRetrievals, " asks the service what it has"];
        DamagedCatalogue: "glacier::damaged_catalogue", Failed, permanent, "the catalogue is damaged",
            ["move the file away, with those whose names begin alike; then ", Operation::RebuildCatalogue,
                " reads it from the backups, and the service knows retrievals"];
        CatalogueInUse: "glacier::catalogue_in_use", Held, passing, "another program has the catalogue open for itself",
            "close it there, then run the same command again";
        NoRoom: "glacier::no_room", Failed, permanent, "the disk that the catalogue is on is full",
            ["nothing was changed. Free up some space there, or copy the catalogue's folder to another disk and name that with ", Setting::State];
        NewerCatalogue: "glacier::newer_catalogue", NewerFormat, permanent, "a newer version wrote the catalogue",
            ["upgrade lastgood, or use another folder with ", Setting::State, "; nothing was changed"];
        Held: "glacier::held", Held, permanent, "another process is using the same catalogue",
            "wait for it to end, then run the same command again";
        NoBackup: "glacier::no_backup", Failed, permanent, "there is no such backup",
            ["run ", Operation::ListArchived, " to list backups"];
        NewerUnreadable: "glacier::newer_unreadable", Confirmation, permanent,
            "a newer backup than the newest that can be read is there and cannot be read now",
            ["nothing was changed. Make it readable, or take the older one with ", Setting::AllowOlder, " or by its key"];
        Nothing: "glacier::nothing", Confirmation, permanent, "the files folder has nothing to back up",
            ["check that this is the right folder; if it is meant to be empty, use ", Setting::AllowEmpty];
        Damaged: "glacier::damaged", Integrity, permanent, "what was read is not what was archived",
            ["no file was changed. Run ", Operation::FetchArchived, " again; if it fails again, restore the file from another backup"];
        Altered: "glacier::altered", Integrity, passing, "an upload arrived as something else than was sent",
            "run the same command again; if it happens again, check this machine's memory and network";
        NoSuchTier: "glacier::no_such_tier", Usage, permanent, "an archive's class does not have the tier that was asked for",
            ["use ", Setting::Tier.with("standard".to_owned()), " or ", Setting::Tier.with("bulk".to_owned())];
        OverLimit: "glacier::over_limit", Failed, permanent, "no tier keeps the deadline and the price that were given",
            ["run ", Operation::PlanRetrieval, " to see every tier with its hours and price"];
        NoCapacity: "glacier::no_capacity", Unreachable, permanent,
            "the service has no capacity for the tier now, or a policy of the account forbids the retrieval",
            ["nothing was paid. Use a slower tier with ", Setting::Tier.with("standard".to_owned()), ", or try again later"];
        NoVaults: "glacier::no_vaults", Failed, permanent, "AWS makes no vaults for this account",
            "archive to a bucket, in the class GLACIER or DEEP_ARCHIVE; if the account has vaults, check the name and the region";
        NoInventory: "glacier::no_inventory", Failed, passing, "the service has made no inventory of the vault yet",
            "run the same command again tomorrow";
        Expired: "glacier::expired", Failed, permanent, "a retrieved copy expired before it was read",
            [Operation::PlanRetrieval, " shows what another retrieval costs"];
        NotReady: "glacier::not_ready", Partial, passing, "not everything that is needed is there yet";
        Pruned: "glacier::pruned", Held, passing, "archives that a backup would name were deleted meanwhile",
            ["run the same command again. If it fails again, a deletion was interrupted: ", Operation::PruneArchived, " ends it"];
        Prices: "glacier::prices", Usage, permanent, "the price book cannot be used",
            "give one with all classes and tiers, as FORMAT.md describes";
        Usage: "glacier::usage", Usage, permanent, "an option or name cannot be used";
        Interrupted: "glacier::interrupted", Interrupted, permanent, "the run was interrupted",
            "run the same command again: what is done is not done twice";
        Internal: "glacier::internal", Failed, permanent, "a bug of lastgood", "please report this";
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Core(error) => error.remedy(),
            Self::Lease(error) => error.remedy(),
            Self::Usage { help, .. } => Some(help.clone()),
            Self::NotReady { help, .. } => Some(help.clone().into()),
            _ => self.kind().remedy(),
        }
    }
}

#[cfg(feature = "diagnostics")]
backup_core::diagnostic!(GlacierError);

/// What can be read instead.
fn readable(older: Option<&str>) -> String {
    match older {
        Some(older) => format!("the newest backup that can be read is `{older}`"),
        None => "no other backup can be read either".to_owned(),
    }
}

impl From<StoreError> for GlacierError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<FormatError> for GlacierError {
    fn from(error: FormatError) -> Self {
        Self::Core(error.into())
    }
}

impl From<Cancelled> for GlacierError {
    fn from(_: Cancelled) -> Self {
        Self::Interrupted
    }
}

impl GlacierError {
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<Remedy>) -> Self {
        Self::Usage { what: what.into(), help: help.into() }
    }

    pub(crate) fn folder(action: &'static str, path: &Path, source: impl Into<Cause>) -> Self {
        Self::Folder { action, path: path.display().to_string(), source: source.into() }
    }

    pub(crate) fn damaged(what: impl ToString, why: impl Into<String>) -> Self {
        Self::Damaged { what: what.to_string(), why: why.into() }
    }

    /// Whether the location has no room for what was to be written.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Core(CoreError::Store(error)) | Self::Lease(LeaseError::Core(CoreError::Store(error))) => {
                error.is_full()
            }
            _ => false,
        }
    }

    pub(crate) fn internal(error: impl ToString) -> Self {
        Self::Internal { what: error.to_string() }
    }
}
