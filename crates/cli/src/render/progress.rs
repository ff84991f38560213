//! Shows the progress of a run: a bar on a terminal, periodic lines elsewhere, JSON lines on request, or nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backup_core::progress::{Event, Progress, SharedProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{CliError, CliResult};
use crate::render::escape::line;
use crate::render::printer::{Printer, stderr_is_terminal};
use crate::render::remedy::sentence;
use crate::render::units;

/// How often a run without a terminal says that it is alive: often enough for a log's reader, rare enough for the log.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// How the names of steps end that come right after a backup began to exist; their details are its key.
const PUBLISHED: &str = ".published";

/// Bar redraws a second; each one costs a system call or two.
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
    let state = Mutex::new(State { tally: Tally::default(), started: Instant::now(), bar: None });
    let shown = Arc::new(Shown { mode, printer: Arc::clone(printer), state });
    if mode == Mode::Lines {
        let watched = Arc::downgrade(&shown);
        // A thread of its own, because steps inside the server or an external program bring no events for minutes.
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(LINE_EVERY);
                let Some(shown) = watched.upgrade() else { return };
                shown.say();
            }
        });
    }
    shown
}

#[derive(Debug)]
struct Shown {
    mode: Mode,
    printer: Arc<Printer>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    started: Instant,
    bar: Option<ProgressBar>,
}

/// What is known of the work's size and of how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    step: String,
    bytes: u64,
    bytes_total: u64,
    items: u64,
    items_total: u64,
}

impl Tally {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Step { name, detail } => {
                self.step = if detail.is_empty() { (*name).to_owned() } else { format!("{name} {detail}") };
            }
            Event::Total { bytes, items } => {
                *self = Self { step: std::mem::take(&mut self.step), ..Self::default() };
                self.bytes_total = *bytes;
                self.items_total = *items;
            }
            Event::Advance { bytes, items } => {
                self.bytes = self.bytes.saturating_add(*bytes);
                self.items = self.items.saturating_add(*items);
            }
            _ => {}
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let mut text = self.step.clone();
        if self.bytes > 0 {
            text.push_str(&format!("  {}", units::bytes(self.bytes)));
            if self.bytes_total > 0 {
                text.push_str(&format!(" of about {}", units::bytes(self.bytes_total)));
            }
            text.push_str(&format!("  {}/s", units::bytes(rate(self.bytes, elapsed))));
        }
        if self.items_total > 0 {
            text.push_str(&format!("  {} of {} done", units::count(self.items), units::count(self.items_total)));
        }
        text
    }
}

fn rate(bytes: u64, elapsed: Duration) -> u64 {
    let ms = elapsed.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / ms).unwrap_or(u64::MAX)
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
                if let Ok(line) = serde_json::to_string(&event) {
                    self.printer.json_line(&line);
                }
            }
            Mode::Bar => self.draw(&event),
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
    fn say(&self) {
        let Ok(line) = self.state.lock().map(|state| state.tally.line(state.started.elapsed())) else { return };
        if !line.is_empty() {
            self.printer.note(&line);
        }
    }

    fn tally(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        if matches!(event, Event::Total { .. }) {
            state.started = Instant::now();
        }
        state.tally.take(event);
    }

    fn draw(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        state.tally.take(event);
        let tally = state.tally.clone();
        let bar = state.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S));
            bar.set_style(bar_style(false));
            self.printer.set_bar(Some(bar.clone()));
            bar
        });
        if matches!(event, Event::Total { .. }) {
            bar.set_length(tally.bytes_total);
            bar.reset_elapsed();
            bar.set_style(bar_style(tally.bytes_total > 0));
        }
        bar.set_position(tally.bytes);
        bar.set_message(line(&tally.step).into_owned());
    }
}

/// The bar's looks. Sizes are estimates before the work is done, so that no end time is promised in seconds.
fn bar_style(sized: bool) -> ProgressStyle {
    let template = if sized {
        "{bar:24} {binary_bytes:>10} of about {binary_total_bytes}  {binary_bytes_per_sec}  {wide_msg}"
    } else {
        "{spinner} {elapsed}  {wide_msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
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
    fn a_line_tells_step_bytes_rate_and_items() {
        let mut tally = Tally::default();
        for event in [
            Event::Step { name: "dump.data", detail: "shop".into() },
            Event::Total { bytes: 4 << 20, items: 3 },
            Event::Advance { bytes: 2 << 20, items: 1 },
        ] {
            tally.take(&event);
        }
        let line = tally.line(Duration::from_secs(2));
        assert_eq!(line, "dump.data shop  2.0 MiB of about 4.0 MiB  1.0 MiB/s  1 of 3 done");
    }

    #[test]
    fn a_new_total_starts_counting_anew() {
        let mut tally = Tally::default();
        tally.take(&Event::Advance { bytes: 5, items: 5 });
        tally.take(&Event::Total { bytes: 7, items: 1 });
        assert_eq!((tally.bytes, tally.bytes_total, tally.items), (0, 7, 0));
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
