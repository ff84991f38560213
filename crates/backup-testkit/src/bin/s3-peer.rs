//! The S3 peer as a process: prints one line of JSON when it is ready and runs until its standard input ends or it is
//! told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use backup_testkit::s3_server::{ACCESS_KEY_ID, BUCKET, PeerOptions, REGION, S3Peer, SECRET_ACCESS_KEY};
use clap::Parser;

/// A strict S3 server for tests, with faults on demand.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Folder for bodies; without it they stay in memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A bucket there is from the start; may be repeated.
    #[arg(long, default_value = BUCKET)]
    bucket: Vec<String>,
    /// Milliseconds added to every request.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// End when the standard input ends, so that the peer does not outlive its parent.
    #[arg(long)]
    until_stdin_ends: bool,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let peer = S3Peer::start(PeerOptions {
        port: arguments.port,
        buckets: arguments.bucket.clone(),
        data: arguments.data,
        latency: Duration::from_millis(arguments.latency_ms),
    })?;
    let ready = serde_json::json!({
        "endpoint": peer.endpoint(),
        "region": REGION,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "buckets": arguments.bucket,
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    if arguments.until_stdin_ends {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
        drop(peer);
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}
