//! What belongs to a backup and is no object of its location: snapshots, images, archives in a vault.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The feature that a manifest with something external requires.
pub const EXTERNAL: &str = "external";

/// Something that belongs to a backup, exists outside its location, and goes with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct External {
    /// The service that holds it, such as `ebs` or `glacier`.
    pub service: String,
    /// The region of that service.
    pub region: String,
    /// The account it belongs to.
    pub account: String,
    /// What the service calls it, such as `snap-0123456789abcdef0`.
    pub id: String,
    /// Bytes it occupies, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
}

impl External {
    /// Why it cannot be told apart from others: an empty field, or one that would run into the next.
    pub(super) fn fault(&self) -> Option<String> {
        let Self { service, region, account, id, .. } = self;
        let fields = [("service", service), ("region", region), ("account", account)];
        let joined = fields.into_iter().find(|(_, value)| value.is_empty() || value.contains(':'));
        let (field, _) = joined.or_else(|| id.is_empty().then_some(("id", id)))?;
        Some(format!("the `{field}` of an external resource is empty or has a colon"))
    }
}

/// `service:region:account:id`, which is the same for the same thing, however large.
impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, region, account, id, .. } = self;
        write!(f, "{service}:{region}:{account}:{id}")
    }
}
