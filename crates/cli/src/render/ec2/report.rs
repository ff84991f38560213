//! The text of a report.

use std::time::Duration;

use ec2_snapshots::report::{Newest, Report};

use crate::render::table::{Align, Column, table};
use crate::render::units::{self, counted};

const COLUMNS: [Column; 5] = [
    Column("VOLUME", Align::Left),
    Column("INSTANCE", Align::Left),
    Column("REGION", Align::Left),
    Column("NEWEST", Align::Left),
    Column("SNAPSHOT", Align::Left),
];

pub(crate) fn reported(report: &Report) -> String {
    if report.volumes.is_empty() {
        return "No volumes".to_owned();
    }
    let mut rows = Vec::new();
    for line in &report.volumes {
        let instance = line.instance.clone().unwrap_or_else(|| "–".to_owned());
        rows.push(row(&line.volume, &instance, &line.native, report));
        rows.extend(line.copies.iter().map(|copy| row("", "", copy, report)));
    }
    let mut text = table(&COLUMNS, rows);
    for lag in &report.lags {
        text.push_str(&format!(
            "\n{} in {}, begun after the time of their volumes: half within {}, 95 % within {}, all within {}",
            counted(lag.copies, "copy", "copies"),
            lag.region,
            span(lag.p50_s),
            span(lag.p95_s),
            span(lag.max_s),
        ));
    }
    text
}

fn span(seconds: i64) -> String {
    match u64::try_from(seconds) {
        // Not as milliseconds, which are not known.
        Err(_) | Ok(0) => "0 s".to_owned(),
        Ok(seconds) => units::duration(Duration::from_secs(seconds)),
    }
}

fn row(volume: &str, instance: &str, newest: &Newest, report: &Report) -> Vec<String> {
    let age = newest.time.map_or_else(|| "none".to_owned(), |time| units::age(time, report.now));
    let stale = if newest.is_stale { ", STALE" } else { "" };
    vec![
        volume.to_owned(),
        instance.to_owned(),
        newest.region.to_string(),
        format!("{age}{stale}"),
        newest.snapshot.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string),
    ]
}
