//! The curve of a simulation, in letters and as SVG.

use ec2_snapshots::simulate::{Sample, Simulation};

use crate::render::units::{count, duration};

/// Size of the chart in letters: fits a terminal of 80 columns with its scale.
const COLUMNS: usize = 68;
const ROWS: u64 = 10;

/// Size of the SVG in its own units, and the margin of its axes.
const WIDTH: u64 = 800;
const HEIGHT: u64 = 320;
const MARGIN: u64 = 50;

/// The most of each column's samples.
fn columns(samples: &[Sample], columns: usize) -> Vec<u64> {
    let per_column = samples.len().div_ceil(columns).max(1);
    samples.chunks(per_column).map(|some| some.iter().map(|sample| sample.kept).max().unwrap_or(0)).collect()
}

pub(crate) fn chart(simulation: &Simulation, policy: &str) -> String {
    let most = simulation.kept_max().max(1);
    let heights = columns(&simulation.samples, COLUMNS);
    let mut lines = vec![format!("Snapshots kept by the policy {policy}")];
    for row in (1..=ROWS).rev() {
        // A column reaches a row if it is taller than the row's lower edge.
        let bar: String = heights.iter().map(|kept| if kept * ROWS > most * (row - 1) { '█' } else { ' ' }).collect();
        let scale = if row == ROWS { count(most) } else { String::new() };
        lines.push(format!("{scale:>7} │{}", bar.trim_end()));
    }
    lines.push(format!("{:>7} └{}", 0, "─".repeat(heights.len())));
    let lasts_s = simulation.samples.last().map_or(0, |sample| sample.at_s);
    let days = lasts_s / 86_400;
    lines.push(format!(
        "{} taken in {} days; {} kept at the end, at most {}",
        count(simulation.taken),
        count(days),
        count(simulation.ages_s.len() as u64),
        count(simulation.kept_max())
    ));
    let oldest = simulation.ages_s.last().copied().unwrap_or(0);
    lines.push(format!(
        "oldest: {}; longest gap: {} % of the age of its newer edge",
        duration(std::time::Duration::from_secs(oldest)),
        simulation.worst_gap_thousandths().div_ceil(10)
    ));
    lines.join("\n")
}

pub(crate) fn svg(simulation: &Simulation, policy: &str) -> String {
    let most = simulation.kept_max().max(1);
    let lasts_s = simulation.samples.last().map_or(1, |sample| sample.at_s).max(1);
    let (inner_width, inner_height) = (WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN);
    let points: Vec<String> = simulation
        .samples
        .iter()
        .map(|sample| {
            let x = MARGIN + sample.at_s * inner_width / lasts_s;
            let y = HEIGHT - MARGIN - sample.kept * inner_height / most;
            format!("{x},{y}")
        })
        .collect();
    let (bottom, right) = (HEIGHT - MARGIN, WIDTH - MARGIN);
    let days = lasts_s / 86_400;
    // The name of a policy is made of its rules, and rules can have tags.
    let policy = policy.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"24\">Snapshots kept by the policy {policy}</text>\n\
         <path d=\"M{MARGIN},{MARGIN} V{bottom} H{right}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"{label}\" y=\"{MARGIN}\" text-anchor=\"end\">{most}</text>\n\
         <text x=\"{label}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
         <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{days} days</text>\n\
         <polyline fill=\"none\" stroke=\"steelblue\" stroke-width=\"1.5\" points=\"{}\"/>\n\
         </svg>\n",
        points.join(" "),
        label = MARGIN - 6,
        below = bottom + 18,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation() -> Simulation {
        let samples = (1..=200).map(|at| Sample { at_s: at * 3_600, kept: at.min(30), gap_per_age_thousandths: 499 });
        Simulation { taken: 200, samples: samples.collect(), ages_s: vec![0, 7_200] }
    }

    #[test]
    fn the_chart_fits_a_terminal_and_names_its_scale() {
        let text = chart(&simulation(), "logarithmic");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("     30 │") && text.contains("200 taken in 8 days"), "{text}");
        assert!(text.contains("50 % of the age"), "{text}");
    }

    #[test]
    fn the_svg_has_a_point_for_each_sample_and_no_markup_of_a_tag() {
        let text = svg(&simulation(), "tag <b>&");
        let points = text.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(points.split(' ').count(), 200);
        assert!(text.contains("tag &lt;b&gt;&amp;") && text.ends_with("</svg>\n"));
    }
}
