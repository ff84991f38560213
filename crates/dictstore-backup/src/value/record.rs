//! A record: fields by name, in their original order.

use std::collections::HashMap;

use super::{Text, Value};

/// Up to so many fields are searched one by one, which is faster than hashing.
const SEARCHED_FIELDS: usize = 16;

/// Fields by name, in insertion order, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    fields: Vec<(Text, Value)>,
}

impl Record {
    /// A record without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A record of these fields. Of fields with one name the last value counts, at the place of the first, as in Python.
    #[must_use]
    pub fn from_fields(mut fields: Vec<(Text, Value)>) -> Self {
        if fields.len() <= SEARCHED_FIELDS {
            let mut at = 1;
            while at < fields.len() {
                let (before, rest) = fields.split_at_mut(at);
                match before.iter_mut().find(|(name, _)| *name == rest[0].0) {
                    Some(first) => {
                        first.1 = std::mem::take(&mut rest[0].1);
                        fields.remove(at);
                    }
                    None => at += 1,
                }
            }
            return Self { fields };
        }
        let mut places: HashMap<Text, usize> = HashMap::with_capacity(fields.len());
        let mut kept: Vec<(Text, Value)> = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            match places.get(&name) {
                Some(place) => kept[*place].1 = value,
                None => {
                    places.insert(name.clone(), kept.len());
                    kept.push((name, value));
                }
            }
        }
        Self { fields: kept }
    }

    /// This record with the field `name` set.
    #[must_use]
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The value of the field `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// As [`Record::get`], for a name that may hold lone surrogates.
    #[must_use]
    pub fn field(&self, name: &Text) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Sets a field: in place if there is one of that name, else at the end. Returns the value it had.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.fields.iter_mut().find(|(field, _)| *field == name) {
            Some(field) => Some(std::mem::replace(&mut field.1, value)),
            None => {
                self.fields.push((name, value));
                None
            }
        }
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &Text) -> Option<Value> {
        let place = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.remove(place).1)
    }

    /// Sets every field of `changes`, and leaves the others.
    pub fn merge(&mut self, changes: Record) {
        for (name, value) in changes.fields {
            self.set(name, value);
        }
    }

    /// The same in memory of just its size, so that every record that is put in its place takes what it gave back.
    pub(crate) fn fitted(mut self) -> Self {
        if self.fields.capacity() > self.fields.len() {
            let mut fields = Vec::with_capacity(self.fields.len());
            fields.append(&mut self.fields);
            self.fields = fields;
        }
        self
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields themselves.
    #[must_use]
    pub fn into_fields(self) -> Vec<(Text, Value)> {
        self.fields
    }
}

impl<N: Into<Text>, V: Into<Value>> FromIterator<(N, V)> for Record {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self::from_fields(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_has_its_last_value_at_its_first_place() {
        for padding in [0, SEARCHED_FIELDS] {
            let mut fields = vec![("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", 5)];
            let names: Vec<String> = (0..padding).map(|number| format!("f{number}")).collect();
            fields.extend(names.iter().map(|name| (name.as_str(), 0)));
            let record: Record = fields.into_iter().collect();
            let found: Vec<_> = record.iter().take(3).map(|(n, v)| (n.to_string(), v.as_int().unwrap())).collect();
            assert_eq!(found, [("a".to_owned(), 5), ("b".to_owned(), 2), ("c".to_owned(), 4)]);
            assert_eq!(record.len(), 3 + padding);
        }
    }
}
