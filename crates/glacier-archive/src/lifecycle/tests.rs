//! Any interleaving of requests, polls, notifications, clock and crashes, against a service that bills.

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A retrieval at the service.
#[derive(Clone, Debug)]
struct Job {
    name: String,
    done_at: i64,
    fails: bool,
    until: i64,
}

impl Job {
    fn is_live(&self, now: i64) -> bool {
        if now < self.done_at { true } else { !self.fails && now < self.until }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Taken,
    TakenAndLost,
    CrashBefore,
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Want {
        answer: Answer,
        hours: i64,
        fails: bool,
    },
    Poll,
    Wait {
        seconds: i64,
    },
    /// A notification of any earlier job, once more.
    Notify {
        which: usize,
    },
    Fetch {
        ends: u8,
    },
    LoseLocal,
}

fn step() -> impl Strategy<Value = Step> {
    let answer =
        prop_oneof![Just(Answer::Taken), Just(Answer::TakenAndLost), Just(Answer::CrashBefore), Just(Answer::Refused)];
    prop_oneof![
        (answer, 1i64..12, any::<bool>()).prop_map(|(answer, hours, fails)| Step::Want { answer, hours, fails }),
        Just(Step::Poll),
        (1i64..30 * HOUR).prop_map(|seconds| Step::Wait { seconds }),
        (1i64..90).prop_map(|seconds| Step::Wait { seconds }),
        (0usize..8).prop_map(|which| Step::Notify { which }),
        (0u8..4).prop_map(|ends| Step::Fetch { ends }),
        Just(Step::LoseLocal),
    ]
}

/// A client with what it persisted, and the service.
#[derive(Debug, Default)]
struct World {
    now: i64,
    kept: Retrieval,
    jobs: Vec<Job>,
    verified: bool,
}

impl World {
    fn live(&self) -> Option<&Job> {
        self.jobs.iter().find(|job| job.is_live(self.now))
    }

    /// Everything is persisted at once: a crash between two events loses nothing else.
    fn take(&mut self, event: &Event) -> bool {
        let next = self.kept.after(event, time(self.now));
        let changed = next.is_some();
        self.kept = next.unwrap_or_else(|| self.kept.clone());
        changed
    }

    fn poll(&mut self) {
        let event = match self.live() {
            None => Event::Absent,
            Some(job) if self.now < job.done_at => Event::Running { job: Some(job.name.clone()) },
            Some(job) => Event::Finished { job: Some(job.name.clone()), until: Some(time(job.until)) },
        };
        self.take(&event);
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Want { answer, hours, fails } => {
                let intended = Event::Intended { tier: Tier::Bulk, expected: time(self.now + hours * HOUR) };
                let was = self.kept.at(time(self.now)).phase;
                if self.take(&intended) && self.kept.phase == Phase::Requested && was == Phase::Available {
                    self.request(answer, hours, fails)?;
                }
            }
            Step::Poll => self.poll(),
            Step::Wait { seconds } => self.now += seconds,
            Step::Notify { which } => {
                let past = self.jobs.get(which).filter(|job| job.done_at <= self.now).cloned();
                if let Some(job) = past {
                    let (name, until) = (Some(job.name), Some(time(job.until)));
                    let told = if job.fails {
                        Event::Failed { job: name, reason: "it failed".to_owned() }
                    } else {
                        Event::Finished { job: name, until }
                    };
                    self.take(&told);
                }
            }
            Step::Fetch { ends } => self.fetch(ends),
            Step::LoseLocal => {
                if self.kept.phase == Phase::Local {
                    self.verified = false;
                    self.take(&Event::Lost);
                }
            }
        }
        Ok(())
    }

