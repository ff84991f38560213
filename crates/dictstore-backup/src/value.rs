//! Values of records: everything that DictDB's JSON can represent, and what only its pickle files can.

mod big_int;
mod key;
mod record;
mod text;

pub use self::big_int::{BIG_INT_DIGITS_MAX, BigInt};
pub use self::key::Key;
pub use self::record::Record;
pub use self::text::Text;

/// A value. JSON has all but the last five, which only pickle files bring.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Python's `None`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// An integer that does not fit.
    Big(BigInt),
    /// A floating point number, NaN and infinities included.
    Float(f64),
    /// Text, lone surrogates included.
    Text(Text),
    /// A list.
    List(Box<[Value]>),
    /// A dictionary with text keys, in insertion order.
    Dict(Box<Record>),
    /// A tuple; JSON writes it as a list.
    Tuple(Box<[Value]>),
    /// A dictionary with other keys; JSON writes them as text.
    Pairs(Box<[(Value, Value)]>),
    /// Bytes; JSON cannot say them.
    Bytes(Box<[u8]>),
    /// A set; JSON cannot say it.
    Set(Box<[Value]>),
    /// A frozen set; JSON cannot say it.
    FrozenSet(Box<[Value]>),
}

impl Value {
    /// What Python calls its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) | Self::Pairs(_) => "dict",
            Self::Tuple(_) => "tuple",
            Self::Bytes(_) => "bytes",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
        }
    }

    /// The text, if it is text of whole characters.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_str(),
            _ => None,
        }
    }

    /// The integer, if it is one of up to 64 bits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.as_str().into())
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Self {
        Self::Text(value)
    }
}

impl From<Record> for Value {
    fn from(value: Record) -> Self {
        Self::Dict(Box::new(value))
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_three_words() {
        // A million small records are a few million of these: growing them is a decision, not an accident.
        assert_eq!(size_of::<Value>(), 24);
    }
}
