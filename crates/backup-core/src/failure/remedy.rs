//! What to do about a failure: a sentence that names options and operations as values, so that a library words them for a
//! developer and a program for whoever uses the program.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::vocabulary::{Operation, Setting};

/// The next thing to do, and what is still safe. [`remedy`](crate::remedy) writes one.
///
/// `Display` words it for a developer: options by their names in the libraries, operations by their functions. A program
/// that gives them other names, such as flags and commands, words the [`parts`](Self::parts) itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    parts: Vec<Part>,
}

/// A piece of a [`Remedy`].
///
/// Not `non_exhaustive`, nor are [`Setting`] and [`Operation`]: whoever words remedies has to decide about a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words that are the same for everybody.
    Text(Cow<'static, str>),
    /// An option.
    Setting(Set),
    /// Something to run.
    Operation(Call),
}

/// An option, and what it is set to where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Which option.
    pub setting: Setting,
    /// Its value.
    pub value: Option<Value>,
}

/// An operation, what it is done to, and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which operation.
    pub operation: Operation,
    /// The backup, database or name that it is done to.
    pub subject: Option<Value>,
    /// The options it is run with, in order.
    pub options: Vec<Set>,
}

/// What stands for the value of an option or the subject of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// What the reader fills in, such as `NAME`.
    Placeholder(&'static str),
    /// The very value.
    Given(String),
}

impl Remedy {
    /// The remedy of these parts, one after the other.
    #[must_use]
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// Its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(text) if text.trim().is_empty()))
    }

    /// The same with `more` behind it; a text that stands alone begins with its own separator, such as `; `.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.parts.extend(more.into().parts);
        self
    }
}

impl Setting {
    /// The option with a value: what the reader fills in (a `&'static str`), or the very value (a `String`).
    #[must_use]
    pub fn with(self, value: impl Into<Value>) -> Set {
        Set { setting: self, value: Some(value.into()) }
    }
}

impl Operation {
    /// The operation, done to something: what the reader fills in (a `&'static str`), or the very name (a `String`).
    #[must_use]
    pub fn on(self, subject: impl Into<Value>) -> Call {
        Call { operation: self, subject: Some(subject.into()), options: Vec::new() }
    }
}

impl Call {
    /// The same with one more option.
    #[must_use]
    pub fn with(mut self, option: impl Into<Set>) -> Self {
        self.options.push(option.into());
        self
    }
}

impl From<&'static str> for Value {
    fn from(placeholder: &'static str) -> Self {
        Self::Placeholder(placeholder)
    }
}

impl From<String> for Value {
    fn from(given: String) -> Self {
        Self::Given(given)
    }
}

impl From<Setting> for Set {
    fn from(setting: Setting) -> Self {
        Self { setting, value: None }
    }
}

impl From<Operation> for Call {
    fn from(operation: Operation) -> Self {
        Self { operation, subject: None, options: Vec::new() }
    }
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Setting> for Part {
    fn from(setting: Setting) -> Self {
        Self::Setting(setting.into())
    }
}

impl From<Set> for Part {
    fn from(set: Set) -> Self {
        Self::Setting(set)
    }
}

impl From<Operation> for Part {
    fn from(operation: Operation) -> Self {
        Self::Operation(operation.into())
    }
}

impl From<Call> for Part {
    fn from(call: Call) -> Self {
        Self::Operation(call)
    }
}

impl<P: Into<Part>> From<P> for Remedy {
    fn from(part: P) -> Self {
        Self { parts: vec![part.into()] }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placeholder(text) => f.write_str(text),
            Self::Given(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            // What the reader fills in is said by the option's own documentation.
            None | Some(Value::Placeholder(_)) => write!(f, "the option `{}`", self.setting.name()),
            Some(Value::Given(value)) => write!(f, "the option `{}` set to `{value}`", self.setting.name()),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            None | Some(Value::Placeholder(_)) => write!(f, "`{}`", self.operation.name())?,
            Some(Value::Given(subject)) => write!(f, "`{}` of `{subject}`", self.operation.name())?,
        }
        for (index, option) in self.options.iter().enumerate() {
            write!(f, "{}{option}", if index == 0 { " with " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Setting(set) => set.fmt(f),
            Part::Operation(call) => call.fmt(f),
        })
    }
}

/// As `Display` words it. A program that words remedies itself puts its own words into its documents.
impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes a [`Remedy`] of parts: texts, [`Setting`]s and [`Operation`]s, each with or without a value.
///
/// ```
/// use backup_core::failure::{Operation, Setting};
/// use backup_core::remedy;
///
/// let remedy = remedy!["run ", Operation::ListDumps, ", or choose another database with ", Setting::Into.with("NAME")];
/// assert_eq!(remedy.to_string(), "run `list`, or choose another database with the option `into`");
/// ```
#[macro_export]
macro_rules! remedy {
    ($($part:expr),* $(,)?) => {
        $crate::failure::Remedy::new(vec![$($crate::failure::Part::from($part)),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_developer_reads_of_options_and_functions() {
        let table = Setting::Table.with("public.\"Moods\"".to_owned());
        let call = Operation::RestoreDump.on("shop".to_owned()).with(Setting::DataOnly).with(table);
        let remedy = crate::remedy!["nothing was changed. Run ", call].and(", or use ").and(Setting::Into.with("NAME"));
        assert_eq!(
            remedy.to_string(),
            "nothing was changed. Run `restore` of `shop` with the option `data_only`, the option `table` set to \
             `public.\"Moods\"`, or use the option `into`"
        );
        assert_eq!(serde_json::to_value(&remedy).unwrap(), remedy.to_string());
    }

    #[test]
    fn a_remedy_of_blanks_says_nothing() {
        assert!(Remedy::default().is_empty() && Remedy::from(" ").is_empty());
        assert!(!Remedy::from(Setting::Force).is_empty());
    }
}