    fn request(&mut self, answer: Answer, hours: i64, fails: bool) -> Result<(), TestCaseError> {
        match answer {
            Answer::CrashBefore => return Ok(()),
            Answer::Refused => {
                self.take(&Event::Refused { reason: "no capacity".to_owned() });
                return Ok(());
            }
            Answer::Taken | Answer::TakenAndLost => {}
        }
        prop_assert!(self.live().is_none(), "paid twice: {:?}", self.live());
        let (name, done_at) = (format!("job-{}", self.jobs.len()), self.now + hours * HOUR);
        self.jobs.push(Job { name: name.clone(), done_at, fails, until: done_at + 24 * HOUR });
        if matches!(answer, Answer::Taken) {
            self.take(&Event::Accepted { job: Some(name) });
        }
        Ok(())
    }

    fn fetch(&mut self, ends: u8) {
        self.take(&Event::Opened);
        if self.kept.phase != Phase::Downloading {
            return;
        }
        match (ends, self.live()) {
            (0, _) => {} // killed
            (_, None) => drop(self.take(&Event::Absent)),
            (1, _) => drop(self.take(&Event::Broken { reason: "another digest".to_owned() })),
            _ => {
                self.verified = true;
                self.take(&Event::Verified);
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let seen = self.kept.at(time(self.now));
        if let Some(job) = self.live() {
            prop_assert!(seen.phase != Phase::Available, "{job:?} is forgotten: {seen:?}");
        }
        prop_assert!(seen.phase != Phase::Local || self.verified, "local without a verified digest");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn g4_no_paid_job_is_lost_and_nothing_is_paid_twice(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::default();
        for step in steps {
            world.run(step)?;
            world.check()?;
        }
        // Whatever happened, asking after a while tells the truth.
        world.now += SETTLING.as_secs() + 1;
        world.poll();
        let seen = world.kept.at(time(world.now)).phase;
        match world.live() {
            None => prop_assert!(matches!(seen, Phase::Available | Phase::Local), "{seen:?}"),
            Some(job) if world.now < job.done_at => prop_assert!(matches!(seen, Phase::Pending | Phase::Local)),
            Some(_) => prop_assert!(matches!(seen, Phase::Ready | Phase::Downloading | Phase::Local)),
        }
    }
}

fn pending() -> Retrieval {
    let expected = time(5 * HOUR);
    let asked = Retrieval::default().after(&Event::Intended { tier: Tier::Standard, expected }, time(0)).unwrap();
    asked.after(&Event::Accepted { job: Some("b".to_owned()) }, time(1)).unwrap()
}

#[test]
fn g3_what_was_ready_and_expired_is_available_again() {
    let until = Some(time(30 * HOUR));
    let ready = pending().after(&Event::Finished { job: None, until }, time(5 * HOUR)).unwrap();
    assert_eq!((ready.phase, ready.since, ready.until), (Phase::Ready, time(5 * HOUR), until));
    assert_eq!(ready.at(time(30 * HOUR - 1)), ready);
    let expired = ready.at(time(30 * HOUR));
    assert_eq!((expired.phase, expired.job.clone(), expired.until), (Phase::Available, None, None));
    assert_eq!(expired.reason.as_deref(), Some("the retrieved copy has expired"));
    let open = ready.after(&Event::Opened, time(29 * HOUR)).unwrap();
    assert_eq!(open.after(&Event::Verified, time(31 * HOUR)).unwrap().phase, Phase::Available, "too late");
}

#[test]
fn notifications_of_other_jobs_change_nothing() {
    let pending = pending();
    let reason = "it failed".to_owned();
    let other = Some("a".to_owned());
    assert_eq!(pending.after(&Event::Failed { job: other.clone(), reason: reason.clone() }, time(9)), None);
    assert_eq!(pending.after(&Event::Finished { job: other, until: Some(time(99 * HOUR)) }, time(9)), None);
    let failed = pending.after(&Event::Failed { job: Some("b".to_owned()), reason }, time(9)).unwrap();
    assert_eq!((failed.phase, failed.reason.as_deref()), (Phase::Available, Some("it failed")));
}

#[test]
fn a_backup_has_the_lowest_status_of_its_parts() {
    let lowest = [Status::Exists, Status::Ready, Status::Local].into_iter().min();
    assert_eq!(lowest, Some(Status::Ready));
    assert!(Status::Available < Status::Pending && Status::Pending < Status::Ready && Status::Local < Status::Exists);
}
