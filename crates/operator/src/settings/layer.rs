//! The settings of one origin, and merging those of several: pure.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::origin::Set;
use crate::settings::rate::Rate;

/// What is run at a point of a dump or a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookEntry {
    /// A command for the shell.
    Command {
        /// The command.
        command: String,
        /// Where its relative paths start.
        folder: PathBuf,
    },
    /// A file of SQL.
    Sql(PathBuf),
}

/// Settings of one place: a section of the file, the environment, the command line. What it does not mention is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// `repo`.
    pub repo: Option<Set<String>>,
    /// `limit-upload`.
    pub limit_upload: Option<Set<Rate>>,
    /// `limit-download`.
    pub limit_download: Option<Set<Rate>>,
    /// `pg.url`.
    pub url: Option<Set<String>>,
    /// `pg.bin-dir`.
    pub bin_dir: Option<Set<PathBuf>>,
    /// `pg.application-name`.
    pub application_name: Option<Set<String>>,
    /// `pg.jobs`.
    pub jobs: Option<Set<usize>>,
    /// `pg.connect-timeout`.
    pub connect_timeout: Option<Set<Duration>>,
    /// `pg.lock-timeout`.
    pub lock_timeout: Option<Set<Duration>>,
    /// `pg.statement-timeout`.
    pub statement_timeout: Option<Set<Duration>>,
    /// `pg.reversible`.
    pub reversible: Option<Set<bool>>,
    /// `pg.allow-restore`.
    pub allow_restore: Option<Set<bool>>,
    /// `pg.protected`.
    pub protected: Vec<Set<String>>,
    /// `pg.exclude-table`.
    pub exclude_table: Vec<Set<String>>,
    /// `pg.exclude-table-data`.
    pub exclude_table_data: Vec<Set<String>>,
    /// `pg.exclude-setting`.
    pub exclude_setting: Vec<Set<String>>,
    /// `pg.pre-dump`.
    pub pre_dump: Vec<Set<HookEntry>>,
    /// `pg.post-create`.
    pub post_create: Vec<Set<HookEntry>>,
    /// `pg.pre-swap`.
    pub pre_swap: Vec<Set<HookEntry>>,
    /// `pg.post-swap`.
    pub post_swap: Vec<Set<HookEntry>>,
    /// `pg.hook-timeout`.
    pub hook_timeout: Option<Set<Duration>>,
    /// `pg.managed`.
    pub managed: Option<Set<bool>>,
    /// `ec2.tag`, as `NAME=VALUE`.
    pub ec2_tag: Option<Set<String>>,
    /// `ec2.regions`.
    pub ec2_regions: Vec<Set<String>>,
    /// `ec2.primary`.
    pub ec2_primary: Option<Set<String>>,
    /// `ec2.secondary`.
    pub ec2_secondary: Option<Set<String>>,
    /// `glacier.files`.
    pub glacier_files: Option<Set<PathBuf>>,
    /// `glacier.exclude`.
    pub glacier_exclude: Vec<Set<String>>,
    /// `glacier.class`.
    pub glacier_class: Option<Set<String>>,
    /// `glacier.bundles`.
    pub glacier_bundles: Option<Set<bool>>,
    /// `glacier.state`.
    pub glacier_state: Option<Set<PathBuf>>,
    /// `glacier.prices`.
    pub glacier_prices: Option<Set<PathBuf>>,
    /// `glacier.per-hour`.
    pub glacier_per_hour: Option<Set<Rate>>,
    /// `glacier.queue`.
    pub glacier_queue: Option<Set<String>>,
    /// `glacier.topic`.
    pub glacier_topic: Option<Set<String>>,
    /// `glacier.gem-schema`.
    pub glacier_gem_schema: Option<Set<String>>,
    /// `glacier.gem-tables`.
    pub glacier_gem_tables: Option<Set<String>>,
}

impl Layer {
    /// Both together. Of a single value the one of `self` counts, and of the regions; other lists add up, those of
    /// `weaker` first; and a restore that either forbids is forbidden.
    #[must_use]
    pub fn over(self, weaker: Self) -> Self {
        Self {
            repo: self.repo.or(weaker.repo),
            limit_upload: self.limit_upload.or(weaker.limit_upload),
            limit_download: self.limit_download.or(weaker.limit_download),
            url: self.url.or(weaker.url),
            bin_dir: self.bin_dir.or(weaker.bin_dir),
            application_name: self.application_name.or(weaker.application_name),
            jobs: self.jobs.or(weaker.jobs),
            connect_timeout: self.connect_timeout.or(weaker.connect_timeout),
            lock_timeout: self.lock_timeout.or(weaker.lock_timeout),
            statement_timeout: self.statement_timeout.or(weaker.statement_timeout),
            reversible: self.reversible.or(weaker.reversible),
            hook_timeout: self.hook_timeout.or(weaker.hook_timeout),
            managed: self.managed.or(weaker.managed),
            ec2_tag: self.ec2_tag.or(weaker.ec2_tag),
            // Where somebody names regions, no others are meant.
            ec2_regions: if self.ec2_regions.is_empty() { weaker.ec2_regions } else { self.ec2_regions },
            ec2_primary: self.ec2_primary.or(weaker.ec2_primary),
            ec2_secondary: self.ec2_secondary.or(weaker.ec2_secondary),
            glacier_files: self.glacier_files.or(weaker.glacier_files),
            glacier_exclude: joined(weaker.glacier_exclude, self.glacier_exclude),
            glacier_class: self.glacier_class.or(weaker.glacier_class),
            glacier_bundles: self.glacier_bundles.or(weaker.glacier_bundles),
            glacier_state: self.glacier_state.or(weaker.glacier_state),
            glacier_prices: self.glacier_prices.or(weaker.glacier_prices),
            glacier_per_hour: self.glacier_per_hour.or(weaker.glacier_per_hour),
            glacier_queue: self.glacier_queue.or(weaker.glacier_queue),
            glacier_topic: self.glacier_topic.or(weaker.glacier_topic),
            glacier_gem_schema: self.glacier_gem_schema.or(weaker.glacier_gem_schema),
            glacier_gem_tables: self.glacier_gem_tables.or(weaker.glacier_gem_tables),
            allow_restore: strictest(self.allow_restore, weaker.allow_restore),
            protected: joined(weaker.protected, self.protected),
            exclude_table: joined(weaker.exclude_table, self.exclude_table),
            exclude_table_data: joined(weaker.exclude_table_data, self.exclude_table_data),
            exclude_setting: joined(weaker.exclude_setting, self.exclude_setting),
            pre_dump: joined(weaker.pre_dump, self.pre_dump),
            post_create: joined(weaker.post_create, self.post_create),
            pre_swap: joined(weaker.pre_swap, self.pre_swap),
            post_swap: joined(weaker.post_swap, self.post_swap),
        }
    }

