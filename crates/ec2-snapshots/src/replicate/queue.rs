//! Which copy begins next, and how many may be under way: a pure decision that is told the time.
//!
//! EC2 limits the copies into a region, and others of the account share them: the limit is learned from refusals. What is
//! furthest behind begins first, except for what is so long that the end of all would wait for it.

use std::time::Duration;

/// The first pause after a refusal with nothing of ours under way to wait for, and between looks for more room.
const PROBE_FIRST: Duration = Duration::from_secs(30);

/// The longest: whoever else used the slots may be done for hours before we notice more than this.
const PROBE_MAX: Duration = Duration::from_secs(300);

/// A copy to begin is taken for the one that decides when all ends if it is as long as this share of the work left for
/// each slot. Less than all of it: sizes are estimates, and slots are never filled evenly.
const DECISIVE_SHARE: f64 = 0.6;

/// A copy that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    /// The caller's number for it.
    pub number: usize,
    /// How long it will take, in any unit that is the same for all: the size will do.
    pub estimate: f64,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    job: Job,
    since: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    job: Job,
    /// It cannot begin before.
    from: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin this copy, and tell how that went: [`Queue::began`], [`Queue::refused`] or [`Queue::gave_up`].
    Begin(usize),
    /// Nothing until a copy under way ends, or until this moment.
    Wait(Option<Duration>),
    /// Everything is done.
    Done,
}

/// Copies that wait and copies under way. Moments are durations since some beginning.
#[derive(Clone, Debug)]
pub struct Queue {
    /// What is furthest behind first.
    waiting: Vec<Waiting>,
    flying: Vec<Flight>,
    /// How many may be under way, as far as is known.
    slots: Option<usize>,
    probe_at: Duration,
    probe_pause: Duration,
    /// Units of estimate a second, learned from copies that ended.
    speed: Option<f64>,
}

impl Queue {
    /// Copies to make, what is furthest behind first.
    #[must_use]
    pub fn new(jobs: Vec<Job>) -> Self {
        let waiting = jobs.into_iter().map(|job| Waiting { job, from: Duration::ZERO }).collect();
        Self {
            waiting,
            flying: Vec::new(),
            slots: None,
            probe_at: Duration::ZERO,
            probe_pause: PROBE_FIRST,
            speed: None,
        }
    }

    /// How many copies are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.flying.len()
    }

    /// How many may be, as far as was learned.
    #[must_use]
    pub fn slots(&self) -> Option<usize> {
        self.slots
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&self, now: Duration) -> Next {
        let Some(job) = self.choice(now) else {
            return match self.waiting.iter().map(|waiting| waiting.from).min() {
                Some(from) => Next::Wait(Some(from)),
                None if self.flying.is_empty() => Next::Done,
                None => Next::Wait(None),
            };
        };
        if self.slots.is_none_or(|slots| self.flying.len() < slots) || now >= self.probe_at {
            Next::Begin(job.number)
        } else {
            Next::Wait(Some(self.probe_at))
        }
    }

    /// The copy `number` is under way.
    pub fn began(&mut self, number: usize, now: Duration) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.job.number == number) else { return };
        let job = self.waiting.remove(at).job;
        self.flying.push(Flight { job, since: now });
        if self.slots.is_some_and(|slots| slots < self.flying.len()) {
            // There is more room than was known: the next one is tried at once.
            self.slots = Some(self.flying.len());
            self.probe_at = now;
            self.probe_pause = PROBE_FIRST;
        }
    }

    /// There was no slot for a copy: it waits.
    pub fn refused(&mut self, now: Duration) {
        self.slots = Some(self.flying.len());
        self.probe_at = now + self.probe_pause;
        self.probe_pause = (self.probe_pause * 2).min(PROBE_MAX);
    }

    /// The copy `number` cannot begin before `from`; others can.
    pub fn postpone(&mut self, number: usize, from: Duration) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.job.number == number) {
            waiting.from = from;
        }
    }

    /// The copy `number` will not be made, or is there already.
    pub fn gave_up(&mut self, number: usize) {
        self.waiting.retain(|waiting| waiting.job.number != number);
        self.flying.retain(|flight| flight.job.number != number);
    }

    /// The copy `number`, which was under way, is complete.
    pub fn ended(&mut self, number: usize, now: Duration) {
        let Some(flight) = self.flying.iter().find(|flight| flight.job.number == number).copied() else { return };
        self.gave_up(number);
        let took = now.saturating_sub(flight.since).as_secs_f64();
        if took > 0.0 && flight.job.estimate > 0.0 {
            let speed = flight.job.estimate / took;
            // The newest counts for a quarter: one that was incremental and quick says little of the next.
            self.speed = Some(self.speed.map_or(speed, |known| known.mul_add(0.75, speed * 0.25)));
        }
    }

    /// The copy `number`, which was under way, failed, and is tried again after what waits.
    pub fn again(&mut self, number: usize) {
        let Some(at) = self.flying.iter().position(|flight| flight.job.number == number) else { return };
        let flight = self.flying.remove(at);
        self.waiting.push(Waiting { job: flight.job, from: Duration::ZERO });
    }

    /// The copy to begin next.
    fn choice(&self, now: Duration) -> Option<Job> {
        let ready = || self.waiting.iter().filter(|waiting| waiting.from <= now).map(|waiting| waiting.job);
        let first = ready().next()?;
        let longest = ready().max_by(|one, other| one.estimate.total_cmp(&other.estimate))?;
        let slots = self.slots.unwrap_or(self.flying.len() + 1).max(1);
        let each = self.work_left(now) / count(slots);
        Some(if longest.estimate >= each * DECISIVE_SHARE { longest } else { first })
    }

    fn work_left(&self, now: Duration) -> f64 {
        let waiting: f64 = self.waiting.iter().map(|waiting| waiting.job.estimate).sum();
        let flying: f64 = self
            .flying
            .iter()
            .map(|flight| {
                let gone = self.speed.unwrap_or(0.0) * now.saturating_sub(flight.since).as_secs_f64();
                (flight.job.estimate - gone).max(0.0)
            })
            .sum();
        waiting + flying
    }
}

