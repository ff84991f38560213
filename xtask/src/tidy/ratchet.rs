//! Length limits and import rings with their written exceptions, which may shrink and never grow.

use std::collections::{BTreeMap, BTreeSet};

use super::functions::functions;
use super::source::SourceFile;

/// Lines of one file. A typical one has 150; past 400, ask what it is hiding.
const FILE_LINES_MAX: usize = 600;

/// Lines of one function: what fits on a screen (TigerBeetle's limit, for the same reason).
const FUNCTION_LINES_MAX: usize = 70;

/// Modules of a ring that may be excepted: more than that is read by nobody in one sitting.
const RING_MODULES_MAX: usize = 3;

/// The exceptions, and which of them were needed.
#[derive(Debug, Default)]
pub(crate) struct Ratchet {
    allowed: BTreeMap<String, usize>,
    used: BTreeMap<String, usize>,
    rings: BTreeSet<String>,
    used_rings: BTreeSet<String>,
}

impl Ratchet {
    /// Reads `file PATH LINES`, `fn PATH::NAME LINES` and `ring CRATE MODULE MODULE… # REASON`; `#` begins a comment.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut ratchet = Self::default();
        for (number, line) in text.lines().enumerate() {
            let (line, comment) = line.split_once('#').unwrap_or((line, ""));
            let (line, number) = (line.trim(), number + 1);
            if line.is_empty() {
                continue;
            }
            if line.starts_with("ring ") {
                // `ring` and the crate stand before the modules.
                let modules = line.split(' ').count().saturating_sub(2);
                if !(2..=RING_MODULES_MAX).contains(&modules) || comment.trim().is_empty() {
                    return Err(format!(
                        "line {number} of the ratchet is not `ring CRATE MODULE MODULE # REASON`, of \
                         {RING_MODULES_MAX} modules at most"
                    ));
                }
                ratchet.rings.insert(line.to_owned());
                continue;
            }
            let fault = || format!("line {number} of the ratchet is not `file PATH LINES` or `fn PATH::NAME LINES`");
            let (subject, lines) = line.rsplit_once(' ').ok_or_else(fault)?;
            if !subject.starts_with("file ") && !subject.starts_with("fn ") {
                return Err(fault());
            }
            ratchet.allowed.insert(subject.to_owned(), lines.parse().map_err(|_| fault())?);
        }
        Ok(ratchet)
    }

    /// Whether the ring of these modules, in alphabetical order, is excepted.
    pub(crate) fn excepts_ring(&mut self, name: &str, modules: &[String]) -> bool {
        let subject = format!("ring {name} {}", modules.join(" "));
        let excepted = self.rings.contains(&subject);
        self.used_rings.insert(subject);
        excepted
    }

    /// Everything in `file` longer than its limit, or than its exception.
    pub(crate) fn check_file(&mut self, file: &SourceFile<'_>) -> Vec<String> {
        if !file.is_rust() {
            return Vec::new();
        }
        let path = file.path();
        let lines = file.text().lines().count();
        let mut faults: Vec<String> =
            self.check(format!("file {path}"), format!("{path}:"), lines, FILE_LINES_MAX).into_iter().collect();
        for function in functions(file.text()) {
            let place = format!("{path}:{}: `fn {}`", function.line, function.name);
            faults.extend(self.check(
                format!("fn {path}::{}", function.name),
                place,
                function.lines,
                FUNCTION_LINES_MAX,
            ));
        }
        faults
    }

    fn check(&mut self, subject: String, place: String, lines: usize, limit: usize) -> Option<String> {
        if lines <= limit {
            return None;
        }
        let allowed = self.allowed.get(&subject).copied();
        let longest = self.used.entry(subject).or_default();
        *longest = (*longest).max(lines);
        match allowed {
            Some(allowed) if lines <= allowed => None,
            Some(allowed) => Some(format!("{place} has {lines} lines; its exception is {allowed} and may only shrink")),
            None => Some(format!("{place} has {lines} lines; the limit is {limit}")),
        }
    }

    /// Exceptions nothing needs any more, or that are larger than needed.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let rings = self.rings.difference(&self.used_rings);
        let rings = rings.map(|subject| format!("the ratchet's `{subject}` is no longer a ring: delete it"));
        let lengths = self.allowed.iter().filter_map(|(subject, allowed)| match self.used.get(subject) {
            None => Some(format!("the ratchet's `{subject} {allowed}` is no longer needed: delete it")),
            Some(used) if used < allowed => Some(format!("the ratchet's `{subject} {allowed}`: lower it to {used}")),
            Some(_) => None,
        });
        rings.chain(lengths).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn faults(ratchet: &str, text: &str) -> Vec<String> {
        let mut ratchet = Ratchet::parse(ratchet).unwrap();
        let mut faults = ratchet.check_file(&SourceFile::new(Path::new("a.rs"), text));
        faults.extend(ratchet.leftovers());
        faults
    }

    fn long_function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    #[test]
    fn limits_hold_to_the_line() {
        assert!(faults("", &long_function(70)).is_empty());
        assert_eq!(faults("", &long_function(71)), ["a.rs:1: `fn long` has 71 lines; the limit is 70"]);
        assert!(faults("", &"x\n".repeat(600)).is_empty());
        assert_eq!(faults("", &"x\n".repeat(601)), ["a.rs: has 601 lines; the limit is 600"]);
    }

    #[test]
    fn exceptions_only_shrink() {
        assert!(faults("fn a.rs::long 80", &long_function(80)).is_empty());
        assert_eq!(faults("fn a.rs::long 80", &long_function(81)).len(), 1);
        assert!(faults("fn a.rs::long 80", &long_function(79))[0].ends_with("lower it to 79"));
        assert!(faults("fn a.rs::long 80", &long_function(70))[0].ends_with("delete it"));
        assert!(faults("file b.rs 700 # gone", "x\n")[0].ends_with("delete it"));
    }

    #[test]
    fn what_is_not_an_exception_is_refused() {
        for text in [
            "fn",
            "file a.rs",
            "file a.rs many",
            "folder a 7",
            "ring a b c",
            "ring a b c #",
            "ring a b # one",
            "ring a b c d e # many",
        ] {
            assert!(Ratchet::parse(text).is_err(), "{text}");
        }
    }
}
