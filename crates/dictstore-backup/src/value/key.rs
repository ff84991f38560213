//! Primary keys: any scalar, with the equality of Python.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::{BigInt, Text, Value};

/// The value of a primary key. `1`, `1.0` and `true` are the same key, as in Python; `"1"` is another.
#[derive(Clone)]
pub struct Key(Value);

/// What makes two keys equal.
#[derive(PartialEq, Eq, Hash)]
enum Canonical<'k> {
    Null,
    Int(i64),
    Big(BigInt),
    Float(u64),
    Text(&'k Text),
    Bytes(&'k [u8]),
    Tuple(Vec<Canonical<'k>>),
}

impl Key {
    /// The key of this value; the value back if it cannot be one: a list, a dictionary, a set.
    ///
    /// # Errors
    /// The value.
    pub fn new(value: Value) -> Result<Self, Value> {
        // Nearly every key is one of these two.
        let plain = matches!(value, Value::Int(_) | Value::Text(_));
        if plain || canonical(&value).is_some() { Ok(Self(value)) } else { Err(value) }
    }

    /// The value as it was given.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The integer that moves a table's counter on: truth values count, as in Python. Integers beyond 128 bits do not; no
    /// counter reaches them.
    #[must_use]
    pub fn counted(&self) -> Option<i128> {
        match &self.0 {
            Value::Int(value) => Some((*value).into()),
            Value::Bool(value) => Some((*value).into()),
            Value::Big(value) => value.as_str().parse().ok(),
            _ => None,
        }
    }

    /// Whether JSON has such a value.
    #[must_use]
    pub fn is_json(&self) -> bool {
        !matches!(self.0, Value::Tuple(_) | Value::Bytes(_))
    }
}

fn canonical(value: &Value) -> Option<Canonical<'_>> {
    Some(match value {
        Value::Null => Canonical::Null,
        Value::Bool(value) => Canonical::Int((*value).into()),
        Value::Int(value) => Canonical::Int(*value),
        Value::Big(value) => Canonical::Big(value.clone()),
        Value::Float(value) => float(*value),
        Value::Text(value) => Canonical::Text(value),
        Value::Bytes(value) => Canonical::Bytes(value),
        Value::Tuple(values) => Canonical::Tuple(values.iter().map(canonical).collect::<Option<_>>()?),
        _ => return None,
    })
}

/// Whole numbers are integers, whatever their type.
fn float(value: f64) -> Canonical<'static> {
    if value.is_finite() && value.fract() == 0.0 {
        // Exact: a whole floating point number prints all its digits.
        let digits = format!("{value:.0}");
        let digits = if digits == "-0" { "0" } else { &digits };
        if let Ok(small) = digits.parse() {
            return Canonical::Int(small);
        }
        if let Some(big) = BigInt::parse(digits) {
            return Canonical::Big(big);
        }
    }
    Canonical::Float(value.to_bits())
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (a, b) => canonical(a) == canonical(b),
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        canonical(&self.0).hash(state);
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl From<i64> for Key {
    fn from(value: i64) -> Self {
        Self(value.into())
    }
}

impl From<&str> for Key {
    fn from(value: &str) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As JSON, for people.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        match crate::json::write::value(&mut out, &self.0) {
            Ok(()) => f.write_str(&String::from_utf8_lossy(&out)),
            Err(_) => write!(f, "a {}", self.0.type_name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_equal_as_in_python() {
        let equal = [
            vec![Value::Int(1), Value::Float(1.0), Value::Bool(true)],
            vec![Value::Int(0), Value::Float(-0.0), Value::Float(0.0), Value::Bool(false)],
            vec![Value::Float(1e22), Value::Big(BigInt::parse("10000000000000000000000").unwrap())],
            vec![Value::Text("1".into())],
            vec![Value::Null],
            vec![Value::Float(1.5)],
            vec![Value::Tuple([Value::Int(1)].into()), Value::Tuple([Value::Bool(true)].into())],
        ];
        let mut seen = HashSet::new();
        for group in equal {
            let new: Vec<bool> = group.into_iter().map(|value| seen.insert(Key::new(value).unwrap())).collect();
            assert!(new[0] && new[1..].iter().all(|new| !new), "{new:?}");
        }
    }

    #[test]
    fn containers_are_no_keys() {
        assert!(Key::new(Value::List([].into())).is_err());
        assert!(Key::new(Value::Tuple([Value::List([].into())].into())).is_err());
    }
}
