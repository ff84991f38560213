//! The fake of Glacier's vaults as a process: prints one line of JSON when it is ready and runs until its standard input ends
//! or it is told to stop.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use backup_core::clock::Timestamp;
use backup_testkit::aws_fake::{DEFAULT_ACCOUNT, FakeOptions, environment};
use backup_testkit::glacier_fake::{GlacierFake, SERVICES};
use clap::Parser;

/// A strict fake of Glacier's vaults for tests, with a clock of its own and faults on demand.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What its clock shows at the start; without it the machine's time.
    #[arg(long)]
    now: Option<Timestamp>,
    /// Milliseconds added to every request.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// End when the standard input ends, so that the fake does not outlive its parent.
    #[arg(long)]
    until_stdin_ends: bool,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let latency = Duration::from_millis(arguments.latency_ms);
    let fake = GlacierFake::start(&FakeOptions { port: arguments.port, latency, now: arguments.now })?;
    let environment: BTreeMap<String, String> =
        environment(fake.endpoint(), &SERVICES, DEFAULT_ACCOUNT, "us-east-1").into_iter().collect();
    let ready = serde_json::json!({ "endpoint": fake.endpoint(), "environment": environment });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    if arguments.until_stdin_ends {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
        drop(fake);
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}
