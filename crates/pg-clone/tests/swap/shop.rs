//! A live database that says `old`, and a copy that says `new`.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use backup_core::progress::{Event, Progress, SharedProgress, Silent};
use backup_testkit::postgres::Cluster;
use pg_clone::live::database_settings;
use pg_clone::live::recover::{RecoverReport, recover};
use pg_clone::live::swap::{Swap, SwapReport, SwapRequest};
use pg_clone::live::target_lock::TargetLock;
use pg_clone::live::temporary::Temporary;
use pg_clone::{Environment, Origin, PgResult, Run, Server};
use tokio::sync::Mutex;

/// Every step of a swap, in order.
pub(crate) const STEPS: [&str; 7] =
    ["swap.mark", "swap.forbid", "swap.terminate", "swap.rename", "swap.committed", "swap.verify", "swap.drop"];

/// The first step after the switch.
pub(crate) const COMMITTED: usize = 4;

pub(crate) fn server(cluster: &Cluster) -> Server {
    let env = cluster.env();
    let pairs = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server
}

/// A database of that name whose table `mark` says `word`.
pub(crate) fn create(cluster: &Cluster, name: &str, word: &str) {
    cluster.create_database(name).unwrap();
    mark(cluster, name, word);
}

pub(crate) fn mark(cluster: &Cluster, name: &str, word: &str) {
    cluster.psql(name, &format!("CREATE TABLE mark AS SELECT '{word}'::text AS word")).unwrap();
}

/// What the database says; none if there is no such database. Panics if it turns clients away.
pub(crate) fn word(cluster: &Cluster, name: &str) -> Option<String> {
    let literal = name.replace('\'', "''");
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{literal}'");
    (cluster.psql("postgres", &there).unwrap() != "0").then(|| cluster.psql(name, "SELECT word FROM mark").unwrap())
}

/// Databases of ours for this target.
pub(crate) fn leftovers(cluster: &Cluster, target: &str) -> String {
    let number = pg_clone::live::state::target_number(target);
    let ours = format!("SELECT datname FROM pg_database WHERE datname LIKE 'lastgood\\_{number:08x}\\_%'");
    cluster.psql("postgres", &ours).unwrap()
}

/// Builds a copy for `target` that says `new`, and swaps it in. What fails is given up, as a restore does it.
pub(crate) async fn replace(server: &Server, cluster: &Cluster, target: &str, run: &Run) -> PgResult<SwapReport> {
    let lock = TargetLock::acquire(server, target).await?;
    let copy = Temporary::create(&lock, "a dump", None).await?;
    mark(cluster, copy.name(), "new");
    let admin = server.connect_admin_for(target).await?;
    let live = database_settings::read_if_exists(&admin, target).await?;
    if let Some(live) = &live {
        assert_eq!(database_settings::apply(&admin, copy.name(), live, false, false).await?, Vec::<String>::new());
    }
    drop(admin);
    let swapped = swap(server, SwapRequest::new(&lock, &copy, live), run).await;
    if swapped.is_err() {
        copy.give_up(server, false, run).await;
    }
    swapped
}

async fn swap(server: &Server, request: SwapRequest, run: &Run) -> PgResult<SwapReport> {
    let swap = Swap::prepare(server, request, run).await?;
    let shown = swap.plan().clone();
    let report = swap.run().await?;
    assert_eq!(shown.replaces, report.replaced, "{shown:?}");
    assert!(shown.renames.iter().any(|one| one.to == shown.target && !one.dropped), "{shown:?}");
    Ok(report)
}

/// Recovery mends whatever it finds on the server: tests that look at what it did take turns.
pub(crate) static RECOVERY: Mutex<()> = Mutex::const_new(());

pub(crate) async fn mend(server: &Server) -> RecoverReport {
    let silent: SharedProgress = Arc::new(Silent);
    recover(server, &silent).await.unwrap()
}

/// Does something where a step begins.
pub(crate) struct At<F> {
    step: &'static str,
    act: F,
}

impl<F> std::fmt::Debug for At<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("At").field("step", &self.step).finish_non_exhaustive()
    }
}

impl<F: Fn() + Send + Sync> Progress for At<F> {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { name, .. } if name == self.step) {
            (self.act)();
        }
    }
}

/// A run that does something where `step` begins.
pub(crate) fn run_with(step: &'static str, act: impl Fn() + Send + Sync + 'static) -> Run {
    Run::new(Arc::new(At { step, act }))
}

/// Replaces `target` on a runtime of its own that dies where `step` begins: its connections close unasked, and nothing
/// of it runs any more.
pub(crate) fn killed_at(cluster: &'static Cluster, target: &str, step: &'static str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (reached, wait) = channel();
    let (target, cut) = (target.to_owned(), std::sync::Mutex::new(Some(reached)));
    let run = run_with(step, move || {
        let reached: Option<Sender<()>> = cut.lock().unwrap().take();
        reached.unwrap().send(()).unwrap();
        // For good, as a dead process.
        loop {
            std::thread::park();
        }
    });
    runtime.spawn(async move { replace(&server(cluster), cluster, &target, &run).await });
    wait.recv_timeout(Duration::from_secs(60)).unwrap();
    runtime.shutdown_background();
}
