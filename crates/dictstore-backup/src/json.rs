//! Values of a store as JSON, in Python's dialect and in the layout that DictDB has byte for byte.

pub(crate) mod read;
pub(crate) mod write;
