//! The one place of the acceptance binaries that prints.

/// Prints one line to stdout.
#[expect(clippy::print_stdout, reason = "these binaries exist to be read")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints one line about something wrong, or about progress, to stderr.
#[expect(clippy::print_stderr, reason = "these binaries exist to be read")]
pub fn note(line: &str) {
    eprintln!("{line}");
}
