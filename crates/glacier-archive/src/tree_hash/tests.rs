//! Published vectors, and properties against the definition.

use std::io::Write as _;
use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;

/// The definition, level by level, whole in memory.
fn by_definition(bytes: &[u8], leaf: usize) -> Sha256Digest {
    let mut level: Vec<Sha256Digest> = bytes.chunks(leaf).map(Sha256Digest::of).collect();
    if level.is_empty() {
        return Sha256Digest::of(b"");
    }
    while level.len() > 1 {
        let joined = |two: &[Sha256Digest]| match two {
            [left, right] => pair(left, right),
            _ => two[0],
        };
        level = level.chunks(2).map(joined).collect();
    }
    level[0]
}

#[test]
fn g5_the_five_tree_hashes_that_boto_publishes() {
    const MEBIBYTE: usize = 1024 * 1024;
    for (bytes, expected) in [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (MEBIBYTE, "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360"),
        (2 * MEBIBYTE, "560c2c9333c719cb00cfdffee3ba293db17f58743cdd1f7e4055373ae6300afa"),
        (4 * MEBIBYTE, "9491cb2ed1d4e7cd53215f4017c23ec4ad21d7050a1e6bb636c4f67e8cddb844"),
        (4 * MEBIBYTE + 20, "12f3cbd6101b981cde074039f6f728071da8879d6f632de8afc7cdf00661b08f"),
    ] {
        assert_eq!(TreeHash::<LEAF_BYTES>::of(&vec![b'a'; bytes]).to_string(), expected, "{bytes}");
    }
}

/// What mt-aws-glacier hashes: 128 characters, over and over.
const REPEATED: &[u8] = b"TDvjTNoOZdYLHGJgmowQQPIANymiZabVUgL4toMOXtAxTVdAb3fHc7djq3CWvg47qp9e706QoGMA2PlhUyHkln9mw2G9Y1QynMS5zejFweL4Ll72P5eHSHXmzSBGZ4Xa";

/// The rows of a table of lengths around multiples of a leaf, each hashed on from the one before.
fn rows<const LEAF: usize>(lines: &mut Vec<(usize, String)>, lengths: impl Iterator<Item = usize>) {
    let (mut whole, mut at) = (TreeHash::<LEAF>::default(), 0);
    for length in lengths {
        let more: Vec<u8> = (at..length).map(|at| REPEATED[at % REPEATED.len()]).collect();
        whole.update(&more);
        at = length;
        lines.push((length, whole.clone().finish().to_string()));
    }
}

/// All 439 values behind the 1,065 assertions of mt-aws-glacier 1.120's `t_treehash.t`: lengths up to 31 leaves, of 200
/// bytes and of 1 MiB, three bytes less to three bytes more. Of its table only the digest stands here, made of one line
/// `LENGTH HASH` for each value, by length.
#[test]
fn g5_every_value_that_mt_aws_glacier_publishes() {
    let around = |leaf: usize| (1..=31).flat_map(move |leaves| (leaves * leaf - 3)..=(leaves * leaf + 3));
    let mut lines = Vec::new();
    rows::<200>(&mut lines, (1..=5).chain(around(200)));
    rows::<LEAF_BYTES>(&mut lines, around(LEAF_BYTES));
    lines.sort();
    assert_eq!(lines.len(), 439);
    let table: String = lines.iter().map(|(length, hash)| format!("{length} {hash}\n")).collect();
    let published = "b24f51fc01ec1c906946b8cf9a70aeff94ebe4a0bd3338d818c58965a62f6a22";
    assert_eq!(Sha256Digest::of(table.as_bytes()).to_string(), published);
}

/// `calculate_tree_hash` of botocore 1.44.8 for 24 lengths of up to 9 MiB that a linear congruence chooses; again only the
/// digest of the table stands here.
#[test]
fn botocore_says_the_same_of_random_lengths() {
    let mut table = String::new();
    let mut random: u64 = 1;
    for number in 0..24_u64 {
        random = (random * 1_103_515_245 + 12_345) % (1 << 31);
        let length = random % (9 * LEAF_BYTES as u64);
        let bytes: Vec<u8> = (0..length).map(|at| ((at % 251 * 31 + number) % 251) as u8).collect();
        table.push_str(&format!("{length} {}\n", TreeHash::<LEAF_BYTES>::of(&bytes)));
    }
    let said = "76aadd857a66a3e127ec57ebe3a4718613bd851b7c5f69397781b7758e76eb9f";
    assert_eq!(Sha256Digest::of(table.as_bytes()).to_string(), said);
}

