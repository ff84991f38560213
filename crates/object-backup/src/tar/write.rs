//! Writes headers that depend only on name and size, so that the same records give the same tarball.

use super::BLOCK_BYTES;

/// Longest name that fits the header itself.
const NAME_BYTES: usize = 100;

/// When every member claims to have been changed: 1980. The true times would make equal tarballs differ, and GNU tar warns
/// of anything near 1970. When the backup was made, name and manifest say.
const MTIME_S: u64 = 315_532_800;

/// The mode the members of gludb's tarballs have.
const MODE: u32 = 0o600;

/// Ends a tarball: two blocks of zeros.
pub(crate) const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// What stands before a member's content. A long name stands before it as GNU tar has it; a size from 8 GiB on is binary,
/// which GNU tar, bsdtar and Python read.
pub(crate) fn member_header(name: &str, bytes: u64) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(BLOCK_BYTES);
    if name.len() > NAME_BYTES {
        let long = [name.as_bytes(), b"\0"].concat();
        blocks.extend(header("././@LongLink", long.len() as u64, tar::EntryType::GNULongName));
        blocks.extend(&long);
        blocks.resize(blocks.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    blocks.extend(header(name, bytes, tar::EntryType::Regular));
    blocks
}

fn header(name: &str, bytes: u64, kind: tar::EntryType) -> [u8; BLOCK_BYTES] {
    let mut header = tar::Header::new_gnu();
    let name = &name.as_bytes()[..name.len().min(NAME_BYTES)];
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(bytes);
    header.set_entry_type(kind);
    header.set_mode(MODE);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MTIME_S);
    header.set_cksum();
    *header.as_bytes()
}
