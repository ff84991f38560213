//! A configuration file's text, and the lines of its values.

use std::path::Path;
use std::sync::Arc;

use crate::settings::origin::Origin;

/// A configuration file's path and text.
#[derive(Debug)]
pub(super) struct Source {
    path: Arc<Path>,
    text: String,
}

impl Source {
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self { path: path.into(), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line of the byte `at`.
    pub(super) fn origin(&self, at: usize) -> Origin {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Origin::File { path: Arc::clone(&self.path), line }
    }

    /// The folder of the file: relative paths in it start there.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
    }
}