#[test]
fn a_file_has_the_same_hash_on_any_number_of_cores() {
    let bytes: Vec<u8> = (0..3 * BLOCK_BYTES + 12_345).map(|at| (at * 31 % 251) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    for length in [0, 1, LEAF_BYTES, BLOCK_BYTES, 2 * BLOCK_BYTES + 1, bytes.len()] {
        let expected = by_definition(&bytes[..length], LEAF_BYTES);
        for cores in [1, 2, 5] {
            let found = tree_hash_of_file(&file, length as u64, NonZeroUsize::new(cores).unwrap()).unwrap();
            assert_eq!(found, expected, "{length} bytes on {cores} cores");
        }
    }
    let short = tree_hash_of_file(&file, bytes.len() as u64 + 1, NonZeroUsize::MIN).unwrap_err();
    assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_does_not_begin_at_a_subtree_is_refused() {
    let hash = |leaves: usize| {
        let mut hash = TreeHash::<4>::default();
        hash.update(&vec![7; leaves * 4]);
        hash
    };
    assert!(hash(4).append(&hash(4)).is_ok());
    assert!(hash(4).append(&hash(3)).is_ok());
    assert!(hash(3).append(&hash(1)).is_ok());
    assert_eq!(hash(3).append(&hash(2)), Err(NotAligned { before: 12, bytes: 8 }));
    let mut broken = hash(1);
    broken.update(b"x");
    assert!(broken.append(&hash(1)).is_err(), "within a leaf");
}

proptest! {
    #[test]
    fn any_way_of_cutting_gives_the_hash_of_the_definition(
        bytes in proptest::collection::vec(any::<u8>(), 0..400), cuts in proptest::collection::vec(0usize..400, 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut hash = TreeHash::<8>::default();
        let mut at = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            hash.update(&bytes[at..cut]);
            at = cut;
        }
        prop_assert!(hash.nodes.len() <= 7, "a node per level");
        prop_assert_eq!(hash.finish(), by_definition(&bytes, 8));
    }

    #[test]
    fn parts_of_a_power_of_two_are_merged_to_the_hash_of_the_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), level in 0u32..5,
    ) {
        let mut whole = TreeHash::<8>::default();
        for part in bytes.chunks(8 << level) {
            let mut hash = TreeHash::<8>::default();
            hash.update(part);
            whole.append(&hash).unwrap();
        }
        prop_assert_eq!(whole.bytes(), bytes.len() as u64);
        prop_assert_eq!(whole.finish(), by_definition(&bytes, 8));
    }

    #[test]
    fn roots_of_parts_are_as_good_as_the_parts(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), level in 0u32..5,
    ) {
        let mut whole = TreeHash::<8>::default();
        for part in bytes.chunks(8 << level) {
            whole.append(&TreeHash::of_subtree(by_definition(part, 8), part.len() as u64)).unwrap();
        }
        prop_assert_eq!(whole.bytes(), bytes.len() as u64);
        prop_assert_eq!(whole.clone().finish(), by_definition(&bytes, 8));
        if !bytes.len().is_multiple_of(8) {
            prop_assert!(whole.append(&TreeHash::of_subtree(Sha256Digest::of(b""), 8)).is_err(), "within a leaf");
        }
    }

    #[test]
    fn a_range_is_aligned_exactly_if_its_root_is_a_node(leaves in 1u64..40, first in 0u64..40, length in 1u64..40) {
        let (first, end) = (first.min(leaves - 1), (first + length).min(leaves).max(first.min(leaves - 1) + 1));
        // Each leaf is its own number; a node is the list of its leaves.
        let mut level: Vec<Vec<u64>> = (0..leaves).map(|leaf| vec![leaf]).collect();
        let mut nodes = level.clone();
        while level.len() > 1 {
            level = level.chunks(2).map(<[Vec<u64>]>::concat).collect();
            nodes.extend(level.clone());
        }
        let leaf = LEAF_BYTES as u64;
        let is_node = nodes.contains(&(first..end).collect::<Vec<_>>());
        prop_assert_eq!(is_tree_hash_aligned(&(first * leaf..end * leaf), leaves * leaf), is_node);
        // The last leaf need not be whole.
        let bytes = leaves * leaf - 5;
        prop_assert_eq!(is_tree_hash_aligned(&(first * leaf..(end * leaf).min(bytes)), bytes), is_node);
        prop_assert!(!is_tree_hash_aligned(&(first * leaf + 1..end * leaf), leaves * leaf));
    }
}
