//! Whole runs of the built `lastgood` binary: what the binaries `bench`, `demo`, `e2e` and `torture` are made of.
//!
//! Without the feature `rows` there is only the demo.

#[cfg(feature = "rows")]
pub mod bench;
pub mod check;
pub mod demo;
#[cfg(feature = "rows")]
pub mod e2e;
#[cfg(feature = "rows")]
pub mod harness;
#[cfg(feature = "rows")]
pub mod many;
pub mod printer;
#[cfg(feature = "rows")]
pub mod rows;
pub mod server;
#[cfg(feature = "rows")]
pub mod torture;

use std::error::Error;
use std::path::PathBuf;

/// Result of everything here; the error's text is for whoever runs the binary.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The built `lastgood`: `LASTGOOD_BIN`, or else the one beside this binary.
///
/// # Errors
/// If it is not there.
pub fn lastgood_binary() -> Outcome<PathBuf> {
    let path = match std::env::var_os("LASTGOOD_BIN") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("lastgood"),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("there is no `{}`: `cargo build -p lastgood` makes it, LASTGOOD_BIN names another", path.display())
        .into())
}
