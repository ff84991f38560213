//! Medians, ratios and the table.

use super::measure::Measurement;
use crate::printer::say;

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) job: String,
    /// What it is compared with.
    pub(crate) against: String,
    /// Our figures.
    pub(crate) ours: String,
    /// The peer's.
    pub(crate) peer: String,
    /// How they compare.
    pub(crate) outcome: String,
    /// What was to be reached.
    pub(crate) target: String,
    /// Whether it was.
    pub(crate) met: bool,
}

impl Row {
    fn cells(&self) -> [&str; 7] {
        let met = if self.met { "met" } else { "**not met**" };
        [&self.job, &self.against, &self.ours, &self.peer, &self.outcome, &self.target, met]
    }
}

/// The table in Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text =
        String::from("| job | against | lastgood | peer | result | target | |\n|---|---|---|---|---|---|---|\n");
    for row in rows {
        text.push_str("| ");
        text.push_str(&row.cells().map(|cell| cell.replace('|', "\\|")).join(" | "));
        text.push_str(" |\n");
    }
    text
}

/// What a smoke run says in place of the table: with so little data, programs take longer to start than to work.
pub(crate) fn smoke(rows: &[Row]) -> String {
    format!("A smoke run: {} comparisons ran to their end on very little data, and no target was looked at", rows.len())
}

/// Says what one run took.
pub(crate) fn show(round: usize, name: &str, run: &Measurement) {
    say(&format!(
        "  round {}  {name:<34} {:>7.2} s   client CPU {:>6.2} s   server CPU {:>6.2} s   {:>8} memory   {:>9} made",
        round + 1,
        run.wall_s,
        run.client_cpu_s,
        run.server_cpu_s,
        mib(run.peak_bytes),
        mib(run.output_bytes),
    ));
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// Median wall time in seconds.
pub(crate) fn wall_s(runs: &[Measurement]) -> f64 {
    median(runs.iter().map(|run| run.wall_s))
}

/// Median size of what was made, in bytes.
pub(crate) fn output_bytes(runs: &[Measurement]) -> f64 {
    median(runs.iter().map(|run| run.output_bytes as f64))
}

/// `3.21 s, CPU 2.50 + 2.31 s`: medians of wall, client and server.
pub(crate) fn times(runs: &[Measurement]) -> String {
    let client = median(runs.iter().map(|run| run.client_cpu_s));
    let server = median(runs.iter().map(|run| run.server_cpu_s));
    format!("{:.2} s (CPU {client:.2} + {server:.2} s)", wall_s(runs))
}

/// Bytes as `96.4 MiB`.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_do_not_depend_on_order() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median([]).is_nan());
    }

    #[test]
    fn cells_cannot_break_the_table() {
        let row = Row {
            job: "a".into(),
            against: "b | c".into(),
            ours: String::new(),
            peer: String::new(),
            outcome: String::new(),
            target: String::new(),
            met: false,
        };
        assert!(table(&[row]).ends_with("| a | b \\| c |  |  |  |  | **not met** |\n"));
    }
}
