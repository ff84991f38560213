//! How far a run is, as its events tell. Pure: the time since it began is told from outside.

use std::collections::VecDeque;
use std::time::Duration;

use backup_core::progress::Event;

use super::stage::{self, Counted};

/// A rate is that of so much time before now: long enough not to jump, short enough to be that of now.
const RATE_OVER: Duration = Duration::from_secs(10);

/// How often what was counted is remembered for the rate.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// Before this much time a rate is a guess, and nothing is promised.
const PROMISE_AFTER: Duration = Duration::from_secs(2);

/// After this much time without any progress, that is what is told instead of a rate of before.
const STILL_AFTER: Duration = Duration::from_secs(5);

/// What is known of the work's size and of how far it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    step: &'static str,
    detail: String,
    step_begun: Duration,
    counts: Counts,
    /// Whether the total was told before the step that it is about.
    is_early: bool,
}

/// What was counted of one total.
#[derive(Clone, Debug, Default)]
struct Counts {
    bytes: u64,
    bytes_total: u64,
    items: u64,
    items_total: u64,
    begun: Duration,
    moved: Duration,
    /// Bytes that were done at a time, oldest first.
    samples: VecDeque<(Duration, u64)>,
}

/// What there is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// What is being done.
    pub(super) words: String,
    /// What it acts on.
    pub(super) detail: String,
    /// For how long.
    pub(super) elapsed: Duration,
    /// How far it is, if that is counted.
    pub(super) measure: Option<Measure>,
}

/// How far work is that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) bytes: u64,
    /// None is known if it is zero.
    pub(super) bytes_total: u64,
    pub(super) items: u64,
    /// None is known if it is zero.
    pub(super) items_total: u64,
    /// What is done of all, in whole hundredths.
    pub(super) percent: Option<u8>,
    /// Bytes a second, of late.
    pub(super) rate: Option<u64>,
    /// How long the rest takes at that rate.
    pub(super) left: Option<Duration>,
    /// How long nothing was done.
    pub(super) still: Option<Duration>,
}

impl Tally {
    /// Takes what happened at `now`, counted from the beginning of the run.
    pub(super) fn take(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Step { name, detail } => {
                if counted(name) == Counted::Begins && !std::mem::take(&mut self.is_early) {
                    self.counts = Counts::begin(0, 0, now);
                }
                (self.step, self.step_begun) = (*name, now);
                self.detail.clone_from(detail);
            }
            Event::Total { bytes, items } => {
                self.counts = Counts::begin(*bytes, *items, now);
                self.is_early = counted(self.step) == Counted::No;
            }
            Event::Advance { bytes, items } => self.counts.advance(*bytes, *items, now),
            _ => {}
        }
    }

    /// What there is to show at `now`; nothing before the first step.
    pub(super) fn view(&self, now: Duration) -> Option<View> {
        if self.step.is_empty() {
            return None;
        }
        let elapsed = now.saturating_sub(self.step_begun);
        let measure = (counted(self.step) != Counted::No).then(|| self.counts.measure(now));
        let measure = measure.filter(|it| it.bytes + it.bytes_total + it.items_total > 0);
        let is_done = measure.as_ref().is_some_and(|it| it.items_total > 0 && it.items >= it.items_total);
        if let Some(words) = stage::of(self.step).and_then(|stage| stage.afterwards).filter(|_| is_done) {
            return Some(View { words: words.to_owned(), detail: String::new(), elapsed, measure: None });
        }
        Some(View { words: stage::words(self.step), detail: self.detail.clone(), elapsed, measure })
    }

    /// How far what is counted is at `now`, whatever step it is.
    pub(super) fn measure(&self, now: Duration) -> Measure {
        self.counts.measure(now)
    }
}

fn counted(step: &str) -> Counted {
    stage::of(step).map_or(Counted::No, |stage| stage.counted)
}

impl Counts {
    fn begin(bytes_total: u64, items_total: u64, now: Duration) -> Self {
        let samples = VecDeque::from([(now, 0)]);
        Self { bytes_total, items_total, begun: now, moved: now, samples, ..Self::default() }
    }

