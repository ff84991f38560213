//! The table of rows: what each is called and where it runs.

use std::fmt;

use futures::future::BoxFuture;

use super::failure::RowResult;
use super::world::World;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Locations, manifests, keys.
    Core,
    /// What is kept and what is deleted.
    Retention,
    /// Dump, restore, swap.
    Pg,
    /// Servers and clients of every version.
    Versions,
    /// S3 servers that others wrote.
    Stores,
    /// Killed at every step.
    Kill,
    /// Source and copy compared.
    Differential,
    /// Backups of stores in memory.
    Dict,
    /// Records of applications.
    App,
    /// EBS snapshots.
    Ec2,
    /// Files in cold storage.
    Glacier,
    /// Arguments, output, exit codes.
    Cli,
    /// Wrong data that was once said to be right.
    Truth,
    /// Full disks, files of other users, and whatever else a bad day brings.
    BadDay,
}

impl Area {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Retention => "retention",
            Self::Pg => "pg",
            Self::Versions => "versions",
            Self::Stores => "stores",
            Self::Kill => "kill",
            Self::Differential => "differential",
            Self::Dict => "dict",
            Self::App => "app",
            Self::Ec2 => "ec2",
            Self::Glacier => "glacier",
            Self::Cli => "cli",
            Self::Truth => "truth",
            Self::BadDay => "badday",
        }
    }
}

/// Kind of location of one run of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// A folder of its own.
    Folder,
    /// A prefix of its own in an in-process S3 peer.
    S3,
}

impl Where {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::S3 => "s3",
        }
    }
}

/// On which kinds of location a row runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locations {
    /// Only a folder: what it checks exists only there, or has nothing to do with the location.
    Folder,
    /// Only S3.
    S3,
    /// Once on each.
    Both,
}

impl Locations {
    /// The runs.
    #[must_use]
    pub fn each(self) -> &'static [Where] {
        match self {
            Self::Folder => &[Where::Folder],
            Self::S3 => &[Where::S3],
            Self::Both => &[Where::Folder, Where::S3],
        }
    }
}

type Run = Box<dyn for<'w> Fn(&'w World) -> BoxFuture<'w, RowResult> + Send + Sync>;

/// One row of the acceptance table.
pub struct Row {
    /// Its name in the table, such as `P8`.
    pub id: String,
    /// What happens.
    pub title: String,
    /// What it is about.
    pub area: Area,
    /// Where it runs.
    pub locations: Locations,
    /// Whether it stops, fills or reconfigures the server, and so has one of its own.
    pub own_server: bool,
    /// Whether CI may skip it: it needs more than the tests install.
    pub elective: bool,
    /// The row itself.
    pub run: Run,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("id", &self.id).field("title", &self.title).finish_non_exhaustive()
    }
}

impl Row {
    /// A row of the table. `run` is written `|world| Box::pin(name(world))`.
    pub fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        area: Area,
        locations: Locations,
        run: impl for<'w> Fn(&'w World) -> BoxFuture<'w, RowResult> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            area,
            locations,
            own_server: false,
            elective: false,
            run: Box::new(run),
        }
    }

    /// Gives it a server of its own.
    #[must_use]
    pub fn own_server(mut self) -> Self {
        self.own_server = true;
        self
    }

    /// The row needs more than the tests install: where that is missing it is skipped, in CI too.
    #[must_use]
    pub fn elective(mut self) -> Self {
        self.elective = true;
        self
    }

    /// Whether `wanted`, an area or the name of a row, means this one.
    #[must_use]
    pub fn matches(&self, wanted: &str) -> bool {
        self.area.name() == wanted || self.id.eq_ignore_ascii_case(wanted)
    }
}
