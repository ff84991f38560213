//! The one place of the workshop that prints.

/// Prints one line for people to stdout.
#[expect(clippy::print_stdout, reason = "a workshop tool talks to whoever runs it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints one line about something wrong to stderr.
#[expect(clippy::print_stderr, reason = "a workshop tool talks to whoever runs it")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}