    fn advance(&mut self, bytes: u64, items: u64, now: Duration) {
        if self.samples.back().is_none_or(|(time, _)| now.saturating_sub(*time) >= SAMPLE_EVERY) {
            self.samples.push_back((now, self.bytes));
        }
        // One that is older than the window stays: the rate begins at it.
        while self.samples.get(1).is_some_and(|(time, _)| now.saturating_sub(*time) >= RATE_OVER) {
            self.samples.pop_front();
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.items = self.items.saturating_add(items);
        self.moved = now;
    }

    fn measure(&self, now: Duration) -> Measure {
        let still = Some(now.saturating_sub(self.moved)).filter(|still| *still >= STILL_AFTER);
        let is_done = self.items_total > 0 && self.items >= self.items_total;
        // What was an estimate is known then.
        let bytes_total = if is_done { self.bytes } else { self.bytes_total };
        let rate = self.rate(now).filter(|_| still.is_none() && !is_done);
        let rest = bytes_total.saturating_sub(self.bytes);
        let is_settled = now.saturating_sub(self.begun) >= PROMISE_AFTER;
        let left = rate
            .filter(|rate| *rate > 0 && rest > 0 && is_settled)
            .map(|rate| Duration::from_secs(rest.div_ceil(rate)));
        Measure {
            bytes: self.bytes,
            bytes_total,
            items: self.items,
            items_total: self.items_total,
            percent: self.percent(),
            rate,
            left,
            still,
        }
    }

    /// Bytes a second since the newest sample that is old enough, or the oldest.
    fn rate(&self, now: Duration) -> Option<u64> {
        let is_old = |(time, _): &&(Duration, u64)| now.saturating_sub(*time) >= RATE_OVER;
        let (since, before) = self.samples.iter().take_while(is_old).last().or(self.samples.front())?;
        let ms = now.saturating_sub(*since).as_millis();
        if ms == 0 || self.bytes == 0 {
            return None;
        }
        u64::try_from(u128::from(self.bytes - before) * 1_000 / ms).ok()
    }

    /// Totals of bytes are estimates: they alone never say that all is done.
    fn percent(&self) -> Option<u8> {
        let share = |done: u64, all: u64| u8::try_from(u128::from(done.min(all)) * 100 / u128::from(all.max(1))).ok();
        match (self.bytes_total, self.items_total) {
            (0, 0) => None,
            (0, items) => share(self.items, items),
            (_, items) if items > 0 && self.items >= items => Some(100),
            (bytes, _) => share(self.bytes, bytes).map(|percent| percent.min(99)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn step(name: &'static str) -> Event {
        Event::Step { name, detail: "shop".to_owned() }
    }

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// A dump that has copied 2 MiB of 4 in 2 s.
    fn half() -> Tally {
        let mut tally = Tally::default();
        tally.take(&step("dump.lock"), at(0));
        tally.take(&Event::Total { bytes: 4 * MIB, items: 3 }, at(0));
        tally.take(&step("dump.data"), at(0));
        tally.take(&Event::Advance { bytes: MIB, items: 0 }, at(10));
        tally.take(&Event::Advance { bytes: MIB, items: 1 }, at(20));
        tally
    }

    #[test]
    fn percent_rate_and_time_left_are_those_of_now() {
        let view = half().view(at(20)).unwrap();
        assert_eq!((&*view.words, view.elapsed), ("dumping rows", at(20)));
        let measure = view.measure.unwrap();
        assert_eq!((measure.bytes, measure.items, measure.percent), (2 * MIB, 1, Some(50)));
        assert_eq!((measure.rate, measure.left, measure.still), (Some(MIB), Some(at(20)), None));
    }

    #[test]
    fn what_stands_still_shows_no_rate_of_before() {
        let measure = half().measure(at(95));
        assert_eq!((measure.rate, measure.left, measure.still), (None, None, Some(at(75))));
        assert_eq!(half().measure(at(60)).still, None);
        assert!(half().measure(at(60)).rate.unwrap() < MIB, "it falls before");
    }

    #[test]
    fn a_rate_forgets_what_was_long_ago() {
        let mut tally = half();
        for second in 3..=60_u64 {
            tally.take(&Event::Advance { bytes: 1_000, items: 0 }, Duration::from_secs(second));
        }
        let rate = tally.measure(Duration::from_secs(60)).rate.unwrap();
        assert!((900..=1_100).contains(&rate), "{rate}");
        assert!(tally.counts.samples.len() <= 42, "{}", tally.counts.samples.len());
    }

    #[test]
    fn estimates_alone_never_say_that_all_is_done() {
        let mut tally = half();
        tally.take(&Event::Advance { bytes: 9 * MIB, items: 0 }, at(30));
        assert_eq!((tally.measure(at(30)).percent, tally.measure(at(30)).left), (Some(99), None));
        tally.take(&Event::Advance { bytes: 0, items: 2 }, at(31));
        assert_eq!(tally.measure(at(31)).percent, Some(100));
    }

    #[test]
    fn what_is_done_takes_no_more_time_and_its_size_is_known() {
        let mut tally = half();
        tally.take(&Event::Advance { bytes: 0, items: 2 }, at(25));
        let measure = tally.measure(at(26));
        assert_eq!((measure.percent, measure.bytes, measure.bytes_total), (Some(100), 2 * MIB, 2 * MIB));
        assert_eq!((measure.rate, measure.left), (None, None));
        let view = tally.view(at(26)).unwrap();
        assert_eq!((&*view.words, view.measure), ("storing the last rows", None));
    }

    #[test]
    fn a_step_that_is_not_counted_shows_no_bar_of_the_one_before() {
        let mut tally = half();
        tally.take(&step("dump.large_objects"), at(21));
        assert!(tally.view(at(22)).unwrap().measure.is_some(), "it goes on");
        tally.take(&step("dump.manifest"), at(23));
        let view = tally.view(at(43)).unwrap();
        assert_eq!((view.measure, view.elapsed), (None, at(20)));
        tally.take(&step("restore.data"), at(50));
        assert_eq!(tally.view(at(50)).unwrap().measure, None, "nothing is counted of it yet");
        tally.take(&Event::Total { bytes: 8, items: 1 }, at(51));
        assert_eq!(tally.view(at(51)).unwrap().measure.unwrap().percent, Some(0));
    }

    #[test]
    fn indexes_are_counted_and_what_follows_them_is_named() {
        let mut tally = Tally::default();
        tally.take(&step("restore.post_data"), at(0));
        tally.take(&Event::Total { bytes: 0, items: 12 }, at(0));
        tally.take(&Event::Advance { bytes: 0, items: 3 }, at(50));
        let view = tally.view(at(100)).unwrap();
        let measure = view.measure.unwrap();
        assert_eq!(
            (&*view.words, measure.items, measure.items_total, measure.percent),
            ("building indexes", 3, 12, Some(25))
        );
        tally.take(&Event::Advance { bytes: 0, items: 9 }, at(110));
        let view = tally.view(at(120)).unwrap();
        assert_eq!((&*view.words, view.measure), ("adding constraints", None));
    }
}
