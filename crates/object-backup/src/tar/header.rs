//! Reads headers, and refuses every kind of member that a backup of records cannot have.

use std::io::{self, Read};

use backup_core::units;

use super::{BLOCK_BYTES, padding};
use crate::error::{ObjectError, ObjectResult};
use crate::type_key::TypeKey;

/// Longest extended header in bytes. Those of Python have less than 100; a bound keeps them from filling the memory.
const EXTENSION_BYTES_MAX: u64 = 64 * 1024;

/// Sizes from here on do not fit the octal field; then Python's pax writer leaves zero there.
const OCTAL_SIZE_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// A member about to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: TypeKey,
    pub(super) bytes: u64,
}

/// What extended headers say of the member after them.
#[derive(Debug, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    bytes: Option<u64>,
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.bytes.is_none()
    }
}

/// The next member; `None` at the end. `file` is named in errors.
pub(super) fn next(input: &mut impl Read, file: &str) -> ObjectResult<Option<Member>> {
    let mut extended = Extended::default();
    loop {
        let block = block(input, file)?;
        if block == [0; BLOCK_BYTES] {
            return Ok(None);
        }
        let header = checked(block, file)?;
        let size = header.entry_size().map_err(|_| ObjectError::damaged(file, "a header has no readable size"))?;
        let kind = header.entry_type();
        match kind {
            tar::EntryType::Regular => return member(&header, size, extended, file).map(Some),
            tar::EntryType::GNULongName if extended.name.is_none() => {
                let name = extension(input, size, file)?;
                extended.name = Some(name.strip_suffix(b"\0").unwrap_or(&name).to_vec());
            }
            tar::EntryType::XHeader => pax(&extension(input, size, file)?, &mut extended, file)?,
            // A comment for the whole file, as `git archive` and `tar --pax-option=globexthdr` write it.
            tar::EntryType::XGlobalHeader => about_all(&extension(input, size, file)?, file)?,
            // `tar -C FOLDER -c .` begins with the folder itself.
            tar::EntryType::Directory if size == 0 && extended.is_empty() && is_here(&header) => {}
            other => {
                let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
                return Err(ObjectError::refused(file, format!("its member {name:?} is {}", kind_name(other))));
            }
        }
    }
}

fn block(input: &mut impl Read, file: &str) -> ObjectResult<[u8; BLOCK_BYTES]> {
    let mut block = [0; BLOCK_BYTES];
    input.read_exact(&mut block).map_err(|error| unreadable(file, &error))?;
    Ok(block)
}

/// What a failed reading means: the decompressor speaks in `io::Error` too.
pub(super) fn unreadable(file: &str, error: &io::Error) -> ObjectError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ObjectError::damaged(file, "it ends too early"),
        _ => ObjectError::damaged(file, error.to_string()),
    }
}

fn checked(block: [u8; BLOCK_BYTES], file: &str) -> ObjectResult<tar::Header> {
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(&block);
    // The checksum's own field, bytes 148 to 155, counts as blanks.
    let sum: u32 =
        block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    match header.cksum() {
        Ok(said) if said == sum => Ok(header),
        _ => Err(ObjectError::damaged(file, "the checksum of a header does not match")),
    }
}

fn extension(input: &mut impl Read, bytes: u64, file: &str) -> ObjectResult<Vec<u8>> {
    if bytes > EXTENSION_BYTES_MAX {
        return Err(ObjectError::refused(
            file,
            format!(
                "an extended header has {}, more than the limit of {}",
                units::bytes(bytes),
                units::bytes(EXTENSION_BYTES_MAX)
            ),
        ));
    }
    // Below 64 KiB.
    let mut content = vec![0; bytes as usize + padding(bytes)];
    input.read_exact(&mut content).map_err(|error| unreadable(file, &error))?;
    content.truncate(bytes as usize);
    Ok(content)
}

fn pax(content: &[u8], extended: &mut Extended, file: &str) -> ObjectResult<()> {
    let refused = |what: String| ObjectError::refused(file, format!("an extended header {what}"));
    for record in tar::PaxExtensions::new(content) {
        let record = record.map_err(|_| refused("cannot be read".to_owned()))?;
        match record.key_bytes() {
            b"path" if extended.name.is_none() => extended.name = Some(record.value_bytes().to_vec()),
            b"size" if extended.bytes.is_none() => {
                let said = record.value().ok().and_then(|text| text.parse().ok());
                extended.bytes = Some(said.ok_or_else(|| refused("has no readable size".to_owned()))?);
            }
            b"path" | b"size" => return Err(refused("repeats a field".to_owned())),
            key if key == b"linkpath" || key.starts_with(b"GNU.sparse") => {
                return Err(refused("describes a link or a sparse file".to_owned()));
            }
            // Times, owners, comments: nothing here depends on them.
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what a header for all members must not say of any of them.
fn about_all(content: &[u8], file: &str) -> ObjectResult<()> {
    let mut all = Extended::default();
    pax(content, &mut all, file)?;
    if all.is_empty() {
        return Ok(());
    }
    Err(ObjectError::refused(file, "an extended header gives all members one name or size"))
}

/// Whether the header is of `./`.
fn is_here(header: &tar::Header) -> bool {
    matches!(&*header.path_bytes(), b"." | b"./")
}

/// The name without the `./` that `tar` puts before it when it is told to archive a folder.
fn plain(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}

fn member(header: &tar::Header, size: u64, extended: Extended, file: &str) -> ObjectResult<Member> {
    let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
    let shown = String::from_utf8_lossy(&name).into_owned();
    let refused = |what: String| ObjectError::refused(file, format!("its member {shown:?} {what}"));
    let bytes = match extended.bytes {
        Some(bytes) if bytes != size && !(size == 0 && bytes >= OCTAL_SIZE_MAX) => {
            return Err(refused(format!(
                "has two sizes, {} and {}",
                units::exact_bytes(size),
                units::exact_bytes(bytes)
            )));
        }
        said => said.unwrap_or(size),
    };
    // Far beyond any store, and sums of sizes stay within 64 bits.
    if bytes > 1 << 56 {
        return Err(refused(format!("has {}, more than any file", units::bytes(bytes))));
    }
    if header.mode().is_ok_and(|mode| mode & 0o7000 != 0) {
        return Err(refused("would run with its owner's rights".to_owned()));
    }
    if header.link_name_bytes().is_some_and(|link| !link.is_empty()) {
        return Err(refused("is a link".to_owned()));
    }
    let key = std::str::from_utf8(plain(&name)).ok().and_then(TypeKey::of_member);
    let key = key.ok_or_else(|| refused("is not named `<Type>--<table>.json`".to_owned()))?;
    Ok(Member { key, bytes })
}

fn kind_name(kind: tar::EntryType) -> &'static str {
    match kind {
        tar::EntryType::Symlink | tar::EntryType::Link => "a link",
        tar::EntryType::Char | tar::EntryType::Block => "a device",
        tar::EntryType::Fifo => "a pipe",
        tar::EntryType::Directory => "a folder",
        _ => "not a regular file",
    }
}
