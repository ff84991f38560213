//! Filters the dumps of a location.

use backup_core::retention::tag_is_meant;
use backup_core::source::{Identity, UNKNOWN};

use crate::setters::setters;

/// Which dumps of a location are meant: all, unless something narrows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only dumps of this database.
    pub database: Option<String>,
    /// Only dumps of this configuration.
    pub config: Option<String>,
    /// Only dumps of this cluster: its id, its host, or [`UNKNOWN`] for dumps that do not say.
    pub cluster: Option<String>,
    /// Only dumps that have all of these tags, each as itself or as the key of a tag `KEY=VALUE`. Only listings look at them.
    pub tags: Vec<String>,
}

setters! {
    Filter {
        optional database: String,
        optional config: String,
        optional cluster: String,
        plain tags: Vec<String>,
    }
}

impl Filter {
    /// Only dumps of `database`.
    #[must_use]
    pub fn of(database: impl Into<String>) -> Self {
        Self { database: Some(database.into()), ..Self::default() }
    }

    /// Whether dumps of `database` are meant.
    #[must_use]
    pub fn takes_database(&self, database: &str) -> bool {
        self.database.as_deref().is_none_or(|wanted| wanted == database)
    }

    /// Whether a dump of this database, configuration and cluster is meant.
    #[must_use]
    pub fn takes(&self, database: &str, config: &str, cluster: Option<&Identity>) -> bool {
        let of_cluster = |wanted: &str| cluster.map_or(wanted == UNKNOWN, |cluster| cluster.is_named(wanted));
        self.takes_database(database)
            && self.config.as_deref().is_none_or(|wanted| wanted == config)
            && self.cluster.as_deref().is_none_or(of_cluster)
    }

    /// Whether a dump with these tags is meant.
    #[must_use]
    pub fn takes_tags(&self, tags: &[String]) -> bool {
        self.tags.iter().all(|wanted| tags.iter().any(|tag| tag_is_meant(tag, wanted)))
    }
}
