//! Checks and unpacks frames.

use backup_core::units;
use bytes::Bytes;

use crate::stored::detail::Frame;

/// Largest content of a frame we agree to unpack. A frame holds at least one row, and PostgreSQL's rows end at 1 GiB.
const FRAME_CONTENT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Checks a frame's digest and unpacks it, on a thread where that may take a while.
pub(super) async fn unpack(stored: Bytes, frame: Frame) -> Result<Bytes, String> {
    let unpacked = tokio::task::spawn_blocking(move || unpack_now(&stored, &frame));
    unpacked.await.map_err(|error| error.to_string())?
}

/// Checks a frame's digest and unpacks it.
pub(crate) fn unpack_now(stored: &[u8], frame: &Frame) -> Result<Bytes, String> {
    if !frame.is_same(stored) {
        return Err("its digest differs".to_owned());
    }
    if frame.content_bytes > FRAME_CONTENT_BYTES_MAX {
        return Err(format!("{} of content are more than a frame can hold", units::bytes(frame.content_bytes)));
    }
    let capacity = usize::try_from(frame.content_bytes).map_err(|error| error.to_string())?;
    let content = zstd::bulk::decompress(stored, capacity).map_err(|error| error.to_string())?;
    if content.len() as u64 != frame.content_bytes {
        return Err(format!(
            "{} of content instead of {}",
            units::exact_bytes(content.len() as u64),
            units::exact_bytes(frame.content_bytes)
        ));
    }
    Ok(Bytes::from(content))
}
