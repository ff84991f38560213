//! How much memory a frame asks for before it holds anything: its window (RFC 8878, "Window Descriptor"), read as its bytes
//! arrive.

use backup_core::units;

/// Largest window: what every decoder should support (RFC 8878, 3.1.1.1.2), and what the highest level that dumps are made
/// with asks for. Without a limit a frame of some bytes could ask for any amount.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Begins a frame.
const MAGIC: u32 = 0xFD2F_B528;

/// Begins a frame that holds nothing; its last four bits are anybody's.
const SKIPPABLE: u32 = 0x184D_2A50;

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Header,
    Block,
    /// No frame: whoever unpacks it says so.
    Nothing,
}

/// Looks at every window of zstd frames that follow each other.
#[derive(Debug, Default)]
pub(crate) struct FrameWindow {
    next: Next,
    /// A header whose end has not arrived: at most 18 bytes.
    held: Vec<u8>,
    /// Bytes to pass over.
    skip: u64,
    has_checksum: bool,
}

impl FrameWindow {
    /// Takes more bytes; the error says what is too large.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() && self.next != Next::Nothing {
            if self.skip > 0 {
                let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                self.skip -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.held.push(bytes[0]);
            bytes = &bytes[1..];
            match self.next {
                Next::Header if self.held.len() == header_length(&self.held) => self.header()?,
                Next::Block if self.held.len() == 3 => self.block(),
                _ => {}
            }
        }
        Ok(())
    }

    fn header(&mut self) -> Result<(), String> {
        let header = std::mem::take(&mut self.held);
        let magic = number(&header[..4]);
        if is_skippable(magic) {
            self.skip = number(&header[4..8]);
            return Ok(());
        }
        if magic != u64::from(MAGIC) {
            self.next = Next::Nothing;
            return Ok(());
        }
        let window = window(&header);
        if window > WINDOW_BYTES_MAX {
            return Err(format!(
                "it asks for {} of memory to be unpacked, and no dump does for more than {}",
                units::bytes(window),
                units::bytes(WINDOW_BYTES_MAX)
            ));
        }
        self.has_checksum = header[4] & 0b100 != 0;
        self.next = Next::Block;
        Ok(())
    }

    fn block(&mut self) {
        let header = number(&std::mem::take(&mut self.held));
        let (is_last, kind, size) = (header & 1 != 0, header >> 1 & 0b11, header >> 3);
        // One byte that is repeated so often.
        self.skip = if kind == 1 { 1 } else { size };
        if is_last {
            self.skip += if self.has_checksum { 4 } else { 0 };
            self.next = Next::Header;
        }
    }
}

fn is_skippable(magic: u64) -> bool {
    magic & !0xF == u64::from(SKIPPABLE)
}

/// Lowest byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How long a header is that begins so, as far as its beginning tells.
fn header_length(begin: &[u8]) -> usize {
    match begin {
        [a, b, c, d, ..] if is_skippable(number(&[*a, *b, *c, *d])) => 8,
        [_, _, _, _, descriptor, ..] => 5 + fields(*descriptor).iter().sum::<usize>(),
        [_, _, _, _] if number(begin) != u64::from(MAGIC) => 4,
        _ => 5,
    }
}

/// Bytes of window, dictionary and size behind a descriptor.
fn fields(descriptor: u8) -> [usize; 3] {
    let is_single = descriptor & 0b10_0000 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let size = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    [usize::from(!is_single), dictionary, size]
}

fn window(header: &[u8]) -> u64 {
    let [window, dictionary, size] = fields(header[4]);
    if window == 1 {
        let (exponent, mantissa) = (header[5] >> 3, u64::from(header[5] & 0b111));
        let base = 1_u64 << (10 + exponent);
        return base + base / 8 * mantissa;
    }
    let content = number(&header[5 + dictionary..]);
    if size == 2 { content + 256 } else { content }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(bytes: &[u8], pieces: usize) -> Result<(), String> {
        let mut window = FrameWindow::default();
        bytes.chunks(pieces).try_for_each(|piece| window.update(piece))
    }

    /// A frame of one row, `a`, with this window descriptor.
    fn frame(descriptor: u8) -> Vec<u8> {
        [&MAGIC.to_le_bytes()[..], &[0, descriptor], &[2 << 3 | 1, 0, 0], b"a\n"].concat()
    }

    #[test]
    fn a_large_window_is_refused_however_its_bytes_arrive() {
        let (fits, too_large) = (13 << 3, 13 << 3 | 1);
        assert_eq!(zstd::decode_all(frame(fits).as_slice()).unwrap(), b"a\n", "it is a frame");
        let first = frame(fits);
        let skipped = [&(SKIPPABLE + 3).to_le_bytes()[..], &2_u32.to_le_bytes(), b"xx"].concat();
        for pieces in 1..12 {
            look(&frame(fits), pieces).unwrap();
            assert!(look(&frame(too_large), pieces).unwrap_err().contains("8.0 MiB"), "{pieces}");
            look(&[first.clone(), skipped.clone(), frame(fits)].concat(), pieces).unwrap();
            assert!(look(&[first.clone(), skipped.clone(), frame(20 << 3)].concat(), pieces).is_err(), "{pieces}");
        }
        // A single segment of 1 GiB.
        let single = [&MAGIC.to_le_bytes()[..], &[0b1010_0000], &(1_u32 << 30).to_le_bytes()].concat();
        assert!(look(&single, 3).unwrap_err().contains("1.0 GiB"));
        look(b"no frame", 2).unwrap();
    }

    proptest! {
        #[test]
        fn every_frame_that_dumps_are_made_of_is_let_through(
            content in prop::collection::vec(any::<u8>(), 0..5_000), level in 1..20, checksum: bool, pieces in 1..999_usize,
        ) {
            let mut context = zstd::bulk::Compressor::new(level).unwrap();
            context.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(checksum)).unwrap();
            let one = context.compress(&content).unwrap();
            let several = [one.clone(), zstd::encode_all(content.as_slice(), level).unwrap(), one].concat();
            let mut window = FrameWindow::default();
            for piece in several.chunks(pieces) {
                window.update(piece).unwrap();
            }
            prop_assert_eq!((window.next, window.skip, window.held.len()), (Next::Header, 0, 0), "it lost its way");
        }

        #[test]
        fn any_bytes_are_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200), begins: bool, pieces in 1..20_usize) {
            let magic = if begins { MAGIC.to_le_bytes().to_vec() } else { Vec::new() };
            let _ = look(&[magic, bytes].concat(), pieces);
        }
    }
}
