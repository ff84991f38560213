//! Labels of file systems, which `fstab` may know them by.

use std::time::Duration;

use super::error::SyncError;
use super::script;
use crate::host::Shell;

/// Bytes of a label in ext2 to ext4. `e2label` cuts a longer one and ends with 0 (seen with e2fsprogs 1.47.0).
pub const EXT_LABEL_BYTES_MAX: usize = 16;

/// Bytes of a label in XFS (`xfs_admin(8)`).
pub const XFS_LABEL_BYTES_MAX: usize = 12;

const LIMIT: Duration = Duration::from_secs(30);

/// A file system and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// `ext4`, `xfs`, …
    pub kind: String,
    /// Its label, if it has one.
    pub label: Option<String>,
}

impl Label {
    /// The label that has to be written to `target`; none if it has that one already or there is none.
    ///
    /// # Errors
    /// [`SyncError::Label`] if it does not fit there.
    pub fn label_for<'a>(&'a self, target: &Self) -> Result<Option<&'a str>, SyncError> {
        let Some(label) = self.label.as_deref().filter(|_| self.label != target.label) else { return Ok(None) };
        let room = match target.kind.as_str() {
            "xfs" => XFS_LABEL_BYTES_MAX,
            kind if kind.starts_with("ext") => EXT_LABEL_BYTES_MAX,
            // Whether others take it shows when it is read back.
            _ => usize::MAX,
        };
        if label.len() > room {
            let kind = target.kind.clone();
            return Err(SyncError::Label { label: label.to_owned(), bytes: label.len(), kind, room });
        }
        Ok(Some(label))
    }
}

/// The file system on a device.
pub(super) async fn read(shell: &dyn Shell, device: &str) -> Result<Label, SyncError> {
    let answer = shell.run(&script::read_label(device), LIMIT).await?;
    let line = answer.lines().find_map(|line| line.strip_prefix("lastgood label "));
    let Some(line) = line else {
        return Err(SyncError::Missing { host: shell.host().to_owned(), what: device.to_owned() });
    };
    let (kind, label) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Label { kind: kind.to_owned(), label: Some(label.to_owned()).filter(|label| !label.is_empty()) })
}

/// Sets it, and reads it back.
pub(super) async fn write(
    shell: &dyn Shell,
    device: &str,
    mount: &str,
    kind: &str,
    label: &str,
) -> Result<(), SyncError> {
    let answer = shell.run(&script::write_label(device, mount, kind, label), LIMIT).await?;
    let said = answer.lines().find_map(|line| line.strip_prefix("lastgood label-"));
    match said {
        Some("set") => Ok(()),
        said => Err(SyncError::LabelNotSet {
            host: shell.host().to_owned(),
            label: label.to_owned(),
            said: said.and_then(|said| said.strip_prefix("failed ")).unwrap_or("it gave no answer").to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(kind: &str, label: &str) -> Label {
        Label { kind: kind.to_owned(), label: Some(label.to_owned()).filter(|label| !label.is_empty()) }
    }

    #[test]
    fn a_label_that_does_not_fit_is_refused_and_not_cut() {
        let source = label("ext4", "0123456789abcdef");
        assert_eq!(source.label_for(&label("ext4", "")).unwrap(), Some("0123456789abcdef"));
        let refused = source.label_for(&label("xfs", "")).unwrap_err().to_string();
        assert!(refused.contains("has 16 bytes, and xfs has room for 12"), "{refused}");
        // Bytes and not characters.
        assert!(label("btrfs", "ääääääääb").label_for(&label("ext3", "")).is_err());
        assert_eq!(source.label_for(&source).unwrap(), None);
        assert_eq!(label("xfs", "").label_for(&source).unwrap(), None);
    }
}
