//! The swap, while clients reconnect all the time: ours against the statement sequence django-pgclone runs.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::context::{Context, succeed, text};
use super::report::{self, Row};
use crate::Outcome;
use crate::printer::say;

/// Clients that do nothing but connect, ask, and disconnect.
const CLIENTS: usize = 4;

/// The outage that must be reached, in milliseconds.
const OUTAGE_MS_MAX: f64 = 50.0;

/// Failed attempts of any one client that must be reached.
const FAILED_MAX: f64 = 3.0;

const LIVE: &str = "swap_app";

/// How long clients hammer before and after, so that both answers are seen.
const SETTLE: Duration = Duration::from_millis(300);

/// What the clients saw of one swap.
#[derive(Clone, Copy, Debug)]
struct Outage {
    /// From the last answer any client got of the old database to the first of the new one, in milliseconds.
    outage_ms: f64,
    /// The same for the client that had to wait longest.
    worst_client_ms: f64,
    /// Failed attempts of the worst client.
    failed: usize,
}

/// Runs both in turn.
pub(crate) fn run(context: &Context) -> Outcome<Vec<Row>> {
    let folder = context.path("swap");
    prepare(context)?;
    succeed(context.dump(LIVE, text(&folder)))?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..context.rounds {
        for is_ours in Context::order(round, [true, false]) {
            let name = if is_ours { "lastgood pg restore" } else { "django-pgclone's statements" };
            context.server.sql(LIVE, "UPDATE marker SET v = 'old'")?;
            let outage = if is_ours {
                let command =
                    context.lastgood(&["pg", "restore", LIVE, "-r", text(&folder), "--confirm-database", LIVE]);
                hammered(context, || succeed(command))?
            } else {
                let steps = peer_statements(context)?;
                hammered(context, || steps.iter().try_for_each(|statement| context.psql_file(statement)))?
            };
            say(&format!(
                "  round {}  {name:<34} {:>7.1} ms out   worst client {:>7.1} ms, {} failed attempts",
                round + 1,
                outage.outage_ms,
                outage.worst_client_ms,
                outage.failed
            ));
            if is_ours { ours.push(outage) } else { peer.push(outage) }
        }
    }
    context.server.sql("postgres", &format!("DROP DATABASE {LIVE}"))?;
    fs::remove_dir_all(&folder)?;
    Ok(vec![row(&ours, &peer)])
}

fn row(ours: &[Outage], peer: &[Outage]) -> Row {
    let outage = |runs: &[Outage]| report::median(runs.iter().map(|run| run.outage_ms));
    let failed = |runs: &[Outage]| report::median(runs.iter().map(|run| run.failed as f64));
    let worst = |runs: &[Outage]| report::median(runs.iter().map(|run| run.worst_client_ms));
    let figures = |runs: &[Outage]| {
        format!("{:.0} ms (worst client {:.0} ms, {} failed)", outage(runs), worst(runs), failed(runs))
    };
    Row {
        job: format!("swap under {CLIENTS} clients that reconnect all the time"),
        against: "django-pgclone's own statements".to_owned(),
        ours: figures(ours),
        peer: figures(peer),
        outcome: format!("{:.1}× shorter", outage(peer) / outage(ours)),
        target: format!("≤ {OUTAGE_MS_MAX:.0} ms, ≤ {FAILED_MAX:.0} failed attempts a client"),
        met: outage(ours) <= OUTAGE_MS_MAX && failed(ours) <= FAILED_MAX,
    }
}

/// A small database: how long a swap takes does not depend on what is in it. Its marker says which one answers.
fn prepare(context: &Context) -> Outcome {
    context.server.sql("postgres", &format!("CREATE DATABASE {LIVE} TEMPLATE template0"))?;
    let sql = "CREATE TABLE marker (v text); INSERT INTO marker VALUES ('new');
               CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 10000) i;";
    context.server.sql(LIVE, sql)?;
    Ok(())
}

