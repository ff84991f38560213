//! The configuration file as it is written: every table and key, once. What serde reads, the schema describes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::error::SettingsResult;
use crate::settings::layer::Layer;
use crate::settings::placed::{Given, Placed};
use crate::settings::values::{HookTable, Table};

/// A whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Configuration file of lastgood")]
pub(super) struct File {
    /// Where the backups are: `s3://bucket/prefix` or a path, which starts at this file's folder
    #[schemars(example = "s3://acme-backups/prod")]
    pub(super) repo: Given<String>,
    /// Bytes per second to the location at most, such as `10MiB` [default: no limit]
    #[serde(rename = "limit-upload")]
    #[schemars(example = "10MiB")]
    pub(super) limit_upload: Given<String>,
    /// Bytes per second from the location at most, such as `10MiB` [default: no limit]
    #[serde(rename = "limit-download")]
    #[schemars(example = "10MiB")]
    pub(super) limit_download: Given<String>,
    /// PostgreSQL
    pub(super) pg: Pg,
    /// EBS snapshots
    pub(super) ec2: Ec2,
    /// Files in cold storage
    pub(super) glacier: Glacier,
    /// Settings of `-P NAME`, which win over the rest of the file
    pub(super) profile: BTreeMap<String, Profile>,
}

/// `[profile.NAME]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Profile {
    /// Where the backups are: `s3://bucket/prefix` or a path, which starts at this file's folder
    pub(super) repo: Given<String>,
    /// Bytes per second to the location at most, such as `10MiB` [default: no limit]
    #[serde(rename = "limit-upload")]
    #[schemars(example = "10MiB")]
    pub(super) limit_upload: Given<String>,
    /// Bytes per second from the location at most, such as `10MiB` [default: no limit]
    #[serde(rename = "limit-download")]
    #[schemars(example = "10MiB")]
    pub(super) limit_download: Given<String>,
    /// PostgreSQL
    pub(super) pg: Pg,
    /// EBS snapshots
    pub(super) ec2: Ec2,
    /// Files in cold storage
    pub(super) glacier: Glacier,
}

/// `[ec2]`: for every command about EBS snapshots.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Ec2 {
    /// The tag of instances to snapshot and of snapshots to replicate, trim and report on, as NAME=VALUE
    #[schemars(example = "Earmarking=production")]
    pub(super) tag: Given<String>,
    /// Regions, or beginnings of their names [default: all regions]
    #[schemars(example = ["eu-west-1", "us-east-1"])]
    pub(super) regions: Vec<Placed<String>>,
    /// Region that keeps copies of the snapshots of all other regions
    #[schemars(example = "eu-west-1")]
    pub(super) primary: Given<String>,
    /// Region that keeps copies of the snapshots of the primary region
    #[schemars(example = "us-west-2")]
    pub(super) secondary: Given<String>,
}

impl Ec2 {
    /// What the table says.
    pub(super) fn layer(&self, table: &Table<'_>) -> SettingsResult<Layer> {
        Ok(Layer {
            ec2_tag: table.string("tag", &self.tag)?,
            ec2_regions: table.strings("regions", &self.regions)?,
            ec2_primary: table.string("primary", &self.primary)?,
            ec2_secondary: table.string("secondary", &self.secondary)?,
            ..Layer::default()
        })
    }
}

/// `[glacier]`: for every command about files in cold storage.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Glacier {
    /// Folder of the files, which never change; starts at this file's folder
    #[schemars(example = "uploads/store")]
    pub(super) files: Given<String>,
    /// Shell patterns of what is left out, by paths or names, with all that is in a folder which one fits
    #[schemars(example = ["*.tmp", "thumbs"])]
    pub(super) exclude: Vec<Placed<String>>,
    /// Storage class of archives: `GLACIER`, `DEEP_ARCHIVE` or `GLACIER_IR` [default: `GLACIER`]
    #[schemars(example = &"DEEP_ARCHIVE")]
    pub(super) class: Given<String>,
    /// Whether files of up to 4 MiB share archives [default: true]
    pub(super) bundles: Given<bool>,
    /// Folder of the catalogue and of fetched files; starts at this file's folder
    #[schemars(example = "/var/lib/lastgood/glacier")]
    pub(super) state: Given<String>,
    /// File of prices to use instead of the list prices of us-east-1; starts at this file's folder
    pub(super) prices: Given<String>,
    /// Bytes to request within an hour at most, such as `100GiB` [default: no limit]
    #[schemars(example = "100GiB")]
    pub(super) per_hour: Given<String>,
    /// Address of a queue of SQS that hears of finished retrievals
    #[schemars(example = "https://sqs.us-east-1.amazonaws.com/123456789012/retrievals")]
    pub(super) queue: Given<String>,
    /// ARN of the topic of SNS whose messages the queue gets [default: the queue gets events of S3 itself]
    #[schemars(example = "arn:aws:sns:us-east-1:123456789012:retrieve_archive")]
    pub(super) topic: Given<String>,
    /// Schema of the tables of GlacierOnRails [default: `public`]
    pub(super) gem_schema: Given<String>,
    /// The three tables of GlacierOnRails where they have other names: of backups, of archives, and of both
    #[schemars(example = "application_data_backups,glacier_archives,application_data_backups_glacier_file_archives")]
    pub(super) gem_tables: Given<String>,
}