/// Exact: a region has no more than a few hundred slots.
fn count(slots: usize) -> f64 {
    f64::from(u32::try_from(slots).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn jobs(sizes: &[f64]) -> Vec<Job> {
        sizes.iter().enumerate().map(|(number, estimate)| Job { number, estimate: *estimate }).collect()
    }

    /// Runs the queue against a region with `slots` slots, in virtual time and noticing ends within `poll`. Returns when
    /// all was done, and how many requests were refused.
    fn simulate(sizes: &[f64], took: &[f64], slots: impl Fn(Duration) -> usize, poll: Duration) -> (f64, u32) {
        let mut queue = Queue::new(jobs(sizes));
        let (mut now, mut refused) = (Duration::ZERO, 0_u32);
        let mut ends: Vec<(Duration, usize)> = Vec::new();
        loop {
            let busy = ends.iter().filter(|(end, _)| *end > now).count();
            match queue.next(now) {
                Next::Done => return (now.as_secs_f64(), refused),
                Next::Begin(number) if busy < slots(now) => {
                    queue.began(number, now);
                    ends.push((now + Duration::from_secs_f64(took[number]), number));
                }
                Next::Begin(_) => {
                    refused += 1;
                    queue.refused(now);
                }
                Next::Wait(until) => {
                    now += until.map_or(poll, |until| until.saturating_sub(now).clamp(SECOND, poll));
                    for (_, number) in ends.extract_if(.., |(end, _)| *end <= now) {
                        queue.ended(number, now);
                    }
                }
            }
        }
    }

    /// Sizes as volumes have them: many small ones and few of a terabyte. Times with as much luck as incremental copies have.
    fn sizes(seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
        };
        (0..500)
            .map(|_| {
                let size = 8.0 * (random() * 5.0).exp();
                (size, size * 4.0 * (0.7 + 0.6 * random()))
            })
            .unzip()
    }

    #[test]
    fn five_hundred_copies_end_within_a_tenth_of_what_is_possible() {
        for seed in 1..20 {
            let (sizes, mut took) = sizes(seed);
            // One that takes nearly as long as all others together need, and is the last in the order of the RPO.
            for longest in [false, true] {
                for slots in [20, 5] {
                    let total: f64 = took.iter().sum();
                    let mut sizes = sizes.clone();
                    if longest {
                        took[499] = total / f64::from(slots) * 0.9;
                        sizes[499] = took[499] / 4.0;
                    }
                    let total: f64 = took.iter().sum();
                    let best = (total / f64::from(slots)).max(took.iter().copied().fold(0.0, f64::max));
                    let (end, refused) = simulate(&sizes, &took, |_| slots as usize, SECOND * 15);
                    assert!(
                        end <= best * 1.1,
                        "seed {seed}, {slots} slots, longest {longest}: {end:.0} s, best {best:.0} s"
                    );
                    assert!(f64::from(refused) < end / 250.0 + 20.0, "{refused} requests were refused");
                }
            }
        }
    }

    #[test]
    fn slots_that_others_take_and_give_back_are_noticed() {
        let (sizes, took) = sizes(3);
        let total: f64 = took.iter().sum();
        // Twenty slots for the first third of the time that twenty need, then five.
        let change = total / 20.0 / 3.0;
        let slots = |now: Duration| if now.as_secs_f64() < change { 20 } else { 5 };
        let (end, _) = simulate(&sizes, &took, slots, SECOND * 15);
        let best = change + (total - change * 20.0) / 5.0;
        assert!(end <= best * 1.1, "{end:.0} s, best {best:.0} s");
        // None at all for an hour.
        let (end, refused) = simulate(&sizes, &took, |now| if now.as_secs() < 3600 { 0 } else { 20 }, SECOND * 15);
        assert!(end <= 3600.0 + 300.0 + total / 20.0 * 1.1, "{end:.0} s");
        assert!(f64::from(refused) < end / 250.0 + 20.0, "{refused} requests were refused");
    }

    #[test]
    fn what_is_furthest_behind_begins_first_and_what_must_wait_lets_others_go() {
        let mut queue = Queue::new(jobs(&[10.0; 8]));
        assert_eq!(queue.next(SECOND), Next::Begin(0));
        queue.postpone(0, SECOND * 60);
        assert_eq!(queue.next(SECOND), Next::Begin(1));
        assert_eq!(queue.next(SECOND * 60), Next::Begin(0));
    }

    proptest! {
        #[test]
        fn every_copy_begins_once_and_no_more_than_there_are_slots(
            sizes in prop::collection::vec(1.0..1000.0f64, 0..40), slots in 1usize..8,
        ) {
            let mut queue = Queue::new(jobs(&sizes));
            let mut now = Duration::ZERO;
            let (mut begun, mut flying) = (vec![0; sizes.len()], Vec::new());
            loop {
                match queue.next(now) {
                    Next::Done => break,
                    Next::Begin(number) if flying.len() < slots => {
                        queue.began(number, now);
                        begun[number] += 1;
                        flying.push(number);
                    }
                    Next::Begin(_) => queue.refused(now),
                    Next::Wait(_) => {
                        now += SECOND;
                        if let Some(number) = flying.pop() {
                            queue.ended(number, now);
                        }
                    }
                }
            }
            prop_assert!(begun.iter().all(|times| *times == 1));
        }
    }
}
