//! Splits the stderr of `pg_dump` and `pg_restore` into messages with the command that caused them.

use serde::Serialize;

/// How the text of a message begins that is about a statement.
pub(super) const REFUSED: &str = "could not execute query: ";

/// Most bytes kept of a message or a command: enough to recognise it, and a function's body may be megabytes.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Before the statement `pg_restore` could not execute.
const COMMAND_MARK: &str = "Command was: ";

/// How a warning of the server's begins, which versions 12 to 14 hand on and later ones keep to themselves.
pub(super) const SERVERS_WARNING: &str = "WARNING:  ";

/// How bad a program says something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `error:`
    Error,
    /// `warning:`
    Warning,
    /// Neither, or not in a form known here.
    Unknown,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Message {
    /// How bad the program says it is.
    pub severity: Severity,
    /// What it says; details and hints on lines of their own. Cut after 4 KiB.
    pub text: String,
    /// The statement that failed, if one did. Cut after 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether text or command were cut.
    pub is_cut: bool,
}

impl Message {
    pub(super) fn unexplained(text: &str) -> Self {
        Self::new(Severity::Unknown, text)
    }

    /// What the server said, on its first line: `relation "x" does not exist`.
    pub(super) fn server_error(&self) -> Option<&str> {
        let line = self.text.lines().next()?;
        let error = match line.split_once("ERROR:  ") {
            Some((_, error)) => error,
            None => after_severity(line.strip_prefix(REFUSED).or_else(|| Some(refused_rows(line)?.1))?)?,
        };
        (self.severity == Severity::Error).then_some(error)
    }

    pub(super) fn errors_ignored(&self) -> Option<u64> {
        let count = self.text.trim_end().strip_prefix("errors ignored on restore: ")?;
        (self.severity == Severity::Warning).then(|| count.parse().ok())?
    }

    fn new(severity: Severity, line: &str) -> Self {
        let mut message = Self { severity, text: String::new(), command: None, is_cut: false };
        message.push_line(line);
        message
    }

    fn push_line(&mut self, line: &str) {
        let target = self.command.as_mut().unwrap_or(&mut self.text);
        if target.len() >= TEXT_BYTES_MAX {
            self.is_cut |= !line.is_empty();
            return;
        }
        if !target.is_empty() {
            target.push('\n');
        }
        let room = TEXT_BYTES_MAX.saturating_sub(target.len());
        let end = line.floor_char_boundary(room.min(line.len()));
        target.push_str(&line[..end]);
        self.is_cut |= end < line.len();
    }

    fn finished(mut self) -> Self {
        if let Some(command) = &mut self.command {
            command.truncate(command.trim_end().len());
        }
        self.text.truncate(self.text.trim_end().len());
        self
    }
}

/// The table whose rows were refused, and what the server said of them.
pub(super) fn refused_rows(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("COPY failed for table \"")?.split_once("\": ")
}

/// What follows the server's word for an error, which is in the language that the server speaks: `FEHLER:  ` and the like.
pub(super) fn after_severity(said: &str) -> Option<&str> {
    let (word, error) = said.split_once(":  ")?;
    (!word.is_empty() && !word.contains(char::is_whitespace)).then_some(error)
}

/// The messages in `stderr`, one after the other.
pub(super) fn messages(stderr: &str) -> impl Iterator<Item = Message> + '_ {
    let mut lines = stderr.lines();
    let mut current: Option<Message> = None;
    std::iter::from_fn(move || {
        for line in lines.by_ref() {
            if let Some(done) = take(&mut current, line) {
                return Some(done.finished());
            }
        }
        current.take().map(Message::finished)
    })
}

/// Adds a line to the message it belongs to; returns the message that it ends.
fn take(current: &mut Option<Message>, line: &str) -> Option<Message> {
    let Some(rest) = after_program(line) else {
        // What a server says at the login, the library prints before the program can.
        let no_command = current.as_ref().is_none_or(|message| message.command.is_none());
        if line.starts_with(SERVERS_WARNING) && no_command {
            return current.replace(Message::new(Severity::Warning, line));
        }
        match current {
            Some(message) => continue_with(message, line),
            None if line.trim().is_empty() => {}
            None => *current = Some(Message::new(Severity::Unknown, line)),
        }
        return None;
    };
    if let Some(text) = rest.strip_prefix("error: ") {
        return current.replace(Message::new(Severity::Error, text));
    }
    if let Some(text) = rest.strip_prefix("warning: ") {
        return current.replace(Message::new(Severity::Warning, text));
    }
    if rest.starts_with(SERVERS_WARNING) {
        return current.replace(Message::new(Severity::Warning, rest));
    }
    if is_context(rest) {
        // Versions 12 to 14 say here where they are; the command says it better.
        return None;
    }
    match current {
        Some(message) if rest.starts_with("detail: ") || rest.starts_with("hint: ") => {
            message.push_line(rest);
            None
        }
        _ => current.replace(Message::new(Severity::Unknown, rest)),
    }
}

fn continue_with(message: &mut Message, line: &str) {
    match line.strip_prefix(COMMAND_MARK) {
        Some(command) if message.command.is_none() && message.severity == Severity::Error => {
            message.command = Some(String::new());
            message.push_line(command);
        }
        _ => message.push_line(line),
    }
}

fn after_program(line: &str) -> Option<&str> {
    line.strip_prefix("pg_restore: ").or_else(|| line.strip_prefix("pg_dump: "))
}

/// `while INITIALIZING:`, `while PROCESSING TOC:` and `from TOC entry 215; 1259 16385 TABLE t postgres`.
pub(super) fn is_context(rest: &str) -> bool {
    ["while INITIALIZING:", "while PROCESSING TOC:", "while FINALIZING:"].contains(&rest)
        || rest.starts_with("from TOC entry ")
}
