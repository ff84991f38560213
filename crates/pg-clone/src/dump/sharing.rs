//! Whether a dump's snapshot may be given to other sessions. Pure.
//!
//! A snapshot taken in recovery keeps what is running in another list than one of a primary. When a transaction with more
//! than 64 subtransactions was open, `pg_export_snapshot` left that list out: whoever imported it took running transactions
//! for ended ones, saw other rows than the exporter, and marked rows as dead for good (PostgreSQL 15.20 release notes, "Fix
//! snapshot export and import to work properly on a snapshot taken during recovery").

use std::fmt;

/// A dump's moment in time, and who may see it.
#[derive(Clone, Debug)]
pub(crate) enum Snapshot {
    /// Whoever knows the name can import it.
    Exported(String),
    /// Only the session that took it.
    Kept(OneSession),
}

/// Why only one session reads the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OneSession {
    major: u32,
    minor: u32,
    mended: Option<u32>,
}

impl fmt::Display for OneSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, mended } = self;
        match mended {
            Some(mended) => write!(f, "this standby's PostgreSQL {major}.{minor} is older than {major}.{mended}")?,
            None => write!(f, "this standby has PostgreSQL {major}.{minor}, of which no fixed release is known")?,
        }
        f.write_str(", and sessions that import its snapshots can see other rows")
    }
}

/// Whether other sessions may import a snapshot of a server of this `server_version_num`.
pub(crate) fn may_share_snapshot(version_num: u32, in_recovery: bool) -> Result<(), OneSession> {
    let (major, minor) = (version_num / 10_000, version_num % 10_000);
    let mended = mended(major);
    if !in_recovery || mended.is_some_and(|mended| minor >= mended) {
        return Ok(());
    }
    Err(OneSession { major, minor, mended })
}

/// The minor release in which a major version's standbys export snapshots rightly. All are of 12 November 2026: the release
/// notes of 15.20 and 17.12 say so, and 16.15 and 18.6 were the last ones before. 12 and 13 had ended by then. The notes of
/// 14 and 19 were not to be had: they count as not mended, which costs time and no rows. 20 comes of a mended source.
fn mended(major: u32) -> Option<u32> {
    match major {
        15 => Some(20),
        16 => Some(16),
        17 => Some(12),
        18 => Some(7),
        20.. => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_shares_whatever_its_version() {
        for version in [120_022, 130_023, 140_023, 150_000, 160_014, 170_000, 180_006, 190_000] {
            assert_eq!(may_share_snapshot(version, false), Ok(()), "{version}");
        }
    }

    #[test]
    fn a_standby_shares_from_the_minor_on_that_mended_its_major() {
        for (version, shares) in [
            (120_022, false),
            (130_023, false),
            (140_000, false),
            (140_025, false),
            (150_000, false),
            (150_018, false),
            (150_019, false),
            (150_020, true),
            (150_021, true),
            (160_014, false),
            (160_015, false),
            (160_016, true),
            (170_011, false),
            (170_012, true),
            (180_004, false),
            (180_006, false),
            (180_007, true),
            (190_000, false),
            (190_001, false),
            (200_000, true),
        ] {
            assert_eq!(may_share_snapshot(version, true).is_ok(), shares, "{version}");
        }
    }

    #[test]
    fn the_reason_names_the_minor_to_go_to() {
        let said = |version| may_share_snapshot(version, true).unwrap_err().to_string();
        assert!(said(150_018).starts_with("this standby's PostgreSQL 15.18 is older than 15.20, and"));
        assert!(
            said(130_023).starts_with("this standby has PostgreSQL 13.23, of which no fixed release is known, and")
        );
    }
}
