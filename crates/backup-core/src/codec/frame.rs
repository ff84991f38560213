//! Single zstd frames with the size and the checksum of their content (RFC 8878).

use std::fmt;
use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, find_frame_compressed_size, get_error_name, get_frame_content_size};

use crate::units::{self, exact_bytes};

/// Turns buffers into independent frames. Keeps its tables from one frame to the next.
pub struct FrameCompressor(Compressor<'static>);

impl FrameCompressor {
    /// Compresses at `level`, 1 to 22 or negative (zstd's own numbers).
    ///
    /// # Errors
    /// If there is no memory for its tables.
    pub fn new(level: i32) -> io::Result<Self> {
        let mut compressor = Compressor::new(level)?;
        compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self(compressor))
    }

    /// One frame that holds `content`.
    ///
    /// # Errors
    /// What zstd says; only memory can lack.
    pub fn compress(&mut self, content: &[u8]) -> io::Result<Vec<u8>> {
        self.0.compress(content)
    }
}

impl fmt::Debug for FrameCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameCompressor")
    }
}

/// The content of `frame`, which must be exactly one frame that says how long its content is, and at most
/// `content_bytes_max`: memory is taken only after that was checked.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it is anything else, or its checksum does not match.
pub fn decompress_frame(frame: &[u8], content_bytes_max: usize) -> io::Result<Vec<u8>> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let frame_bytes = find_frame_compressed_size(frame)
        .map_err(|code| invalid(format!("not a whole zstd frame: {}", get_error_name(code))))?;
    if frame_bytes != frame.len() {
        return Err(invalid(format!("{} follow the zstd frame", exact_bytes((frame.len() - frame_bytes) as u64))));
    }
    let content_bytes = match get_frame_content_size(frame) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(invalid("the zstd frame does not declare the size of its content".to_owned())),
        Err(_) => return Err(invalid("the zstd frame has no readable header".to_owned())),
    };
    let capacity =
        usize::try_from(content_bytes).ok().filter(|bytes| *bytes <= content_bytes_max).ok_or_else(|| {
            invalid(format!(
                "the zstd frame declares {} of content, more than the limit of {}",
                units::bytes(content_bytes),
                units::bytes(content_bytes_max as u64)
            ))
        })?;
    let content = Decompressor::new()?
        .decompress(frame, capacity)
        .map_err(|error| invalid(format!("the zstd frame is damaged: {error}")))?;
    if content.len() != capacity {
        return Err(invalid(format!(
            "the zstd frame has {} of content instead of {}",
            exact_bytes(content.len() as u64),
            exact_bytes(capacity as u64)
        )));
    }
    Ok(content)
}
