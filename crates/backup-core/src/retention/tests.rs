//! What retention promises: the acceptance rows, the original's cases, and properties over random histories.

mod fabfile;
mod online;
mod properties;
mod rows;

use jiff::{SignedDuration, Timestamp};

use super::{Candidate, Policy, RetentionPlan, plan};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-11-21T12:00:00Z")
}

fn before(now: Timestamp, seconds: i64) -> Timestamp {
    now - SignedDuration::from_secs(seconds)
}

/// `count` good backups of one source, `step_s` apart, the newest at `now`; sequences from 1, oldest first.
fn history(now: Timestamp, count: u64, step_s: i64) -> Vec<Candidate> {
    (1..=count)
        .map(|sequence| {
            let age_s = i64::try_from(count - sequence).unwrap() * step_s;
            Candidate::new(format!("b{sequence}"), "pg/shop", before(now, age_s), sequence)
        })
        .collect()
}

fn kept(plan: &RetentionPlan) -> Vec<&str> {
    plan.kept().collect()
}

fn reasons<'a>(plan: &'a RetentionPlan, id: &str) -> &'a [String] {
    &plan.decisions.iter().find(|decision| decision.id == id).unwrap().reasons
}

fn decide(candidates: &[Candidate], policy: &Policy, now: Timestamp) -> RetentionPlan {
    plan(candidates, policy, now).unwrap()
}
