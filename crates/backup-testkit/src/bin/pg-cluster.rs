//! Runs a throwaway Postgres cluster until stdin closes or a signal asks it to end.

use std::io::{self, Write as _};
use std::process::ExitCode;

use backup_testkit::postgres::{Cluster, ClusterOptions};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Starts a throwaway Postgres cluster, prints how to reach it as one line of JSON, and keeps it until stdin closes.
#[derive(Debug, Parser)]
struct Arguments {
    /// A line for postgresql.conf
    #[arg(long = "conf", value_name = "LINE")]
    conf: Vec<String>,
    /// Write durably, as a real server does
    #[arg(long)]
    fsync: bool,
    /// The server's max_connections
    #[arg(long, value_name = "COUNT", default_value_t = ClusterOptions::default().max_connections)]
    max_connections: u32,
    /// The server's max_locks_per_transaction
    #[arg(long, value_name = "COUNT", default_value_t = ClusterOptions::default().max_locks_per_transaction)]
    max_locks_per_transaction: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With stderr closed there is nobody to tell; the status still says it.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Before the cluster: a signal while it starts must not leave its folder behind.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let Arguments { conf, fsync, max_connections, max_locks_per_transaction } = arguments;
    let options =
        ClusterOptions { conf, fsync, max_connections, max_locks_per_transaction, ..ClusterOptions::default() };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options)).await??;
    let line = serde_json::json!({
        "host": cluster.host(),
        "port": cluster.port(),
        "user": cluster.superuser(),
        "passfile": cluster.passfile(),
        "socket_dir": cluster.socket_dir(),
        "bin_dir": cluster.bin_dir(),
        "pid": cluster.postmaster_pid(),
    });
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    tokio::select! {
        () = stdin_closed() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::task::spawn_blocking(move || drop(cluster)).await?;
    Ok(())
}

/// Waits in a thread of its own: a runtime would wait at its end for a read that never returns.
async fn stdin_closed() {
    let (sender, closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(sender);
    });
    let _ = closed.await;
}
