//! Real servers and clients of every supported version of PostgreSQL: the whole cycle on each, and from each to newer ones.

mod content;
mod cycle;
mod files;
mod kinds;
mod locales;
mod owner;
mod page;
mod situations;
mod upward;

use std::collections::BTreeSet;
use std::sync::Arc;

use backup_testkit::postgres::{Cluster, ClusterOptions, Install, Programs};

use crate::harness::world::cluster_options;
use crate::harness::{Area, Failure, Locations, Row, RowResult, World};

pub(crate) use page::write_if_asked;

/// The end of names of rows by a server's own clients.
const OWN: &str = "own";

/// Rows for every server that is here, oldest first.
#[must_use]
pub fn rows() -> Vec<Row> {
    let installs = Install::all();
    let servers: Vec<&Install> = installs.iter().filter(|install| install.has_server).collect();
    if servers.first().map(|install| install.major) == servers.last().map(|install| install.major) {
        let title = "servers and clients of other versions than this machine's";
        return vec![Row::new("V", title, Area::Versions, Locations::Folder, |_| {
            Box::pin(async {
                let fetch = "there are none here: `cargo xtask e2e --only versions` fetches them";
                Err(Failure::Skipped(fetch.to_owned()))
            })
        })];
    }
    // One server of each version is what a run of all tests has; it takes the time for the ends only.
    let majors: BTreeSet<u32> = servers.iter().map(|install| install.major).collect();
    let (is_all, ends) = (majors.len() < servers.len(), (majors.first().copied(), majors.last().copied()));
    let mut rows = Vec::new();
    for server in &servers {
        let Install { name, major, minor, .. } = *server;
        let clients = clients(server, &installs);
        let pair = |client: &Client| Pair { server: Install::clone(server), client: client.clone() };
        let (is_oldest, is_newest) = (ends.0 == Some(*major), ends.1 == Some(*major));
        for (who, client) in clients.iter().filter(|(who, _)| is_all || is_oldest || *who == OWN) {
            let title = format!("the whole cycle on a server {major}.{minor} by clients {client}");
            rows.push(row(format!("V-{name}-{who}"), title, Check::Cycle(pair(client))));
        }
        if let Some((_, client)) = clients.first().filter(|_| *major >= files::OLDEST && (is_all || is_newest)) {
            let title = format!("every file of the differential check on {major}.{minor}");
            rows.push(row(format!("V-{name}-files"), title, Check::Files(pair(client))));
        }
        if let Some((_, client)) = clients.first().filter(|_| is_oldest || is_newest) {
            let title = format!("situations of other people's databases on {major}.{minor}");
            rows.push(row(format!("V-{name}-kinds"), title, Check::Kinds(pair(client))));
        }
        if !is_newest && (is_all || is_oldest) {
            let title = format!("a dump of {major}.{minor} restored on every newer version");
            rows.push(row(format!("V-{name}-up"), title, Check::Upward(Install::clone(server), installs.clone())));
        }
    }
    rows
}

/// What a row does.
#[derive(Clone, Debug)]
enum Check {
    Cycle(Pair),
    Files(Pair),
    Kinds(Pair),
    /// From this server to the newer ones of these.
    Upward(Install, Vec<Install>),
}

fn row(id: String, title: String, check: Check) -> Row {
    Row::new(id, title, Area::Versions, Locations::Folder, move |world| {
        let check = check.clone();
        Box::pin(async move {
            match check {
                Check::Cycle(pair) => cycle::whole(world, &pair).await,
                Check::Files(pair) => files::all(world, &pair).await,
                Check::Kinds(pair) => situations::all(world, &pair).await,
                Check::Upward(server, installs) => upward::to_every_newer(world, &server, &installs).await,
            }
        })
    })
}

/// The clients a server is tried with: its own, or the nearest where it came without; and the newest.
fn clients(server: &Install, installs: &[Install]) -> Vec<(&'static str, Client)> {
    let nearest = server.programs(installs).map(|programs| Client::of(&programs, installs));
    let newest = installs.iter().rev().find(|install| install.has_clients).map(Client::from);
    let newest = newest.filter(|newest| Some(newest) != nearest.as_ref());
    nearest.map(|client| (OWN, client)).into_iter().chain(newest.map(|client| ("newest", client))).collect()
}

/// Clients of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    bin_dir: String,
    major: u32,
    minor: u32,
}

impl From<&Install> for Client {
    fn from(install: &Install) -> Self {
        Self { bin_dir: install.bin_dir.display().to_string(), major: install.major, minor: install.minor }
    }
}

impl Client {
    fn of(programs: &Programs, installs: &[Install]) -> Self {
        let install = installs.iter().find(|install| install.bin_dir == programs.client);
        install.map_or_else(|| Self { bin_dir: programs.client.display().to_string(), major: 0, minor: 0 }, Self::from)
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A server, and the clients it is tried with.
#[derive(Clone, Debug)]
struct Pair {
    server: Install,
    client: Client,
}

/// A server of exactly this installation, with databases of the row's names.
fn start(world: &World, server: &Install, client: &Client) -> RowResult<World> {
    let programs = Programs { server: server.bin_dir.clone(), client: client.bin_dir.clone().into() };
    let options = ClusterOptions { programs: Some(programs), ..cluster_options() };
    world.beside(Arc::new(Cluster::start(options)?))
}
