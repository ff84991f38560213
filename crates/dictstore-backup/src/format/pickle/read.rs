//! From the graph of a pickle file to tables.

use super::machine::{Class, Fault, Id, Machine, Object};
use crate::error::{DictError, DictResult};
use crate::format::full::LoadedTable;
use crate::json::read::DEPTH_MAX;
use crate::schema::Schema;
use crate::value::{Key, Record, Text, Value};

/// Values made for each byte of a file at most: one object may stand in many places, and each of them becomes a copy.
const VALUES_PER_BYTE: usize = 16;

/// Values made at most from the smallest file.
const VALUES_MIN: usize = 10_000;

type Made<T> = Result<T, Fault>;

/// Reads a pickle file; `strict` admits only what DictDB's own loader admits.
///
/// # Errors
/// [`DictError::Damaged`], [`DictError::Refused`], naming `file`.
pub(crate) fn decode(file: &str, bytes: &[u8], strict: bool) -> DictResult<Vec<LoadedTable>> {
    let mut machine = Machine::new(bytes, strict);
    let loaded = machine.run().and_then(|root| {
        let left = bytes.len().saturating_mul(VALUES_PER_BYTE).max(VALUES_MIN);
        Reader { machine: &machine, left }.database(root)
    });
    loaded.map_err(|fault| match fault {
        Fault::Damaged(what) => DictError::Damaged { file: file.to_owned(), what },
        Fault::Refused(what) => DictError::Refused { file: file.to_owned(), what },
    })
}

struct Reader<'m, 'b> {
    machine: &'m Machine<'b>,
    left: usize,
}

fn refused<T>(what: impl Into<String>) -> Made<T> {
    Err(Fault::Refused(what.into()))
}

impl<'m> Reader<'m, '_> {
    fn object(&self, id: Id) -> &'m Object {
        self.machine.object(id)
    }

    fn database(&mut self, root: Id) -> Made<Vec<LoadedTable>> {
        let state = self.state(root, Class::Database, "a database")?;
        let Object::Dict(tables) = self.object(self.member(state, "tables")?) else {
            return refused("the tables are no dictionary");
        };
        tables.iter().map(|(name, table)| self.table(*name, *table)).collect()
    }

    /// The state of an instance of `class`.
    fn state(&self, id: Id, class: Class, what: &str) -> Made<&'m [(Id, Id)]> {
        match self.object(id) {
            Object::Instance(found, Some(state)) if *found == class => match self.object(*state) {
                Object::Dict(members) => Ok(members),
                _ => refused(format!("the state of {what} is no dictionary")),
            },
            _ => refused(format!("{what} of DictDB was expected")),
        }
    }

    fn member(&self, state: &[(Id, Id)], name: &str) -> Made<Id> {
        let named = |id: Id| matches!(self.object(id), Object::Scalar(Value::Text(text)) if text == name);
        match state.iter().rev().find(|(member, _)| named(*member)) {
            Some((_, id)) => Ok(*id),
            None => refused(format!("`{name}` is missing")),
        }
    }

    fn text(&self, id: Id, what: &str) -> Made<Text> {
        match self.object(id) {
            Object::Scalar(Value::Text(text)) => Ok(text.clone()),
            _ => refused(format!("{what} is no text")),
        }
    }

    fn table(&mut self, name: Id, table: Id) -> Made<LoadedTable> {
        let name = self.text(name, "the name of a table")?;
        let state = self.state(table, Class::Table, "a table")?;
        let primary_key = self.text(self.member(state, "primary_key")?, "a primary key")?;
        let schema = match self.object(self.member(state, "schema")?) {
            Object::Scalar(Value::Null) => None,
            Object::Dict(fields) => Some(self.schema(fields)?),
            _ => return refused("a schema is no dictionary"),
        };
        let Object::Dict(pairs) = self.object(self.member(state, "records")?) else {
            return refused("the records of a table are no dictionary");
        };
        let mut records = Vec::with_capacity(pairs.len());
        for (key, record) in pairs {
            let key = Key::new(self.value(*key, 0)?)
                .map_err(|value| Fault::Refused(format!("a {} cannot be a key", value.type_name())))?;
            match self.value(*record, 0)? {
                Value::Dict(record) => records.push((Some(key), *record)),
                _ => {
                    return refused(format!("the record {key} of the table `{name}` is no dictionary of named fields"));
                }
            }
        }
        Ok(LoadedTable { name, primary_key, schema, records })
    }

    fn schema(&self, fields: &[(Id, Id)]) -> Made<Schema> {
        let field = |(name, kind): &(Id, Id)| {
            let name = self.text(*name, "a field of a schema")?;
            match self.object(*kind) {
                Object::Class(Class::Type(Some(kind))) => Ok((name, *kind)),
                _ => refused(format!("the type of the field `{name}` is none of DictDB's")),
            }
        };
        fields.iter().map(field).collect()
    }

    fn value(&mut self, id: Id, depth: usize) -> Made<Value> {
        if depth > DEPTH_MAX {
            return refused(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        let Some(left) = self.left.checked_sub(1) else {
            return refused("its values grow far beyond its size");
        };
        self.left = left;
        Ok(match self.object(id) {
            Object::Scalar(value) => value.clone(),
            Object::List(items) => Value::List(self.values(items, depth)?),
            Object::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Object::Set(items) => Value::Set(self.values(items, depth)?),
            Object::FrozenSet(items) => Value::FrozenSet(self.values(items, depth)?),
            Object::Dict(pairs) => self.dict(pairs, depth)?,
            Object::Class(_) | Object::Instance(..) => return refused("a class or object stands where a value should"),
        })
    }

    fn values(&mut self, items: &[Id], depth: usize) -> Made<Box<[Value]>> {
        items.iter().map(|item| self.value(*item, depth + 1)).collect()
    }

    fn dict(&mut self, pairs: &[(Id, Id)], depth: usize) -> Made<Value> {
        let named = pairs.iter().all(|(name, _)| matches!(self.object(*name), Object::Scalar(Value::Text(_))));
        if !named {
            let pairs =
                pairs.iter().map(|(name, value)| Ok((self.value(*name, depth + 1)?, self.value(*value, depth + 1)?)));
            return Ok(Value::Pairs(pairs.collect::<Made<_>>()?));
        }
        let mut fields = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            if let Object::Scalar(Value::Text(name)) = self.object(*name) {
                fields.push((name.clone(), self.value(*value, depth + 1)?));
            }
        }
        Ok(Record::from_fields(fields).into())
    }
}
