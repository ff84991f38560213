//! Features that a document can require of whoever reads it.

use super::external::EXTERNAL;

/// The feature that a manifest requires whose detail goes on in parts of the backup: whoever does not read them would take
/// the backup for one that holds less.
pub const LISTS: &str = "lists";

/// Features that this version knows. A document that requires another one was made by a newer version.
pub const FEATURES: [&str; 2] = [EXTERNAL, LISTS];