/// What django-pgclone 3.8 runs between a finished restore and the end of its swap, each statement in a psql of its own.
fn peer_statements(context: &Context) -> Outcome<Vec<String>> {
    let (temp, swap) = (format!("{LIVE}__temp"), format!("{LIVE}__swap"));
    context.server.sql("postgres", &format!("CREATE DATABASE {temp} TEMPLATE template0"))?;
    context.server.sql(&temp, "CREATE TABLE marker (v text); INSERT INTO marker VALUES ('new');")?;
    let kill = |database: &str| {
        format!(
            "SELECT pg_terminate_backend(pg_stat_activity.pid) FROM pg_stat_activity \
             WHERE pg_stat_activity.datname = '{database}' AND pid <> pg_backend_pid();"
        )
    };
    Ok(vec![
        kill(&swap),
        format!("DROP DATABASE IF EXISTS \"{swap}\";"),
        kill(LIVE),
        format!("ALTER DATABASE \"{LIVE}\" RENAME TO \"{swap}\";"),
        kill(&temp),
        format!("ALTER DATABASE \"{temp}\" RENAME TO \"{LIVE}\";"),
        kill(&swap),
        format!("DROP DATABASE IF EXISTS \"{swap}\";"),
    ])
}

/// Runs `swap` while the clients hammer.
fn hammered(context: &Context, swap: impl FnOnce() -> Outcome) -> Outcome<Outage> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn_on(client(context.server.config(LIVE), Arc::clone(&stop)), context.runtime.handle());
    }
    std::thread::sleep(SETTLE);
    let swapped = swap();
    std::thread::sleep(SETTLE);
    stop.store(true, Ordering::Relaxed);
    let attempts = context.runtime.block_on(clients.join_all());
    swapped?;
    sum_up(&attempts)
}

/// One attempt: when it ended, and which database answered.
type Attempt = (Instant, Option<Answer>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Old,
    New,
}

async fn client(config: tokio_postgres::Config, stop: Arc<AtomicBool>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = ask(&config).await.ok();
        attempts.push((Instant::now(), answer));
    }
    attempts
}

async fn ask(config: &tokio_postgres::Config) -> Result<Answer, tokio_postgres::Error> {
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT v FROM marker", &[]).await?;
    let answer = if row.get::<_, &str>(0) == "new" { Answer::New } else { Answer::Old };
    drop(client);
    // The server must have let go before the next attempt, or the clients would outrun it.
    let _ = connection.await;
    Ok(answer)
}

fn sum_up(clients: &[Vec<Attempt>]) -> Outcome<Outage> {
    let mut worst_client_ms: f64 = 0.0;
    for attempts in clients {
        worst_client_ms = worst_client_ms.max(gap_ms(attempts).ok_or("a client never saw both databases")?);
    }
    let failures = |attempts: &Vec<Attempt>| attempts.iter().filter(|(_, answer)| answer.is_none()).count();
    let failed = clients.iter().map(failures).max().unwrap_or_default();
    let mut all = clients.concat();
    all.sort_by_key(|(ended, _)| *ended);
    let outage_ms = gap_ms(&all).ok_or("an answer of the old database came after one of the new")?;
    Ok(Outage { outage_ms, worst_client_ms, failed })
}

/// Milliseconds from the last old answer to the first new one, of attempts in the order in which they ended.
fn gap_ms(attempts: &[Attempt]) -> Option<f64> {
    let first_new = attempts.iter().position(|(_, answer)| *answer == Some(Answer::New))?;
    let last_old = attempts[..first_new].iter().rposition(|(_, answer)| *answer == Some(Answer::Old))?;
    Some((attempts[first_new].0 - attempts[last_old].0).as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_from_the_last_old_answer_to_the_first_new_one() {
        let begin = Instant::now();
        let at = |ms, answer| (begin + Duration::from_millis(ms), answer);
        let (old, new) = (Some(Answer::Old), Some(Answer::New));
        let slow = vec![at(0, old), at(10, old), at(15, None), at(20, None), at(35, new)];
        let quick = vec![at(12, old), at(16, None), at(24, new), at(30, new)];
        let outage = sum_up(&[slow.clone(), quick]).unwrap();
        assert!((outage.outage_ms - 12.0).abs() < 0.001, "{outage:?}");
        assert!((outage.worst_client_ms - 25.0).abs() < 0.001, "{outage:?}");
        assert_eq!(outage.failed, 2);
        assert!(sum_up(&[slow[..4].to_vec()]).is_err());
        assert!(sum_up(&[slow[2..].to_vec()]).is_err());
    }
}
