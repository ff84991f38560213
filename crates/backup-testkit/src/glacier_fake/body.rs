//! What an archive consists of, put together only when somebody reads it.

use std::sync::OnceLock;

use bytes::Bytes;

/// The parts of an archive, in order.
#[derive(Clone, Debug)]
pub(super) struct Body {
    parts: Vec<Bytes>,
    whole: OnceLock<Bytes>,
}

impl Body {
    pub(super) fn of(parts: Vec<Bytes>) -> Self {
        Self { parts, whole: OnceLock::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// All bytes.
    pub(super) fn whole(&self) -> &Bytes {
        self.whole.get_or_init(|| match self.parts.as_slice() {
            [one] => one.clone(),
            parts => parts.concat().into(),
        })
    }
}
