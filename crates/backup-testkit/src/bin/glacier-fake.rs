//! The fake of Glacier's vaults as a process: prints one line of JSON when it is ready and runs until its standard input ends
//! or it is told to stop.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use backup_core::clock::Timestamp;
use backup_testkit::aws_fake::{DEFAULT_ACCOUNT, FakeOptions, environment};
use backup_testkit::glacier_fake::{GlacierFake, SERVICES};
use backup_testkit::sns_fake::{SnsFake, Subscriber};
use clap::Parser;

/// The topic of the messages about finished jobs.
const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:retrieve_archive";

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
    /// Post messages of a topic about finished jobs to this address, `http://HOST:PORT/…`, when `POST /_ctl/glacier/tell` says so.
    /// The line tells the topic, and what is at the addresses in its messages.
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
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
    let mut ready = serde_json::json!({ "endpoint": fake.endpoint(), "environment": environment });
    if let Some(url) = arguments.notify {
        let topic = Arc::new(SnsFake::new(TOPIC, fake.clock().clone())?);
        let page = |(url, page): (String, bytes::Bytes)| (url, String::from_utf8_lossy(&page).into_owned());
        let pages: BTreeMap<String, String> = topic.pages().into_iter().map(page).collect();
        ready["topic"] = serde_json::json!({ "arn": TOPIC, "pages": pages, "root": hex::encode(topic.root()) });
        topic.subscribe(Subscriber::Address(url))?;
        fake.connect(topic);
    }
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
