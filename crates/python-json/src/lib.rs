//! JSON as Python's `json` module reads and writes it.
//!
#![doc = include_str!("../README.md")]

mod fault;
mod read;
mod unescape;
pub mod write;

pub use fault::{Fault, Problem};
pub use read::{Kind, Number, Reader, Word, document};
