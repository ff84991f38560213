//! Shows the progress of a run: a picture of one line on a terminal, a line now and then elsewhere, JSON lines on request, or nothing.

mod screen;
mod stage;
mod tally;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backup_core::progress::{Event, Progress, SharedProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::error::{CliError, CliResult};
use crate::render::printer::{Printer, stderr_is_terminal};
use crate::render::remedy::sentence;
use tally::Tally;

/// How often a run without a terminal says that it is alive: often enough for a log's reader, rare enough for the log.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Columns of a terminal that does not say how many it has.
const COLUMNS_UNKNOWN: usize = 80;

/// How the names of steps end that come right after a backup began to exist; their details are its key.
const PUBLISHED: &str = ".published";

/// When a run without a terminal first says what it does: whoever waits for a log wants to know that it is alive.
const LINE_FIRST: Duration = Duration::from_secs(5);

/// How often a terminal shows time going by, whatever else happens.
const PICTURE_EVERY: Duration = Duration::from_millis(250);

/// A picture is not made so soon after another one.
const PICTURE_AFTER: Duration = Duration::from_millis(50);

/// Pictures a second; each one costs a system call or two.
const REDRAWS_PER_S: u8 = 8;

/// How events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Bar,
    Lines,
    Json,
    Never,
}

impl Mode {
    /// Reads `LASTGOOD_PROGRESS`; unset means `auto`.
    pub(crate) fn choose(wanted: Option<&str>, quiet: bool, json: bool) -> CliResult<Self> {
        match wanted.unwrap_or("auto") {
            "never" => Ok(Self::Never),
            "json" => Ok(Self::Json),
            // A program that reads JSON asked for documents, not for a moving picture.
            "auto" if quiet || json => Ok(Self::Never),
            "auto" if stderr_is_terminal() => Ok(Self::Bar),
            "auto" => Ok(Self::Lines),
            other => Err(CliError::usage(
                format!("invalid value `{other}` for {}", crate::env::PROGRESS),
                "use `auto`, `never` or `json`",
            )),
        }
    }
}

/// The receiver for `mode`.
pub(crate) fn progress(mode: Mode, printer: &Arc<Printer>) -> SharedProgress {
    let state = Mutex::new(State { tally: Tally::default(), bar: None, turn: 0, drawn: Duration::ZERO });
    let shown = Arc::new(Shown { mode, printer: Arc::clone(printer), begun: Instant::now(), state });
    let pauses = match mode {
        Mode::Lines => Some((LINE_FIRST, LINE_EVERY)),
        Mode::Bar => Some((PICTURE_EVERY, PICTURE_EVERY)),
        Mode::Json | Mode::Never => None,
    };
    if let Some((first, every)) = pauses {
        let watched = Arc::downgrade(&shown);
        // A thread of its own, because steps inside the server or an external program bring no events for minutes.
        std::thread::spawn(move || {
            let mut pause = first;
            loop {
                std::thread::sleep(pause);
                let Some(shown) = watched.upgrade() else { return };
                shown.say();
                pause = every;
            }
        });
    }
    shown
}

#[derive(Debug)]
struct Shown {
    mode: Mode,
    printer: Arc<Printer>,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    bar: Option<ProgressBar>,
    /// Pictures drawn without anything having happened.
    turn: usize,
    /// When the last picture was made.
    drawn: Duration,
}

/// Retries as log lines, whether they are shown or not.
fn log(event: &Event) {
    if let Event::Retry { request, key, why, attempt, attempts_max } = event {
        tracing::debug!(target: "lastgood::retry", %key, %why, attempt, attempts_max, "{request}");
    }
}

impl Progress for Shown {
    fn event(&self, event: Event) {
        log(&event);
        if let Event::Step { name, detail } = &event
            && name.ends_with(PUBLISHED)
        {
            self.printer.remember_published(detail);
        }
        let event = match event {
            Event::Warning { message, remedy } => {
                let message = sentence(&message, remedy.as_ref());
                if self.mode != Mode::Json {
                    self.printer.warn(&message);
                    return;
                }
                Event::Warning { message, remedy: None }
            }
            other => other,
        };
        if let (Some(line), false) = (retry_line(&event), self.mode == Mode::Json) {
            self.printer.note(&line);
            return;
        }
        match self.mode {
            Mode::Bar | Mode::Lines if let Event::Output { from, line } = &event => {
                self.printer.note(&format!("{from}: {line}"));
            }
            Mode::Never => {}
            Mode::Json => {
                if let Some(line) = self.document(&event) {
                    self.printer.json_line(&line);
                }
            }
            Mode::Bar => self.draw(Some(&event)),
            Mode::Lines => self.tally(&event),
        }
    }
}

/// What is said of a request that is tried again.
fn retry_line(event: &Event) -> Option<String> {
    let Event::Retry { request, key, why, attempt, attempts_max } = event else { return None };
    let key = if key.is_empty() { String::new() } else { format!(" `{key}`") };
    Some(format!("retrying {request}{key}: {why} (attempt {attempt} of {attempts_max})"))
}