    /// Only what forbids something.
    #[must_use]
    pub fn prohibitions(self) -> Self {
        Self {
            allow_restore: self.allow_restore.filter(|allowed| !allowed.value),
            protected: self.protected,
            ..Self::default()
        }
    }
}

/// A no wins, wherever it stands.
fn strictest(stronger: Option<Set<bool>>, weaker: Option<Set<bool>>) -> Option<Set<bool>> {
    match (stronger, weaker) {
        (Some(stronger), Some(weaker)) if stronger.value && !weaker.value => Some(weaker),
        (stronger, weaker) => stronger.or(weaker),
    }
}

/// Both lists; what the first has is not said again.
fn joined<T: PartialEq>(mut first: Vec<Set<T>>, second: Vec<Set<T>>) -> Vec<Set<T>> {
    for item in second {
        if !first.iter().any(|other| other.value == item.value) {
            first.push(item);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::origin::Origin;

    fn origins() -> impl Strategy<Value = Origin> {
        prop_oneof![Just(Origin::Variable("V")), Just(Origin::Flag("--f")), Just(Origin::Default)]
    }

    fn set<T: Clone + std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Set<T>> {
        (values, origins()).prop_map(|(value, origin)| Set { value, origin })
    }

    fn list() -> impl Strategy<Value = Vec<Set<String>>> {
        // A list of one place names nothing twice: see the reader of files.
        proptest::collection::vec(set("[a-d]"), 0..4).prop_map(|list| joined(Vec::new(), list))
    }

    prop_compose! {
        fn layers()(
            jobs in proptest::option::of(set(1_usize..9)),
            repo in proptest::option::of(set("[a-c]")),
            allow_restore in proptest::option::of(set(any::<bool>())),
            protected in list(),
            exclude_table in list(),
        ) -> Layer {
            Layer { jobs, repo, allow_restore, protected, exclude_table, ..Layer::default() }
        }
    }

    fn values(list: &[Set<String>]) -> Vec<&str> {
        list.iter().map(|item| item.value.as_str()).collect()
    }

    proptest! {
        #[test]
        fn places_can_be_put_together_in_any_grouping(a in layers(), b in layers(), c in layers()) {
            let left = a.clone().over(b.clone()).over(c.clone());
            prop_assert_eq!(left, a.over(b.over(c)));
        }

        #[test]
        fn a_place_that_says_nothing_changes_nothing(a in layers()) {
            prop_assert_eq!(a.clone().over(Layer::default()), a.clone());
            prop_assert_eq!(Layer::default().over(a.clone()), a);
        }

        #[test]
        fn the_strongest_value_counts_with_its_origin(places in proptest::collection::vec(layers(), 0..5)) {
            let all = places.iter().cloned().rev().fold(Layer::default(), |weaker, stronger| stronger.over(weaker));
            prop_assert_eq!(all.jobs, places.iter().find_map(|place| place.jobs.clone()));
            prop_assert_eq!(all.repo, places.iter().find_map(|place| place.repo.clone()));
        }

        #[test]
        fn lists_lose_nothing_and_repeat_nothing(a in layers(), b in layers()) {
            let all = a.clone().over(b.clone());
            let all = values(&all.exclude_table);
            for item in values(&a.exclude_table).into_iter().chain(values(&b.exclude_table)) {
                prop_assert_eq!(all.iter().filter(|other| **other == item).count(), 1);
            }
            prop_assert!(all.starts_with(&values(&b.exclude_table)));
        }

        #[test]
        fn nobody_loosens_what_another_forbade(places in proptest::collection::vec(layers(), 0..5)) {
            let all = places.iter().cloned().fold(Layer::default(), |stronger, weaker| stronger.over(weaker));
            let forbidden = places.iter().any(|place| place.allow_restore.as_ref().is_some_and(|set| !set.value));
            prop_assert_eq!(all.allow_restore.as_ref().is_some_and(|set| !set.value), forbidden);
            for item in places.iter().flat_map(|place| values(&place.protected)) {
                prop_assert!(values(&all.protected).contains(&item));
            }
            prop_assert_eq!(all.clone().prohibitions().protected, all.protected);
        }
    }
}
