//! The last snapshot that two regions have of one volume: without it the next copy between them is a full one.

use std::collections::HashMap;
use std::sync::Arc;

use super::gather::{Common, Gathered, Row};
use crate::model::Region;

/// Protects, for every volume and every two regions, the newest snapshot that both have complete.
pub(super) fn protect_last_common(gathered: &mut Gathered) {
    let Some(first) = gathered.volumes.first() else { return };
    if gathered.volumes.iter().all(|volume| volume.region == first.region) {
        return;
    }
    let reasons = reasons(gathered);
    for (at, reason) in reasons {
        gathered.rows[at].protected.get_or_insert(reason);
    }
}

fn reasons(gathered: &Gathered) -> Vec<(usize, Arc<str>)> {
    // Where each snapshot of a volume is complete, copies included.
    let mut places: HashMap<(&str, Common<'_>), Vec<usize>> = HashMap::new();
    for (at, row) in gathered.rows.iter().enumerate().filter(|(_, row)| row.is_completed) {
        places.entry((&gathered.volumes[row.volume as usize].name, row.common())).or_default().push(at);
    }
    let mut newest: HashMap<(&str, &Region, &Region), [usize; 2]> = HashMap::new();
    for ((volume, _), rows) in places.iter().filter(|(_, rows)| rows.len() > 1) {
        for (one, other) in pairs(gathered, rows) {
            let held = newest.entry((volume, region(gathered, one), region(gathered, other))).or_insert([one, other]);
            if order(&gathered.rows[held[0]]) < order(&gathered.rows[one]) {
                *held = [one, other];
            }
        }
    }
    let mut reasons = Vec::new();
    for ((_, one, other), [here, there]) in newest {
        reasons.push((here, format!("last one in common with {other}").into()));
        reasons.push((there, format!("last one in common with {one}").into()));
    }
    reasons
}

/// Every two of `rows` in different regions, ordered by their regions.
fn pairs<'g>(gathered: &'g Gathered, rows: &'g [usize]) -> impl Iterator<Item = (usize, usize)> + 'g {
    let both = |one: &usize, other: &usize| region(gathered, *one) < region(gathered, *other);
    rows.iter().flat_map(move |one| rows.iter().filter(move |other| both(one, other)).map(|other| (*one, *other)))
}

fn region(gathered: &Gathered, at: usize) -> &Region {
    &gathered.volumes[gathered.rows[at].volume as usize].region
}

fn order(row: &Row) -> (jiff::Timestamp, &str) {
    (row.time, &row.id)
}
