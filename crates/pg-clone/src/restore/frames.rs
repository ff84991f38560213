//! Checks and unpacks frames, and cuts their rows into messages.

use backup_core::units;
use bytes::Bytes;

use crate::stored::detail::Frame;

/// Largest content of a frame we agree to unpack. A frame holds at least one row, and PostgreSQL's rows end at 1 GiB.
const FRAME_CONTENT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Most bytes of rows sent in one message: what nearly every frame holds, so that only long rows are cut.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The rows in messages of bearable size: the driver copies each once more, and the server takes none of 1 GiB. They may end
/// anywhere in a row (PostgreSQL manual, "COPY Operations" of the protocol).
pub(crate) fn messages(mut rows: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!rows.is_empty()).then(|| rows.split_to(rows.len().min(MESSAGE_BYTES_MAX))))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_cut_and_nothing_of_it_is_lost() {
        let row: Bytes = (0..MESSAGE_BYTES_MAX * 2 + 1).map(|at| (at % 251) as u8).collect();
        let sent: Vec<Bytes> = messages(row.clone()).collect();
        assert_eq!(sent.iter().map(Bytes::len).collect::<Vec<_>>(), [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, 1]);
        assert_eq!(sent.concat(), row);
        assert_eq!(messages(Bytes::from_static(b"short\n")).count(), 1);
        assert_eq!(messages(Bytes::new()).count(), 0);
    }
}
