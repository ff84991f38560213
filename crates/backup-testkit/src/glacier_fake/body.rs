//! What an archive consists of, put together only when somebody reads it.

use std::sync::OnceLock;

use bytes::Bytes;

/// The parts of an archive, in order.
#[derive(Clone, Debug)]
pub(super) struct Body {
    parts: Vec<Bytes>,
    bytes: usize,
    whole: OnceLock<Bytes>,
}

impl Body {
    pub(super) fn of(parts: Vec<Bytes>) -> Self {
        let bytes = parts.iter().map(Bytes::len).sum();
        Self { parts, bytes, whole: OnceLock::new() }
    }

    /// Of so many bytes that nobody kept: see [`super::GlacierFake::forget`].
    pub(super) fn forgotten(bytes: usize) -> Self {
        Self { parts: Vec::new(), bytes, whole: OnceLock::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// What `parts` have, one after the other.
    pub(super) fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::forgotten(0);
        for part in parts {
            all.bytes += part.bytes;
            all.parts.extend(part.parts);
        }
        all
    }

    /// All bytes.
    pub(super) fn whole(&self) -> &Bytes {
        self.whole.get_or_init(|| match self.parts.as_slice() {
            [one] => one.clone(),
            parts => parts.concat().into(),
        })
    }
}
