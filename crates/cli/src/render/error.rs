//! Errors as texts (what happened, why, and what to do next) and as JSON lines.

use std::error::Error as _;

use backup_core::Failure as _;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::render::printer::Printer;
use crate::render::remedy::words;

/// Longest chain of causes shown; a longer one is a loop.
const CAUSES_MAX: usize = 16;

/// An error taken apart.
#[derive(Debug, Serialize)]
struct Report {
    event: &'static str,
    exit: u8,
    code: &'static str,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

/// Says on standard error what went wrong.
pub(crate) fn report(printer: &Printer, error: &CliError, exit: Exit) {
    let report = Report::new(error, exit);
    if printer.is_json() {
        let report = report.redacted(printer);
        // A struct of strings always has a JSON form; should that ever change, the text is better than silence.
        let line = serde_json::to_string(&report).unwrap_or_else(|_| report.text());
        printer.json_line(&line);
    } else {
        let red = anstyle::AnsiColor::Red.on_default().effects(anstyle::Effects::BOLD);
        printer.labelled(red, &report.label(), &report.text());
    }
}

/// The error in one sentence: message and causes.
pub(crate) fn sentence(error: &CliError) -> String {
    let report = Report::new(error, Exit::Failed);
    std::iter::once(report.message).chain(report.causes).collect::<Vec<_>>().join(": ")
}

/// What to do about the error.
pub(crate) fn help(error: &CliError) -> Option<String> {
    Report::new(error, Exit::Failed).help
}

impl Report {
    fn new(error: &CliError, exit: Exit) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source.filter(|_| causes.len() < CAUSES_MAX) {
            let text = cause.to_string();
            // Many libraries repeat their cause in their own text.
            if !causes.last().unwrap_or(&message).contains(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self {
            event: "exit_error",
            exit: exit.code(),
            code: error.code(),
            message,
            causes,
            help: error.remedy().map(|remedy| words(&remedy)).filter(|help| !help.trim().is_empty()),
        }
    }

    /// Without secrets, before JSON escapes what a program may have escaped already.
    fn redacted(self, printer: &Printer) -> Self {
        let redact = |text: String| printer.redactor().redact(&text);
        Self {
            message: redact(self.message),
            causes: self.causes.into_iter().map(redact).collect(),
            help: self.help.map(redact),
            ..self
        }
    }

    fn label(&self) -> String {
        format!("error[{}]", self.code)
    }

    /// What stands behind the label.
    fn text(&self) -> String {
        let mut text = self.message.trim_end().to_owned();
        for cause in &self.causes {
            text.push_str(&block("cause", cause));
        }
        if let Some(help) = &self.help {
            text.push_str(&block("help", help));
        }
        text
    }
}

/// A labelled paragraph below the message, its further lines indented to stand under the first.
fn block(label: &str, text: &str) -> String {
    let indent = " ".repeat(label.len() + 4);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    format!("\n  {label}: {}", lines.join(&format!("\n{indent}")))
}

#[cfg(test)]
mod tests {
    use backup_core::StoreError;

    use super::*;

    fn denied() -> CliError {
        StoreError::PermissionDenied {
            key: "pg/shop/manifest.json".into(),
            action: "s3:PutObject".into(),
            help: "allow `s3:PutObject`\non this prefix".into(),
            source: "403 Forbidden".into(),
        }
        .into()
    }

    #[test]
    fn message_cause_and_help_stand_below_each_other() {
        let report = Report::new(&denied(), Exit::Failed);
        assert_eq!(
            format!("{}: {}", report.label(), report.text()),
            "error[store::permission_denied]: not allowed to s3:PutObject `pg/shop/manifest.json`\n  \
             cause: 403 Forbidden\n  help: allow `s3:PutObject`\n        on this prefix"
        );
    }

    #[test]
    fn the_json_form_has_the_same_parts() {
        let value = serde_json::to_value(Report::new(&denied(), Exit::Failed)).unwrap();
        assert_eq!(value["event"], "exit_error");
        assert_eq!(value["code"], "store::permission_denied");
        assert_eq!(value["exit"], 1);
        assert_eq!(value["causes"][0], "403 Forbidden");
    }

    #[test]
    fn a_cause_that_repeats_its_effect_is_shown_once() {
        let error = CliError::Output {
            action: "write to standard output".into(),
            source: std::io::Error::other("disk on fire"),
        };
        assert_eq!(Report::new(&error, Exit::Failed).causes, ["disk on fire"]);
    }
}
