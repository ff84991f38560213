//! What each step of a run costs: wall and CPU seconds, so that whoever wants it faster sees where.

use std::fs;
use std::time::{Duration, Instant};

/// Ticks of the kernel's accounting in a second, wherever Linux runs on this architecture.
const TICKS_PER_S: f64 = 100.0;

/// The fields of `/proc/self/stat` behind the name: our own user and system time, and that of children that ended.
const FIRST_TIME_FIELD: usize = 11;
const TIME_FIELDS: usize = 4;

/// Steps and what they took.
#[derive(Debug)]
pub(crate) struct Times {
    begun: Instant,
    cpu_begun_s: f64,
    steps: Vec<(&'static str, Cost)>,
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: Duration,
    cpu_s: f64,
}

impl Times {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), cpu_begun_s: cpu_s(), steps: Vec::new() }
    }

    /// Runs one step and notes what it took, also if it fails.
    pub(crate) fn of<T>(&mut self, name: &'static str, step: impl FnOnce() -> T) -> T {
        let (begun, cpu_begun_s) = (Instant::now(), cpu_s());
        let result = step();
        self.steps.push((name, Cost { wall: begun.elapsed(), cpu_s: cpu_s() - cpu_begun_s }));
        result
    }

    /// A line for each step and one for all.
    pub(crate) fn table(&self) -> String {
        let all = Cost { wall: self.begun.elapsed(), cpu_s: cpu_s() - self.cpu_begun_s };
        table(&self.steps, all)
    }
}

fn table(steps: &[(&'static str, Cost)], all: Cost) -> String {
    let share = |cost: Cost| 100.0 * cost.wall.as_secs_f64() / all.wall.as_secs_f64().max(f64::MIN_POSITIVE);
    let line = |name: &str, cost: Cost| {
        format!("{:>9.1} s {:>9.1} s {:>4.0} %  {name}\n", cost.wall.as_secs_f64(), cost.cpu_s, share(cost))
    };
    let lines: String = steps.iter().map(|(name, cost)| line(name, *cost)).collect();
    format!("{:>11} {:>11} {:>6}  step\n{lines}{}", "wall", "CPU", "wall", line("all", all))
}

/// CPU seconds of this process and of its children that ended, theirs included.
fn cpu_s() -> f64 {
    fs::read_to_string("/proc/self/stat").map_or(0.0, |stat| ticks(&stat) as f64 / TICKS_PER_S)
}

/// The name may hold anything, so that the fields are counted from behind it.
fn ticks(stat: &str) -> u64 {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(FIRST_TIME_FIELD).take(TIME_FIELDS).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_hostile_name() {
        let stat = "7 (a) b 1 2) S 1 7 7 0 -1 4194560 1 2 3 4 10 20 300 4000 20 0 1 0 99 0";
        assert_eq!(ticks(stat), 4330);
        assert_eq!(ticks(""), 0);
    }

    #[test]
    fn the_table_has_a_line_a_step_and_one_for_all() {
        let cost = |wall_s, cpu_s| Cost { wall: Duration::from_secs(wall_s), cpu_s };
        let text = table(&[("setup", cost(1, 0.5)), ("end to end", cost(3, 5.0))], cost(4, 5.5));
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "       wall         CPU   wall  step",
                "      1.0 s       0.5 s   25 %  setup",
                "      3.0 s       5.0 s   75 %  end to end",
                "      4.0 s       5.5 s  100 %  all",
            ]
        );
    }

    #[test]
    fn a_step_that_fails_is_in_the_table() {
        let mut times = Times::begin();
        assert!(times.of("broken", || Err::<(), &str>("no")).is_err());
        assert!(times.table().contains("broken"));
    }
}
