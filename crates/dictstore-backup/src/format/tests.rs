//! One body for the readers of all three kinds of file, as a fuzz target has it: whatever the bytes, they are read or refused,
//! and what was read can be loaded.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{delta, full, pickle};
use crate::load::{Loader, Semantics};

const FILES: [&[u8]; 4] = [
    include_bytes!("../../tests/fixtures/full/full.json"),
    include_bytes!("../../tests/fixtures/chain/dictdb_delta_1795230100_124712.json"),
    include_bytes!("../../tests/fixtures/full/full.pickle"),
    include_bytes!("../../tests/fixtures/full/full_protocol0.pickle"),
];

/// What is done to a file.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    /// Puts a piece of the file somewhere else too.
    Repeat(Index, Index, usize),
    Insert(Index, &'static [u8]),
}

/// Reads `bytes` as each kind of file; how many times they were one.
fn read(bytes: &[u8]) -> usize {
    let mut read = 0;
    for semantics in [Semantics::Exact, Semantics::DictDb] {
        let fulls = [full::decode("f", bytes), pickle::decode("f", bytes, semantics == Semantics::DictDb)];
        for tables in fulls.into_iter().flatten() {
            read += usize::from(Loader::full("f", tables, None, semantics).is_ok());
        }
        let Ok(changes) = delta::decode("d", bytes) else { continue };
        let base = full::decode("f", FILES[0]).and_then(|tables| Loader::full("f", tables, None, semantics));
        read += usize::from(base.unwrap().delta("d", changes, None).is_ok());
    }
    read
}

fn edit() -> impl Strategy<Value = Edit> {
    let pieces: [&[u8]; 10] =
        [b"null", b"-1e999", b"NaN", b"{}", b"[[[[", b"\"\\ud800\"", b"\"id\": ", b"h\0", b"}q\x01", b"(dp0\n"];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        any::<Index>().prop_map(Edit::Cut),
        (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), any::<Index>(), 1_usize..200).prop_map(|(from, to, length)| Edit::Repeat(from, to, length)),
        (any::<Index>(), proptest::sample::select(pieces.to_vec())).prop_map(|(at, piece)| Edit::Insert(at, piece)),
    ]
}

fn edited(bytes: &mut Vec<u8>, edit: &Edit) {
    let size = bytes.len() + 1;
    match edit {
        Edit::Set(at, byte) => {
            if let Some(place) = bytes.get_mut(at.index(size)) {
                *place = *byte;
            }
        }
        Edit::Cut(at) => bytes.truncate(at.index(size)),
        Edit::Remove(at, length) => {
            let begin = at.index(size);
            bytes.drain(begin..(begin + length).min(bytes.len()));
        }
        Edit::Repeat(from, to, length) => {
            let begin = from.index(size);
            let piece = bytes[begin..(begin + length).min(bytes.len())].to_vec();
            let to = to.index(size);
            bytes.splice(to..to, piece);
        }
        Edit::Insert(at, piece) => {
            let at = at.index(size);
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

#[test]
fn each_file_is_read_as_what_it_is_and_as_nothing_else() {
    // DictDB's own loader refuses what pickles of protocol 0 are made by.
    assert_eq!(FILES.map(read), [2, 2, 2, 1]);
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(file in 0..FILES.len(), edits in proptest::collection::vec(edit(), 1..6)) {
        let mut bytes = FILES[file].to_vec();
        for edit in &edits {
            edited(&mut bytes, edit);
        }
        prop_assert!(read(&bytes) <= 2);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(read(&bytes), 0);
    }
}
