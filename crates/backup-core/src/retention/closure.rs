//! Which backups belong together: transitive needs, and sets.

use std::collections::HashMap;

use super::candidate::Candidate;

/// Which candidates can be restored: good, and everything they need is there and can be restored too.
pub(super) fn sound(candidates: &[&Candidate]) -> Vec<bool> {
    let index = index(candidates);
    let mut sound: Vec<bool> = candidates.iter().map(|candidate| candidate.good).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); candidates.len()];
    for (dependent, candidate) in candidates.iter().enumerate() {
        for need in &candidate.needs {
            match index.get(need.as_str()) {
                Some(&need) => needed_by[need].push(dependent),
                None => sound[dependent] = false,
            }
        }
    }
    let mut unsound: Vec<usize> = (0..candidates.len()).filter(|&at| !sound[at]).collect();
    while let Some(at) = unsound.pop() {
        for &dependent in &needed_by[at] {
            if std::mem::replace(&mut sound[dependent], false) {
                unsound.push(dependent);
            }
        }
    }
    sound
}

/// Adds a reason to everything that must stay because something else stays.
pub(super) fn close(candidates: &[&Candidate], reasons: &mut [Vec<String>]) {
    let index = index(candidates);
    let mut sets: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if let Some(set) = &candidate.set {
            sets.entry(set).or_default().push(at);
        }
    }
    // Newest last, and taken from the end: the dependent that is named is the newest one.
    let mut staying: Vec<usize> = (0..candidates.len()).filter(|&at| !reasons[at].is_empty()).collect();
    let mut needed = vec![false; candidates.len()];
    while let Some(at) = staying.pop() {
        let candidate = candidates[at];
        for need in &candidate.needs {
            if let Some(&need) = index.get(need.as_str())
                && !std::mem::replace(&mut needed[need], true)
            {
                if reasons[need].is_empty() {
                    staying.push(need);
                }
                reasons[need].push(format!("needed by {}", candidate.id));
            }
        }
        let Some(set) = &candidate.set else { continue };
        for member in sets.remove(set.as_str()).unwrap_or_default() {
            if reasons[member].is_empty() {
                reasons[member].push(format!("in one set ({set}) with {}", candidate.id));
                staying.push(member);
            }
        }
    }
}

fn index<'a>(candidates: &[&'a Candidate]) -> HashMap<&'a str, usize> {
    candidates.iter().enumerate().map(|(at, candidate)| (candidate.id.as_str(), at)).collect()
}
