//! The bytes of a pickle file, read from front to back.

use super::fault::{Fault, Step};

/// A place in the file.
#[derive(Debug)]
pub(super) struct Cursor<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) at: usize,
}

impl<'b> Cursor<'b> {
    pub(super) fn damaged<T>(&self, what: &str) -> Step<T> {
        Err(Fault::Damaged(format!("{what} at byte {}", self.at)))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Step<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => self.damaged("it ends too early"),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Step<&'b [u8]> {
        match self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => self.damaged("it ends too early"),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn length4(&mut self) -> Step<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    pub(super) fn length8(&mut self) -> Step<usize> {
        Ok(usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX))
    }

    pub(super) fn line(&mut self) -> Step<&'b [u8]> {
        match self.bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            Some(length) => {
                let line = self.take(length)?;
                self.at += 1;
                Ok(line)
            }
            None => self.damaged("it ends too early"),
        }
    }
}
