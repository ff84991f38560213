//! Everything one run of a row has: a server, a location, a folder, the binary.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use backup_testkit::postgres::{Cluster, ClusterOptions, Install, quote_identifier};
use backup_testkit::s3_server::{PeerOptions, S3Peer};
use tempfile::TempDir;

use super::command::Lastgood;
use super::failure::{Failure, RowResult};
use super::place::Place;
use super::row::Where;

/// Databases that every cluster has.
const BUILT_IN: [&str; 3] = ["postgres", "template0", "template1"];

const DROP_SUBSCRIPTIONS: &str = "SELECT format('ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I', subname) FROM pg_subscription s \
    JOIN pg_database d ON d.oid = subdbid WHERE d.datname = current_database() \\gexec";

/// The surroundings of one run of a row.
#[derive(Debug)]
pub struct World {
    tag: String,
    location: Where,
    cluster: Arc<Cluster>,
    place: Place,
    folder: TempDir,
    lastgood: PathBuf,
    transcript: Arc<Mutex<Option<String>>>,
}

impl World {
    /// Surroundings for the row `tag` on `cluster`, with a fresh location of that kind.
    ///
    /// # Errors
    /// If the folder cannot be made or the binary is missing.
    pub fn new(tag: &str, cluster: Arc<Cluster>, location: Where) -> RowResult<Self> {
        let folder = tempfile::Builder::new().prefix("lastgood-e2e-").tempdir()?;
        // The AWS client reads nothing but what a row sets.
        std::fs::write(folder.path().join("empty"), "")?;
        let place = match location {
            Where::Folder => Place::Folder(folder.path().join("location")),
            Where::S3 => Place::S3 { peer: Arc::new(S3Peer::start(PeerOptions::default())?), prefix: slug(tag) },
        };
        let lastgood = crate::lastgood_binary().map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { tag: slug(tag), location, cluster, place, folder, lastgood, transcript: Arc::default() })
    }

    /// The same location and databases' names on another server, with a folder of its own.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn beside(&self, cluster: Arc<Cluster>) -> RowResult<Self> {
        let folder = tempfile::Builder::new().prefix("lastgood-e2e-").tempdir()?;
        std::fs::write(folder.path().join("empty"), "")?;
        Ok(Self {
            tag: self.tag.clone(),
            location: self.location,
            cluster,
            place: self.place.clone(),
            folder,
            lastgood: self.lastgood.clone(),
            transcript: self.transcript(),
        })
    }

    /// [`beside`](Self::beside) on a server of its own of this major version, which ends with the last who holds it.
    ///
    /// # Errors
    /// If it does not start; the row is skipped where the machine has no such server.
    pub fn on_version(&self, major: u32) -> RowResult<Self> {
        self.on_version_with(major, &[])
    }

    /// [`on_version`](Self::on_version) with these lines in its `postgresql.conf`.
    ///
    /// # Errors
    /// As [`on_version`](Self::on_version).
    pub fn on_version_with(&self, major: u32, conf: &[&str]) -> RowResult<Self> {
        let programs = match Install::server(major) {
            Ok(programs) => Some(programs),
            Err(error) => return Err(Failure::Skipped(error.to_string())),
        };
        let mut options = ClusterOptions { programs, ..cluster_options() };
        options.conf.extend(conf.iter().map(ToString::to_string));
        self.beside(Arc::new(Cluster::start(options)?))
    }

    /// Makes the location, as a user does once.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn init(&self) -> RowResult {
        self.lastgood(["init", "--quiet"]).ok().await?;
        if let Some(peer) = self.place.peer() {
            // No call of the row's own.
            peer.clear_log();
        }
        Ok(())
    }

    /// Takes the location away that every row is given: the folder, or every object of the peer.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn without_location(&self) -> RowResult {
        match &self.place {
            Place::Folder(path) => std::fs::remove_dir_all(path)?,
            Place::S3 { peer, .. } => peer.reset(),
        }
        Ok(())
    }

    /// `lastgood` with these arguments, about to be run.
    pub fn lastgood<I, A>(&self, args: I) -> Lastgood<'_>
    where
        I: IntoIterator<Item = A>,
        A: Into<String>,
    {
        Lastgood::new(self, args.into_iter().map(Into::into).collect())
    }

    /// The whole environment of a command.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let folder = self.folder.path().display();
        let empty = self.folder.path().join("empty").display().to_string();
        let fixed = [
            ("PATH", self.path()),
            ("HOME", format!("{folder}/home")),
            ("TMPDIR", std::env::temp_dir().display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("LASTGOOD_REPO", self.place.url()),
            ("AWS_CONFIG_FILE", empty.clone()),
            ("AWS_SHARED_CREDENTIALS_FILE", empty),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let mut environment: Vec<_> = fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(self.place.environment());
        environment.extend(self.cluster.env());
        environment
    }

    /// Where programs are found: clients that the distribution did not install come first.
    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let clients = self.cluster.bin_dir();
        if clients.starts_with("/usr") { path } else { format!("{}:{path}", clients.display()) }
    }

    /// The server.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The location.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What kind of location it is.
    #[must_use]
    pub fn location(&self) -> Where {
        self.location
    }

    /// The working directory of every command: holds nothing a row did not put there but `empty` and a folder location.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary.
    #[must_use]
    pub fn lastgood_binary(&self) -> &Path {
        &self.lastgood
    }

    /// A name for a database or role that no other row uses.
    #[must_use]
    pub fn name(&self, base: &str) -> String {
        format!("{base}_{}_{}", self.tag, self.location.name())
    }

    /// Creates the database `base` under a name of this row's own, and returns that name.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn create(&self, base: &str) -> RowResult<String> {
        let name = self.name(base);
        self.cluster.create_database(&name)?;
        Ok(name)
    }

    /// Runs SQL and returns the rows, `|` between columns.
    ///
    /// # Errors
    /// At the first statement that fails.
    pub fn psql(&self, database: &str, sql: &str) -> RowResult<String> {
        Ok(self.cluster.psql(database, sql)?)
    }

    /// Connects as an application does.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn connect(&self, database: &str) -> RowResult<tokio_postgres::Client> {
        let (client, connection) = self.config(database).connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// How an application connects.
    #[must_use]
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(self.cluster.host()).port(self.cluster.port()).dbname(database);
        config.user(self.cluster.superuser()).password(self.cluster.password());
        config
    }

    /// All databases but those every cluster has, by name.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn databases(&self) -> RowResult<Vec<String>> {
        // As JSON, one a line: a name may hold anything, line ends too.
        let sql = "SELECT to_json(datname::text) FROM pg_database ORDER BY datname COLLATE \"C\"";
        let names: Vec<String> =
            self.psql("postgres", sql)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(names.into_iter().filter(|name| !BUILT_IN.contains(&name.as_str())).collect())
    }

    /// Drops every database, so that the next row finds an empty cluster.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn clear_server(&self) -> RowResult {
        for name in self.databases()? {
            let allow = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", quote_identifier(&name));
            self.psql("postgres", &allow)?;
            // A database with a subscription cannot be dropped.
            self.psql(&name, DROP_SUBSCRIPTIONS)?;
            self.drop_database(&name)?;
        }
        Ok(())
    }

    /// Drops a database, whoever is connected to it.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn drop_database(&self, name: &str) -> RowResult {
        let name = quote_identifier(name);
        // Before 13 nothing ends the sessions; those of rows have ended by themselves.
        let force = if self.major()? >= 13 { " WITH (FORCE)" } else { "" };
        self.psql("postgres", &format!("DROP DATABASE {name}{force}"))?;
        Ok(())
    }

    /// The server's major version.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn major(&self) -> RowResult<u32> {
        Ok(self.psql("postgres", "SHOW server_version_num")?.parse::<u32>()? / 10_000)
    }

    /// Whether the server knows locales of ICU: from 16 on the collation `unicode` is listed by those without it too.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn has_icu(&self) -> RowResult<bool> {
        const OF_ICU: &str =
            "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i' AND collname <> 'unicode')";
        Ok(self.psql("postgres", OF_ICU)? == "t")
    }

    /// Dumps, and returns the key the dump got.
    ///
    /// # Errors
    /// If it fails.
    pub async fn dump(&self, database: &str) -> RowResult<String> {
        let output = self.lastgood(["pg", "dump", database, "--json"]).ok().await?;
        let document = output.json_lines()?.pop().unwrap_or_default();
        let key = document["key"].as_str().ok_or_else(|| output.fault("it names no key"))?;
        Ok(key.to_owned())
    }

    /// Dumps `database` with everything in the dump's own folder, and returns the key.
    ///
    /// # Errors
    /// If it fails.
    pub async fn dump_full(&self, database: &str) -> RowResult<String> {
        let output = self.lastgood(["pg", "dump", database, "--full", "--json"]).ok().await?;
        let key = output.json()?["key"].as_str().map(str::to_owned);
        key.ok_or_else(|| output.fault("it names no key"))
    }

    /// Keys that `ls` shows of a database, oldest first.
    ///
    /// # Errors
    /// If it fails.
    pub async fn keys(&self, database: &str) -> RowResult<Vec<String>> {
        let output = self.lastgood(["pg", "ls", database, "--json"]).ok().await?;
        let mut keys = Vec::new();
        for line in output.json_lines()? {
            collect_keys(&line, &mut keys);
        }
        keys.sort();
        Ok(keys)
    }

    /// The last command, for whoever reads of a failure.
    #[must_use]
    pub fn last_command(&self) -> Option<String> {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn transcript(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.transcript)
    }

    /// Leaves the folder where it is, and says where.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// How servers of rows are set up: DDL is logged, so that rows can see what was created and dropped again.
#[must_use]
pub fn cluster_options() -> ClusterOptions {
    ClusterOptions { conf: vec!["log_statement = 'ddl'".to_owned()], ..ClusterOptions::default() }
}

/// Every string under the name `key`, however the listing wraps its entries.
fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        serde_json::Value::Object(fields) => {
            keys.extend(fields.get("key").and_then(|key| key.as_str()).map(str::to_owned));
            fields.values().filter(|field| field.is_array()).for_each(|field| collect_keys(field, keys));
        }
        _ => {}
    }
}

fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).take(30).collect()
}
