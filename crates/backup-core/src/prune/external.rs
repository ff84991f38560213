//! Removes what backups own outside the location, so that a backup is either whole or gone.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::deletion::Deletion;
use super::names;
use super::references::References;
use super::tombstone::{put_tombstone, tombstone};
use super::{PrunePlan, Removal};
use crate::error::{CoreError, StoreError};
use crate::manifest::External;
use crate::run::Run;
use crate::store::PutMode;

/// Removes what backups own outside their location, such as the snapshots of a service.
#[async_trait]
pub trait Remover: fmt::Debug + Send + Sync {
    /// Whether it can remove `external`: it is of its service, and of an account and region that it reaches.
    fn removes(&self, external: &External) -> bool;

    /// Removes `external`. What is gone already was removed: after a lost answer or a crash it is asked for again.
    ///
    /// # Errors
    /// What the service says. An error that [`StoreError::is_ambiguous`] may have removed it; any other has not.
    async fn remove(&self, external: &External) -> Result<(), StoreError>;
}

impl PrunePlan {
    /// Refuses the plan if something that goes with it cannot be removed by any of `removers`.
    ///
    /// # Errors
    /// [`CoreError::NoRemover`].
    pub fn removable_by(&self, removers: &[&dyn Remover]) -> Result<(), CoreError> {
        self.removals.iter().try_for_each(|removal| removable_by(removal, removers))
    }
}

pub(super) fn removable_by(removal: &Removal, removers: &[&dyn Remover]) -> Result<(), CoreError> {
    match removal.external.iter().find(|external| remover_of(external, removers).is_none()) {
        None => Ok(()),
        Some(external) => {
            Err(CoreError::NoRemover { key: removal.manifest.to_string(), external: external.to_string() })
        }
    }
}

fn remover_of<'a>(external: &External, removers: &[&'a dyn Remover]) -> Option<&'a dyn Remover> {
    removers.iter().copied().find(|remover| remover.removes(external))
}

/// What is still to be removed outside the location in one run.
pub(super) struct Outside<'a> {
    removers: &'a [&'a dyn Remover],
    run: &'a Run,
    /// How many backups that are still to go own each: it goes with the last of them.
    owners: HashMap<String, usize>,
}

/// What became of a backup whose external resources were to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing: its manifest can go.
    Nothing,
    /// Everything: it stays the backup it was.
    Whole,
    /// Some of it. It is no backup any more, and the next run goes on.
    Some,
}

impl<'a> Outside<'a> {
    pub(super) fn new(removers: &'a [&'a dyn Remover], run: &'a Run, going: &[&Removal]) -> Self {
        let mut owners: HashMap<String, usize> = HashMap::new();
        for external in going.iter().flat_map(|removal| &removal.external) {
            *owners.entry(external.to_string()).or_default() += 1;
        }
        Self { removers, run, owners }
    }

    /// Removes what `removal` owns and nobody else needs. The tombstone says so first.
    pub(super) async fn remove(
        &mut self,
        deletion: &mut Deletion<'_>,
        removal: &Removal,
        references: &References,
    ) -> Left {
        if removal.external.is_empty() {
            return Left::Nothing;
        }
        let begun = put_tombstone(deletion.store, &tombstone(removal, self.run, true), PutMode::Replace).await;
        if let Err(error) = begun {
            // Whether it was written or not: nothing external is gone, and a later run finds out.
            deletion.fail(&removal.manifest, &Arc::new(error));
            return if removal.begun { Left::Some } else { self.take_back(deletion, removal).await };
        }
        let mut untouched = !removal.begun;
        for external in &removal.external {
            let name = external.to_string();
            let owners = self.owners.get_mut(&name).map_or(0, |owners| {
                *owners = owners.saturating_sub(1);
                *owners
            });
            let Some(remover) = remover_of(external, self.removers) else { continue };
            if owners > 0 || references.external.contains(&name) {
                continue;
            }
            self.run.step("prune.external", &name);
            match remover.remove(external).await {
                Ok(()) => deletion.outcome.external += 1,
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let may_be_gone = error.is_ambiguous();
                    deletion.fail(&removal.manifest, &Arc::new(error));
                    return match untouched && !may_be_gone {
                        true => self.take_back(deletion, removal).await,
                        false => Left::Some,
                    };
                }
            }
            untouched = false;
        }
        Left::Nothing
    }

    /// Nothing was removed: the tombstone goes, and with it the word that the backup is gone.
    async fn take_back(&self, deletion: &mut Deletion<'_>, removal: &Removal) -> Left {
        let Ok(tombstone) = names::tombstone_key(&removal.manifest) else { return Left::Some };
        if deletion.delete(&[tombstone]).await.is_empty() { Left::Whole } else { Left::Some }
    }
}
