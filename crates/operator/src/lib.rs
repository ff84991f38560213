//! What an operator of lastgood sets and looks at: settings, each with the place it comes from, and findings about what a
//! backup and a restore need.
//!
//! It stands above the crates that back something up and below the command line. It prints nothing and parses no
//! arguments: settings, findings and errors are values, and the command line puts them into words.

pub mod findings;
pub mod settings;

/// The example of the README, checked as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;
