//! A report as metrics: Prometheus's text format, for the textfile collector of its node exporter.

use std::fmt::{Display, Write as _};

use ec2_snapshots::report::{Lag, Line, Newest, Report};

/// Quantiles of a lag, as Prometheus names them.
const QUANTILES: [&str; 3] = ["0.5", "0.95", "1"];

pub(crate) fn metrics(report: &Report) -> String {
    let mut text = String::new();
    let newest: Vec<(String, &Newest)> = report.volumes.iter().flat_map(labelled).collect();
    gauge(
        &mut text,
        "lastgood_ec2_snapshot_time_seconds",
        "When the volume was as its newest complete snapshot in the region has it, in seconds since 1970.",
        newest.iter().filter_map(|(labels, newest)| Some((labels, newest.time?.as_second()))),
    );
    gauge(
        &mut text,
        "lastgood_ec2_snapshot_age_seconds",
        "How old that was when the report was made.",
        newest.iter().filter_map(|(labels, newest)| Some((labels, newest.age_s?))),
    );
    gauge(
        &mut text,
        "lastgood_ec2_snapshot_stale",
        "1 if the volume has no complete snapshot in the region that is as new as it must be.",
        newest.iter().map(|(labels, newest)| (labels, i64::from(newest.is_stale))),
    );
    lags(&mut text, &report.lags);
    let none = String::new();
    gauge(
        &mut text,
        "lastgood_ec2_report_failed_regions",
        "Regions that could not be looked at.",
        [(&none, report.failures.len())].into_iter(),
    );
    gauge(
        &mut text,
        "lastgood_ec2_report_time_seconds",
        "When the report was made, in seconds since 1970.",
        [(&none, report.now.as_second())].into_iter(),
    );
    // The printer ends the last line.
    text.truncate(text.trim_end().len());
    text
}

/// The newest snapshot of a volume in its own region and in others, each with its labels.
fn labelled(line: &Line) -> impl Iterator<Item = (String, &Newest)> {
    std::iter::once(&line.native).chain(&line.copies).map(|newest| {
        let instance = line.instance.as_deref().unwrap_or_default();
        let labels = labels(&[
            ("volume", &line.volume),
            ("home", line.region.as_str()),
            ("instance", instance),
            ("region", newest.region.as_str()),
        ]);
        (labels, newest)
    })
}

fn lags(text: &mut String, lags: &[Lag]) {
    if lags.is_empty() {
        return;
    }
    let name = "lastgood_ec2_copy_lag_seconds";
    let help = "From the time at which volumes were as their copies have them to the beginning of each copy.";
    head(text, name, help, "summary");
    for lag in lags {
        let region = lag.region.as_str();
        for (quantile, value) in QUANTILES.iter().zip([lag.p50_s, lag.p95_s, lag.max_s]) {
            sample(text, name, &labels(&[("region", region), ("quantile", quantile)]), value);
        }
        sample(text, &format!("{name}_sum"), &labels(&[("region", region)]), lag.total_s);
        sample(text, &format!("{name}_count"), &labels(&[("region", region)]), lag.copies);
    }
}

fn gauge<'l, V: Display>(text: &mut String, name: &str, help: &str, samples: impl Iterator<Item = (&'l String, V)>) {
    let mut samples = samples.peekable();
    if samples.peek().is_none() {
        return;
    }
    head(text, name, help, "gauge");
    for (labels, value) in samples {
        sample(text, name, labels, value);
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    // Writing to a string cannot fail.
    let _written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _written = writeln!(text, "{name}{labels} {value}");
}

/// `{name="value",…}`; backslashes, quotes and ends of lines are escaped ("Exposition formats", Prometheus's manual).
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_metrics_of_volumes_and_of_lags() {
        let newest = |name: &str, age_s: Option<i64>| Newest {
            region: name.parse().unwrap(),
            snapshot: age_s.map(|_| "snap-1".into()),
            time: age_s.map(|_| "2026-11-21T02:00:00Z".parse().unwrap()),
            age_s,
            lag_s: None,
            is_stale: age_s.is_none(),
        };
        let line = Line {
            region: "eu-west-1".parse().unwrap(),
            volume: "vol-1".to_owned(),
            instance: Some("i-1".to_owned()),
            native: newest("eu-west-1", Some(3_600)),
            copies: vec![newest("us-east-1", None)],
        };
        let report = Report {
            now: "2026-11-21T03:00:00Z".parse().unwrap(),
            volumes: vec![line],
            lags: Lag::of(&"us-east-1".parse().unwrap(), vec![10, 30]).into_iter().collect(),
            ..Report::default()
        };
        let text = metrics(&report);
        let volume = r#"{volume="vol-1",home="eu-west-1",instance="i-1",region="eu-west-1"}"#;
        for line in [
            "# TYPE lastgood_ec2_snapshot_age_seconds gauge".to_owned(),
            format!("lastgood_ec2_snapshot_age_seconds{volume} 3600"),
            format!("lastgood_ec2_snapshot_time_seconds{volume} 1795226400"),
            format!("lastgood_ec2_snapshot_stale{volume} 0"),
            format!("lastgood_ec2_snapshot_stale{} 1", volume.replace("region=\"eu-west-1\"", "region=\"us-east-1\"")),
            "# TYPE lastgood_ec2_copy_lag_seconds summary".to_owned(),
            "lastgood_ec2_copy_lag_seconds{region=\"us-east-1\",quantile=\"0.95\"} 30".to_owned(),
            "lastgood_ec2_copy_lag_seconds_sum{region=\"us-east-1\"} 40".to_owned(),
            "lastgood_ec2_copy_lag_seconds_count{region=\"us-east-1\"} 2".to_owned(),
            "lastgood_ec2_report_failed_regions 0".to_owned(),
        ] {
            assert_eq!(text.lines().filter(|one| **one == line).count(), 1, "{line}\n{text}");
        }
        // What there is none of has no sample, rather than a wrong one.
        assert_eq!(text.matches("lastgood_ec2_snapshot_age_seconds{").count(), 1, "{text}");
    }

    #[test]
    fn values_of_labels_cannot_end_them() {
        assert_eq!(labels(&[("a", "b\"c\\d\ne")]), "{a=\"b\\\"c\\\\d\\ne\"}");
    }
}
