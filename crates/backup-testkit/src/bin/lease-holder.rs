//! Claims a lease and writes under it what it is told to, for tests that kill and stop it: each line of its standard input
//! is an order, each line of its standard output what came of it, as JSON.

use std::error::Error;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backup_core::key::Key;
use backup_core::lease::{Lease, LeaseError, LeaseResult, Terms};
use backup_core::location::Location;
use backup_core::store::StoreWrite;
use backup_testkit::stopping::StopBeforePut;
use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

/// Between two tries to have a lease that somebody has.
const PAUSE: Duration = Duration::from_millis(100);

/// Holds a lease. Orders: `write TEXT`; `stop-then-write TEXT` stops the process when only the request is left to be sent.
/// The lease is given back at the end of the orders.
#[derive(Parser)]
struct Arguments {
    /// Where the lease is.
    #[arg(long)]
    location: Location,
    /// Its key.
    #[arg(long, default_value = "jobs/lease.json")]
    lease: Key,
    /// The key of the document that is written under it.
    #[arg(long, default_value = "jobs/state.json")]
    document: Key,
    /// How long it lasts, in milliseconds.
    #[arg(long)]
    ttl_ms: u64,
    /// Who it is.
    #[arg(long)]
    holder: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let store = Arc::new(StopBeforePut::new(arguments.location.open().await?, arguments.document.clone()));
    let lease = claim(store.clone(), &arguments).await?;
    match obey(&store, &lease, &arguments.document).await {
        Ok(()) => {
            lease.release().await?;
            say(&json!({ "released": true }))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.downcast_ref::<LeaseError>() {
            Some(LeaseError::Lost { .. }) => {
                say(&json!({ "lost": error.to_string() }))?;
                // What the shipped binary says of a lease that somebody else has.
                Ok(ExitCode::from(11))
            }
            _ => Err(error),
        },
    }
}

/// The lease, as soon as nobody else has it.
async fn claim(store: Arc<dyn StoreWrite>, arguments: &Arguments) -> Result<Lease, Box<dyn Error>> {
    let terms = Terms { holder: arguments.holder.clone(), ttl: Duration::from_millis(arguments.ttl_ms) };
    let mut told = false;
    loop {
        match Lease::claim(store.clone(), arguments.lease.clone(), &terms).await {
            Err(LeaseError::Held { holder, .. }) => {
                if !std::mem::replace(&mut told, true) {
                    say(&json!({ "waiting": holder }))?;
                }
                tokio::time::sleep(PAUSE).await;
            }
            claimed => return Ok(claimed?),
        }
    }
}

async fn obey(store: &StopBeforePut, lease: &Lease, document: &Key) -> Result<(), Box<dyn Error>> {
    let mut document = lease.document(document).await?;
    say(&json!({ "held": lease.generation(), "text": document.fields().get("text") }))?;
    let mut orders = orders();
    while let Some(order) = lease.during(orders.recv()).await? {
        let (verb, text) = order.split_once(' ').ok_or("an order is a word and a text")?;
        if verb == "stop-then-write" {
            store.arm();
        }
        let fields = Map::from_iter([("text".to_owned(), json!(text))]);
        let written: LeaseResult<()> = document.write(fields).await;
        written?;
        say(&json!({ "wrote": text }))?;
    }
    Ok(())
}

/// The lines of the standard input.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        lines.map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    receiver
}

fn say(what: &Value) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{what}")?;
    stdout.flush()
}
