//! What prune keeps and deletes: rows R1 to R9.

mod beside;
mod rules;

use crate::harness::{Area, Locations, Row};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::Both;
    vec![
        Row::new("R1", "no keep rule: refused, nothing deleted", Area::Retention, Both, |world| {
            Box::pin(rules::no_rule(world))
        }),
        Row::new("R2", "fewer dumps than are to be kept", Area::Retention, Both, |world| {
            Box::pin(rules::fewer_than_kept(world))
        }),
        Row::new("R3", "the ten newest are partial, one old one is good", Area::Retention, Both, |world| {
            Box::pin(rules::last_good(world))
        }),
        Row::new("R4", "two databases, one silent for a year", Area::Retention, Both, |world| {
            Box::pin(rules::silent_source(world))
        }),
        Row::new("R5", "30 backdated and future dumps pushed in", Area::Retention, Both, |world| {
            Box::pin(rules::attacker(world))
        }),
        Row::new("R6", "full dump needed by a kept delta", Area::Retention, Both, |world| {
            Box::pin(rules::needed(world))
        }),
        Row::new("R7", "prune and dump at once (seeded)", Area::Retention, Both, |world| {
            Box::pin(beside::interleaved(world))
        }),
        Row::new("R8", "one object cannot be deleted", Area::Retention, Both, |world| {
            Box::pin(beside::undeletable(world))
        }),
        Row::new("R9", "a mistyped name: refused, and told what there is", Area::Retention, Both, |world| {
            Box::pin(rules::mistyped(world))
        }),
    ]
}
