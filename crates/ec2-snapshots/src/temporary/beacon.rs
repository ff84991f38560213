//! Tells others that a run goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::lineage;
use crate::model::{Region, Tags};
use crate::ports::{Fault, Machines};

/// How often a run counts on. A request a region, of which EC2 allows hundreds in that time.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(15);

type Known = Arc<Mutex<BTreeMap<Region, BTreeSet<String>>>>;

/// Counts in the tags of what a run has made, until it is dropped.
#[derive(Debug)]
pub struct Beacon {
    known: Known,
    task: JoinHandle<()>,
}

impl Beacon {
    /// Begins, with nothing to count on yet.
    #[must_use]
    pub fn start(machines: Vec<Arc<dyn Machines>>) -> Self {
        let known = Known::default();
        let task = tokio::spawn(count(machines, Arc::clone(&known)));
        Self { known, task }
    }

    /// From now on also on this instance, volume or security group.
    pub fn add(&self, region: &Region, id: impl ToString) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(region.clone()).or_default().insert(id.to_string());
    }

    /// No longer on this: it is about to be removed.
    pub fn forget(&self, region: &Region, id: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = known.get_mut(region) {
            ids.remove(id);
        }
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn count(machines: Vec<Arc<dyn Machines>>, known: Known) {
    for beat in 1_u64.. {
        tokio::time::sleep(BEAT_EVERY).await;
        let tags = Tags::new().with(lineage::BEAT, beat.to_string());
        for machines in &machines {
            let ids: Vec<String> = {
                let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.get(machines.region()).into_iter().flatten().cloned().collect()
            };
            if !ids.is_empty() {
                set(&**machines, &ids, &tags).await;
            }
        }
    }
}

/// Best effort: a beat that fails is followed by others, and if none arrives for long the run is taken for dead, which
/// costs what it has made and nothing else.
async fn set(machines: &dyn Machines, ids: &[String], tags: &Tags) {
    if machines.tag_all(ids, tags).await.is_err_and(|error| error.fault == Fault::Missing) {
        // One that is gone, or not known yet, fails all of them.
        for id in ids {
            let _one_of_many = machines.tag_all(std::slice::from_ref(id), tags).await;
        }
    }
}
