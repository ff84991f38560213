//! Schemas: which fields a record has, and of which of DictDB's six types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{Record, Text, Value};

/// Type of a field; the names are DictDB's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Integers of any size; truth values pass too, as in Python.
    Int,
    /// Text.
    Str,
    /// Floating point numbers; integers do not pass.
    Float,
    /// Truth values.
    Bool,
    /// Lists.
    List,
    /// Dictionaries.
    Dict,
}

impl FieldType {
    /// All six.
    pub const ALL: [Self; 6] = [Self::Int, Self::Str, Self::Float, Self::Bool, Self::List, Self::Dict];

    /// DictDB's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Str => "str",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Dict => "dict",
        }
    }

    /// Whether `value` has this type. Null has none.
    #[must_use]
    pub fn admits(self, value: &Value) -> bool {
        let name = value.type_name();
        name == self.name() || (self == Self::Int && name == "bool")
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FieldType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("unsupported type in schema: {text}"))
    }
}

/// Fields and their types, in order. Every one is required and no other is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<(Text, FieldType)>,
}

impl Schema {
    /// A schema without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This schema with one more field, or another type for it.
    #[must_use]
    pub fn field(mut self, name: impl Into<Text>, kind: FieldType) -> Self {
        let name = name.into();
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = kind,
            None => self.fields.push((name, kind)),
        }
        self
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, FieldType)> {
        self.fields.iter().map(|(name, kind)| (name, *kind))
    }

    /// DictDB adds the key as `int` where a schema does not name it.
    #[must_use]
    pub(crate) fn with_key(self, primary_key: &Text) -> Self {
        if self.fields.iter().any(|(name, _)| name == primary_key) {
            return self;
        }
        self.field(primary_key, FieldType::Int)
    }

    /// What is wrong with `record`, if anything.
    #[must_use]
    pub fn fault(&self, record: &Record) -> Option<String> {
        for (name, kind) in &self.fields {
            match record.field(name) {
                None => return Some(format!("the field `{name}` is missing")),
                Some(value) if !kind.admits(value) => {
                    return Some(format!("the field `{name}` must be `{kind}`, not `{}`", value.type_name()));
                }
                Some(_) => {}
            }
        }
        if record.len() == self.fields.len() {
            return None;
        }
        let extra = record.iter().find(|(name, _)| !self.fields.iter().any(|(known, _)| known == *name));
        extra.map(|(name, _)| format!("the schema has no field `{name}`"))
    }
}

impl FromIterator<(Text, FieldType)> for Schema {
    fn from_iter<I: IntoIterator<Item = (Text, FieldType)>>(fields: I) -> Self {
        fields.into_iter().fold(Self::new(), |schema, (name, kind)| schema.field(name, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_required_of_its_type_and_no_other_is_allowed() {
        let schema = Schema::new().field("n", FieldType::Int).field("f", FieldType::Float);
        let good = Record::new().with("n", true).with("f", 0.5);
        assert_eq!(schema.fault(&good), None);
        for (wrong, word) in [
            (good.clone().with("f", 1), "must be `float`"),
            (good.clone().with("n", Value::Null), "must be `int`"),
            (good.clone().with("x", 1), "no field `x`"),
            (Record::new().with("n", 1), "`f` is missing"),
        ] {
            let fault = schema.fault(&wrong).unwrap();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
