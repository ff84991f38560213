//! Where a frame ends: after a row that its own content chooses, so that the same rows are cut in the same places whatever
//! comes before them. A row that is added, changed or deleted then changes the frame it is in, and hardly ever the next one.

/// Bytes of COPY text that are listed, fetched and loaded as one: few enough to be unpacked in memory, many enough that
/// the manifest stays small. No frame has more, but for one that is a single row.
pub(crate) const FRAME_CONTENT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of COPY text before which no frame ends that is not the last of its rows.
pub(crate) const FRAME_CONTENT_BYTES_MIN: usize = 2_560 * 1024;

/// Bytes of rows of which one, on the average, may end a frame. A change of much fewer bytes moves no cut but by chance. Of the
/// frames of small rows one in twenty has none between least and most, and is cut where it is full.
const CUT_SPACING_BYTES: u64 = 512 * 1024;

/// Whether a frame of `held` bytes ends after its last row, of so many bytes and with this XXH3-128. Longer rows are chosen
/// more often, and the longest every second time: if all were, the place of the first would decide about all others.
pub(crate) fn ends_after(held: usize, row_bytes: usize, row_hash: u128) -> bool {
    if held < FRAME_CONTENT_BYTES_MIN {
        return false;
    }
    let chance = (row_bytes as u64).saturating_mul(u64::MAX / CUT_SPACING_BYTES).min(u64::MAX / 2);
    u64::try_from(row_hash >> 64).is_ok_and(|hash| hash < chance)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    /// The content of a row by its number: 40 bytes to some KiB of text nobody reads.
    fn row(number: u64) -> (usize, u128) {
        let hash = xxh3_128(&number.to_be_bytes());
        (40 + usize::try_from(hash % 3_000).unwrap_or_default(), hash)
    }

    /// The frames of rows, each as its rows.
    fn frames(rows: &[u64]) -> Vec<Vec<u64>> {
        let (mut frames, mut frame, mut held) = (Vec::new(), Vec::new(), 0);
        for number in rows {
            let (bytes, hash) = row(*number);
            if held > 0 && held + bytes > FRAME_CONTENT_BYTES {
                frames.push(std::mem::take(&mut frame));
                held = 0;
            }
            frame.push(*number);
            held += bytes;
            if ends_after(held, bytes, hash) {
                frames.push(std::mem::take(&mut frame));
                held = 0;
            }
        }
        frames.extend((!frame.is_empty()).then_some(frame));
        frames
    }

    #[test]
    fn frames_are_mostly_cut_by_their_rows_and_never_small() {
        let rows: Vec<u64> = (0..200_000).collect();
        let all = frames(&rows);
        let sizes: Vec<usize> = all.iter().map(|frame| frame.iter().map(|number| row(*number).0).sum()).collect();
        let (last, others) = sizes.split_last().unwrap();
        assert!(*last <= FRAME_CONTENT_BYTES);
        assert!(
            others.iter().all(|bytes| (FRAME_CONTENT_BYTES_MIN..=FRAME_CONTENT_BYTES).contains(bytes)),
            "{sizes:?}"
        );
        let full = others.iter().filter(|bytes| **bytes > FRAME_CONTENT_BYTES - 4_000).count();
        assert!(full * 10 < others.len(), "{full} of {} were full", others.len());
    }

    #[test]
    fn rows_as_long_as_frames_are_cut_by_their_content_too() {
        let ends = (0..1_000_u64).filter(|number| ends_after(FRAME_CONTENT_BYTES, 1 << 20, row(*number).1)).count();
        assert!((300..700).contains(&ends), "{ends} of 1,000");
        assert!(!ends_after(FRAME_CONTENT_BYTES_MIN - 1, 1 << 20, 0) && ends_after(FRAME_CONTENT_BYTES_MIN, 1, 0));
    }

    /// How many frames are new after rows were replaced by others.
    fn fresh(rows: u64, at: usize, removed: usize, added: u64) -> usize {
        let before: Vec<u64> = (0..rows).collect();
        let mut after = before.clone();
        after.splice(at..(at + removed).min(before.len()), 1_000_000..1_000_000 + added);
        let known: BTreeSet<Vec<u64>> = frames(&before).into_iter().collect();
        frames(&after).into_iter().filter(|frame| !known.contains(frame)).count()
    }

    #[test]
    fn a_change_in_one_place_makes_hardly_more_than_one_new_frame() {
        let of =
            |removed: usize, added: u64| (0..40).map(|at| fresh(60_000, at * 1_400, removed, added)).sum::<usize>();
        for (removed, added) in [(1, 0), (0, 1), (1, 1), (3, 5)] {
            let fresh = of(removed, added);
            assert!(fresh <= 60, "{fresh} new frames after 40 changes of {removed} rows to {added}");
        }
        // As much as is between two places where frames may end.
        assert!(of(0, 300) <= 240, "{} new frames after 40 times 300 new rows", of(0, 300));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_cuts_meet_again(at in 0..40_000_usize, removed in 0..300_usize, added in 0..300_u64) {
            let fresh = fresh(120_000, at, removed, added);
            prop_assert!(fresh <= 30, "{fresh} frames are new");
        }

        #[test]
        fn rows_at_the_end_leave_all_frames_but_the_last(rows in 1..60_000_u64, added in 1..5_000_u64) {
            let before = frames(&(0..rows).collect::<Vec<_>>());
            let after = frames(&(0..rows + added).collect::<Vec<_>>());
            prop_assert_eq!(&before[..before.len() - 1], &after[..before.len() - 1]);
        }
    }
}