impl Glacier {
    /// What the table says.
    pub(super) fn layer(&self, table: &Table<'_>) -> SettingsResult<Layer> {
        Ok(Layer {
            glacier_files: table.path("files", &self.files)?,
            glacier_exclude: table.strings("exclude", &self.exclude)?,
            glacier_class: table.string("class", &self.class)?,
            glacier_bundles: table.plain(&self.bundles),
            glacier_state: table.path("state", &self.state)?,
            glacier_prices: table.path("prices", &self.prices)?,
            glacier_per_hour: table.rate("per-hour", &self.per_hour)?,
            glacier_queue: table.string("queue", &self.queue)?,
            glacier_topic: table.string("topic", &self.topic)?,
            glacier_gem_schema: table.string("gem-schema", &self.gem_schema)?,
            glacier_gem_tables: table.string("gem-tables", &self.gem_tables)?,
            ..Layer::default()
        })
    }
}

// serde's `flatten` would lose both the places of values and the refusal of unknown keys.
macro_rules! pg_table {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(super) struct $name {
            $($own)*
            /// Folder of `pg_dump` and `pg_restore` [default: the installation that matches the server]
            #[schemars(example = "/usr/lib/postgresql/15/bin")]
            pub(super) bin_dir: Given<String>,
            /// Name of our sessions on the server [default: lastgood]
            pub(super) application_name: Given<String>,
            /// Connections that copy at the same time [default: by the number of cores]
            #[schemars(example = 4)]
            pub(super) jobs: Given<usize>,
            /// How long to wait for a connection; 0 for ever [default: 15s]
            #[schemars(example = "15s")]
            pub(super) connect_timeout: Given<String>,
            /// How long to wait for the lock of a table; 0 for ever [default: 30s]
            #[schemars(example = "30s")]
            pub(super) lock_timeout: Given<String>,
            /// How long a statement may take; 0 for ever [default: 0]
            #[schemars(example = "2h")]
            pub(super) statement_timeout: Given<String>,
            /// Keep the database that a restore replaces as :previous, and a copy of the restored one as :current
            pub(super) reversible: Given<bool>,
            /// The server is a managed one: leave out, with a warning, what only its superuser may do
            pub(super) managed: Given<bool>,
            /// Tables to leave out; patterns as of `pg_dump`
            #[schemars(example = ["tmp_*"])]
            pub(super) exclude_table: Vec<Placed<String>>,
            /// Tables whose rows to leave out; patterns as of `pg_dump`
            #[schemars(example = ["audit.log"])]
            pub(super) exclude_table_data: Vec<Placed<String>>,
            /// Settings of the database to leave out, by name; `*` is any text
            #[schemars(example = ["app.*_secret"])]
            pub(super) exclude_setting: Vec<Placed<String>>,
            /// Hooks before a dump
            pub(super) pre_dump: Vec<Placed<HookTable>>,
            /// Hooks in the new database of a restore, before anything is in it
            pub(super) post_create: Vec<Placed<HookTable>>,
            /// Hooks in the restored database, before it replaces the live one
            pub(super) pre_swap: Vec<Placed<HookTable>>,
            /// Hooks after the restored database has replaced the live one
            pub(super) post_swap: Vec<Placed<HookTable>>,
            /// How long each hook may take [default: 1h]
            #[schemars(example = "1h")]
            pub(super) hook_timeout: Given<String>,
        }

        impl $name {
            /// What can stand in both tables about PostgreSQL.
            pub(super) fn shared(&self, table: &Table<'_>) -> SettingsResult<Layer> {
                Ok(Layer {
                    bin_dir: table.path("bin-dir", &self.bin_dir)?,
                    application_name: table.string("application-name", &self.application_name)?,
                    jobs: table.plain(&self.jobs),
                    connect_timeout: table.duration("connect-timeout", &self.connect_timeout)?,
                    lock_timeout: table.duration("lock-timeout", &self.lock_timeout)?,
                    statement_timeout: table.duration("statement-timeout", &self.statement_timeout)?,
                    reversible: table.plain(&self.reversible),
                    managed: table.plain(&self.managed),
                    exclude_table: table.strings("exclude-table", &self.exclude_table)?,
                    exclude_table_data: table.strings("exclude-table-data", &self.exclude_table_data)?,
                    exclude_setting: table.strings("exclude-setting", &self.exclude_setting)?,
                    pre_dump: table.hooks("pre-dump", &self.pre_dump)?,
                    post_create: table.hooks("post-create", &self.post_create)?,
                    pre_swap: table.hooks("pre-swap", &self.pre_swap)?,
                    post_swap: table.hooks("post-swap", &self.post_swap)?,
                    hook_timeout: table.duration("hook-timeout", &self.hook_timeout)?,
                    ..Layer::default()
                })
            }
        }
    };
}

pg_table! {
    /// `[pg]`: for every command about PostgreSQL.
    Pg {
        /// The server and its database, as a URL without password; counts only where nothing else names a host
        #[schemars(example = "postgres://backup@db1.internal/shop")]
        pub(super) url: Given<String>,
        /// Whether anything may be restored, replaced or dropped; no other place allows what this forbids
        pub(super) allow_restore: Given<bool>,
        /// Databases that are never replaced or dropped, as HOST/DATABASE; `*` is any text, `?` any character
        #[schemars(example = ["prod-*/shop", "*/billing"])]
        pub(super) protected: Vec<Placed<String>>,
        /// Settings of `--config NAME`
        pub(super) configs: BTreeMap<String, PgConfig>,
    }
}

pg_table! {
    /// `[pg.configs.NAME]`: for `pg dump --config NAME` and `pg restore --config NAME`.
    PgConfig {
        /// Where the backups of this configuration are
        pub(super) repo: Given<String>,
    }
}
