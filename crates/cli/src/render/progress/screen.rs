//! The one line that shows how far a run is: for a terminal of any width, and for a log.

use std::time::Duration;

use super::tally::{Measure, View};
use crate::render::escape::line;
use crate::render::units;

/// What turns while a step is not counted.
const TURNING: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Cells of a bar: fewer tell nothing, and more tell no more.
const BAR_CELLS: std::ops::RangeInclusive<usize> = 8..=24;

/// Between what stands on the line.
const GAP: &str = "  ";

/// What is shown on a terminal of `columns`; `turn` counts pictures. Never so long that the terminal would wrap it.
pub(super) fn screen(view: &View, columns: usize, turn: usize) -> String {
    // A line that fills the last column makes some terminals go to the next one.
    let room = columns.saturating_sub(1);
    let text = match &view.measure {
        None => turning(view, room, turn),
        Some(measure) if measure.bytes_total == 0 && measure.bytes == 0 => counted(view, measure, room),
        Some(measure) => flowing(view, measure, room),
    };
    cut(text, room)
}

/// What is said in a log.
pub(super) fn text(view: &View) -> String {
    let Some(measure) = &view.measure else {
        let detail = if view.detail.is_empty() { String::new() } else { format!(" ({})", line(&view.detail)) };
        return format!("{}{detail}, {}", view.words, clock(view.elapsed));
    };
    if measure.bytes_total == 0 && measure.bytes == 0 {
        return of_all(view, measure);
    }
    let percent = percent(measure).map(|percent| percent.trim_start().to_owned());
    let facts = [percent, Some(amount(measure)), rate(measure), time(measure)];
    format!("{}: {}", view.words, facts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// A step of which only its time is known.
fn turning(view: &View, room: usize, turn: usize) -> String {
    let text = format!("{} {}, {}", TURNING[turn % TURNING.len()], view.words, clock(view.elapsed));
    let detail = line(&view.detail);
    // Other letters may be two columns wide.
    let is_plain = !detail.is_empty() && detail.is_ascii();
    if is_plain && width(&text) + detail.len() + 3 <= room {
        return format!("{} {} ({detail}), {}", TURNING[turn % TURNING.len()], view.words, clock(view.elapsed));
    }
    text
}

/// A step whose things are counted: `building indexes 3 of 12, 00:10`.
fn counted(view: &View, measure: &Measure, room: usize) -> String {
    let mut text = of_all(view, measure);
    let percent = percent(measure).unwrap_or_default();
    let fixed = width(&text) + width(&percent) + 2 * GAP.len();
    if let Some(bar) = bar(measure, room.saturating_sub(fixed)) {
        text = format!("{text}{GAP}{bar}{GAP}{percent}");
    } else if width(&text) + GAP.len() + width(&percent) <= room {
        text = format!("{text}{GAP}{percent}");
    }
    text
}

/// A step whose bytes are counted. What matters most is shown first if there is no room for all.
fn flowing(view: &View, measure: &Measure, room: usize) -> String {
    let [percent, time, amount, rate] = [percent(measure), time(measure), Some(amount(measure)), rate(measure)];
    let mut left = room.saturating_sub(width(&view.words));
    let mut fits = |fact: Option<String>| {
        let fact = fact?;
        left = left.checked_sub(width(&fact) + GAP.len())?;
        Some(fact)
    };
    let [percent, time, amount, rate] = [fits(percent), fits(time), fits(amount), fits(rate)];
    let bar = bar(measure, left.saturating_sub(GAP.len()));
    let facts = [Some(view.words.clone()), bar, percent, amount, rate, time];
    facts.into_iter().flatten().collect::<Vec<_>>().join(GAP)
}

fn of_all(view: &View, measure: &Measure) -> String {
    let (items, all) = (units::count(measure.items), units::count(measure.items_total));
    format!("{} {items} of {all}, {}", view.words, clock(view.elapsed))
}

fn percent(measure: &Measure) -> Option<String> {
    measure.percent.map(|percent| format!("{percent:>3} %"))
}

fn amount(measure: &Measure) -> String {
    let done = units::bytes(measure.bytes);
    match measure.bytes_total {
        0 => done,
        _ if measure.percent == Some(100) => done,
        total => format!("{done} of about {}", units::bytes(total)),
    }
}

fn rate(measure: &Measure) -> Option<String> {
    measure.rate.map(|rate| format!("{}/s", units::bytes(rate)))
}

/// What is known of the time: how long the rest takes, or how long nothing has moved.
fn time(measure: &Measure) -> Option<String> {
    match (measure.still, measure.left) {
        (Some(still), _) => Some(format!("waiting for {}", clock(still))),
        (None, left) => left.map(|left| format!("{} left", clock(left))),
    }
}

/// A bar that fills `room`, if there is enough of it.
fn bar(measure: &Measure, room: usize) -> Option<String> {
    let cells = room.min(*BAR_CELLS.end());
    let done = usize::from(measure.percent?) * cells / 100;
    (cells >= *BAR_CELLS.start()).then(|| format!("{}{}", "█".repeat(done), "░".repeat(cells - done)))
}

/// `00:10`, or `1:02:03`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// Columns of a text of ours.
fn width(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: String, room: usize) -> String {
    if width(&text) <= room {
        return text;
    }
    let mut short: String = text.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(words: &str, seconds: u64, measure: Option<Measure>) -> View {
        View { words: words.into(), detail: "shop".into(), elapsed: Duration::from_secs(seconds), measure }
    }

    fn rows() -> View {
        let measure = Measure {
            bytes: 1_300 << 20,
            bytes_total: 2_750 << 20,
            items: 4,
            items_total: 9,
            percent: Some(47),
            rate: Some(88 << 20),
            left: Some(Duration::from_secs(16)),
            still: None,
        };
        view("loading rows", 15, Some(measure))
    }

    fn indexes() -> View {
        let measure = Measure { items: 3, items_total: 12, percent: Some(25), ..Measure::default() };
        view("building indexes", 10, Some(measure))
    }

    fn still() -> View {
        let View { measure, .. } = rows();
        let measure = Measure { rate: None, left: None, still: Some(Duration::from_secs(7)), ..measure.unwrap() };
        view("loading rows", 22, Some(measure))
    }

    /// Screens of both widths, as they are.
    #[test]
    fn screens_of_80_columns() {
        let screens =
            [rows(), still(), indexes(), view("locking tables", 3, None), view("comparing with the dump", 3_723, None)];
        let screens: Vec<String> = screens.iter().map(|view| screen(view, 80, 0)).collect();
        assert_eq!(
            screens,
            [
                "loading rows  ████░░░░░░   47 %  1.3 GiB of about 2.7 GiB  88 MiB/s  00:16 left",
                "loading rows  ██████░░░░░░░   47 %  1.3 GiB of about 2.7 GiB  waiting for 00:07",
                "building indexes 3 of 12, 00:10  ██████░░░░░░░░░░░░░░░░░░   25 %",
                "⠋ locking tables (shop), 00:03",
                "⠋ comparing with the dump (shop), 1:02:03",
            ]
        );
    }

    #[test]
    fn screens_of_40_columns() {
        let screens =
            [rows(), still(), indexes(), view("locking tables", 3, None), view("comparing with the dump", 3_723, None)];
        let screens: Vec<String> = screens.iter().map(|view| screen(view, 40, 0)).collect();
        assert_eq!(
            screens,
            [
                "loading rows   47 %  00:16 left",
                "loading rows   47 %  waiting for 00:07",
                "building indexes 3 of 12, 00:10   25 %",
                "⠋ locking tables (shop), 00:03",
                "⠋ comparing with the dump, 1:02:03",
            ]
        );
    }

    #[test]
    fn no_screen_is_wider_than_its_terminal() {
        let long = View { detail: "x".repeat(200), ..view("trying refused entries again", 99_999, None) };
        for view in [rows(), still(), indexes(), long] {
            for columns in 0..200 {
                let text = screen(&view, columns, columns);
                assert!(width(&text) <= columns.saturating_sub(1).max(1), "{columns}: {text}");
            }
        }
    }

    #[test]
    fn lines_of_a_log_say_all() {
        assert_eq!(text(&rows()), "loading rows: 47 %, 1.3 GiB of about 2.7 GiB, 88 MiB/s, 00:16 left");
        assert_eq!(text(&indexes()), "building indexes 3 of 12, 00:10");
        assert_eq!(text(&view("locking tables", 3, None)), "locking tables (shop), 00:03");
        assert_eq!(text(&still()), "loading rows: 47 %, 1.3 GiB of about 2.7 GiB, waiting for 00:07");
    }
}
