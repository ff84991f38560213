//! JSON exactly as Python's `json` writes and reads it: bare `NaN` and `Infinity`, lone surrogates, integers of any size.
//!
//! Our own because no JSON library reads those three, and because the layout must be DictDB's byte for byte.

mod float;
pub(crate) mod read;
pub(crate) mod write;
