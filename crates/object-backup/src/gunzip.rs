//! Decompresses gzip members one after the other, and passes over zeros behind the last one.
//!
//! Tapes and block devices pad files with zeros; `gzip` ignores them (GNU gzip manual, "Advanced usage"), and so does GNU tar.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The content of all members.
#[derive(Debug)]
pub(crate) struct Gunzip<R>(State<R>);

#[derive(Debug)]
enum State<R> {
    Between(R),
    Inside(Box<GzDecoder<R>>),
    /// Also after an error.
    Ended,
}

impl<R: BufRead> Gunzip<R> {
    /// Of what `input` holds.
    pub(crate) fn new(input: R) -> Self {
        // Nothing at all is no gzip, which the decoder says.
        Self(State::Inside(Box::new(GzDecoder::new(input))))
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.0, State::Ended) {
                State::Ended => return Ok(0),
                State::Inside(mut member) => match member.read(buffer)? {
                    0 if !buffer.is_empty() => self.0 = State::Between(member.into_inner()),
                    read => {
                        self.0 = State::Inside(member);
                        return Ok(read);
                    }
                },
                State::Between(mut input) => {
                    let ahead = input.fill_buf()?;
                    match ahead.first() {
                        None => return Ok(0),
                        Some(0) => padding(&mut input)?,
                        Some(_) => self.0 = State::Inside(Box::new(GzDecoder::new(input))),
                    }
                }
            }
        }
    }
}

/// Reads zeros to the end.
fn padding(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let ahead = input.fill_buf()?;
        if ahead.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "something follows the zeros behind its end"));
        }
        match ahead.len() {
            0 => return Ok(()),
            read => input.consume(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write as _};

    use super::*;

    fn member(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        // A small buffer, so that members end anywhere in it.
        Gunzip::new(BufReader::with_capacity(7, bytes)).read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn members_are_one_content_and_zeros_behind_them_are_nothing() {
        let two = [member(b"one "), member(b""), member(b"two")].concat();
        assert_eq!(read(&two).unwrap(), b"one two");
        assert_eq!(read(&[&two[..], &[0; 1000]].concat()).unwrap(), b"one two");
        assert_eq!(read(&[&two[..], &[0]].concat()).unwrap(), b"one two");
    }

    #[test]
    fn what_is_neither_is_an_error() {
        let one = member(b"one");
        for wrong in [
            Vec::new(),
            vec![0; 20],
            one[..one.len() - 1].to_vec(),
            [&one[..], &[0, 0, 1]].concat(),
            [&one[..], &[7]].concat(),
            [&one[..], &[0; 9], &one].concat(),
        ] {
            assert!(read(&wrong).is_err(), "{wrong:?}");
        }
    }
}