impl Shown {
    /// Tells how far the run is, although nothing may have happened.
    fn say(&self) {
        if self.mode == Mode::Bar {
            self.draw(None);
            return;
        }
        let view = self.state.lock().ok().and_then(|state| state.tally.view(self.begun.elapsed()));
        if let Some(view) = view {
            self.printer.note(&screen::text(&view));
        }
    }

    fn tally(&self, event: &Event) {
        if let Ok(mut state) = self.state.lock() {
            state.tally.take(event, self.begun.elapsed());
        }
    }

    /// Shows the state after `event`, or as it is now.
    fn draw(&self, event: Option<&Event>) {
        let Ok(mut state) = self.state.lock() else { return };
        let now = self.begun.elapsed();
        match event {
            Some(event) => state.tally.take(event, now),
            None => state.turn += 1,
        }
        // Thousands of tables a second would each be drawn for nobody.
        let is_soon = now.saturating_sub(state.drawn) < PICTURE_AFTER;
        if is_soon && matches!(event, Some(Event::Advance { .. })) {
            return;
        }
        state.drawn = now;
        let Some(view) = state.tally.view(now) else { return };
        let picture = screen::screen(&view, columns(), state.turn);
        let bar = state.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S));
            // Cut where the terminal ends, should a letter be wider than it is thought to be.
            bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.printer.set_bar(Some(bar.clone()));
            bar
        });
        bar.set_message(picture);
    }

    /// The event as a line for programs, with what it comes to.
    fn document(&self, event: &Event) -> Option<String> {
        let now = self.begun.elapsed();
        let measure = self.state.lock().ok().map(|mut state| {
            state.tally.take(event, now);
            state.tally.measure(now)
        })?;
        let mut line = serde_json::to_value(event).ok()?;
        let fields = line.as_object_mut()?;
        fields.insert("time".to_owned(), Timestamp::now().to_string().into());
        match event {
            Event::Step { name, .. } => {
                fields.insert("stage".to_owned(), stage::words(name).into());
            }
            Event::Total { .. } | Event::Advance { .. } => {
                let numbers = [
                    ("bytes_done", Some(measure.bytes)),
                    ("bytes_total", Some(measure.bytes_total)),
                    ("items_done", Some(measure.items)),
                    ("items_total", Some(measure.items_total)),
                    ("percent", measure.percent.map(u64::from)),
                    ("bytes_per_s", measure.rate),
                    ("eta_s", measure.left.map(|left| left.as_secs())),
                ];
                fields.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
            }
            _ => {}
        }
        serde_json::to_string(&line).ok()
    }
}

/// Columns of the terminal that standard error is.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col);
    if size == 0 { COLUMNS_UNKNOWN } else { usize::from(size) }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.printer.set_bar(None);
        if let Ok(state) = self.state.lock()
            && let Some(bar) = &state.bar
        {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_what_it_comes_to_and_when() {
        let printer = Arc::new(Printer::new(true, true, backup_core::secret::Redactor::new()));
        let state = Mutex::new(State { tally: Tally::default(), bar: None, turn: 0, drawn: Duration::ZERO });
        let shown = Shown { mode: Mode::Json, printer, begun: Instant::now(), state };
        let told =
            |event: Event| -> serde_json::Value { serde_json::from_str(&shown.document(&event).unwrap()).unwrap() };
        let step = told(Event::Step { name: "restore.data", detail: "3 tables".into() });
        assert_eq!([step["name"].as_str(), step["stage"].as_str()], [Some("restore.data"), Some("loading rows")]);
        assert!(step["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        let total = told(Event::Total { bytes: 400, items: 3 });
        let numbers = ["bytes", "bytes_total", "percent"].map(|name| total[name].as_u64());
        assert_eq!(numbers, [400, 400, 0].map(Some));
        let advance = told(Event::Advance { bytes: 100, items: 1 });
        let numbers = ["bytes", "bytes_done", "bytes_total", "items_done", "items_total", "percent"]
            .map(|name| advance[name].as_u64());
        assert_eq!(numbers, [100, 100, 400, 1, 3, 25].map(Some));
        assert!(told(Event::Output { from: "pre-dump".into(), line: "x".into() })["percent"].is_null());
    }

    #[test]
    fn a_retry_names_request_reason_and_attempt() {
        let retry = |key: &str| Event::Retry {
            request: "s3:GetObject".into(),
            key: key.into(),
            why: "timed out".into(),
            attempt: 2,
            attempts_max: 8,
        };
        let line = retry_line(&retry("pg/x")).unwrap();
        assert_eq!(line, "retrying s3:GetObject `pg/x`: timed out (attempt 2 of 8)");
        assert_eq!(retry_line(&retry("")).unwrap(), "retrying s3:GetObject: timed out (attempt 2 of 8)");
        assert_eq!(retry_line(&Event::Advance { bytes: 0, items: 0 }), None);
    }

    #[test]
    fn an_unknown_mode_is_a_usage_error() {
        assert!(matches!(Mode::choose(Some("sometimes"), false, false), Err(CliError::Usage { .. })));
        assert_eq!(Mode::choose(Some("json"), true, true).unwrap(), Mode::Json);
        assert_eq!(Mode::choose(None, true, false).unwrap(), Mode::Never);
    }
}
