//! From the graph of a pickle file to tables.

use super::machine::{Class, Entry, Fault, Graph, Id, Machine, Object, Slot};
use crate::error::{DictError, DictResult};
use crate::format::full::LoadedTable;
use crate::format::rows::{Built, beside};
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
    let loaded = match with_rows(bytes, strict) {
        Err(Fault::Again) => {
            Machine::new(bytes, strict, None).run().and_then(|graph| tables(bytes, graph, Built::new()))
        }
        loaded => loaded,
    };
    loaded.map_err(|fault| match fault {
        Fault::Damaged(what) => DictError::Damaged { file: file.to_owned(), what },
        Fault::Refused(what) => DictError::Refused { file: file.to_owned(), what },
        Fault::Again => {
            DictError::Damaged { file: file.to_owned(), what: "its objects contradict each other".to_owned() }
        }
    })
}

/// Reads a file and makes rows of its records meanwhile.
fn with_rows(bytes: &[u8], strict: bool) -> Made<Vec<LoadedTable>> {
    let read = beside(bytes.len(), |ahead| Machine::new(bytes, strict, Some(ahead)).run())?;
    let (graph, built) = read.ok_or(Fault::Again)?;
    tables(bytes, graph, built)
}

fn tables(bytes: &[u8], graph: Graph, built: Built) -> Made<Vec<LoadedTable>> {
    let left = bytes.len().saturating_mul(VALUES_PER_BYTE).max(VALUES_MIN);
    Reader { entries: graph.entries, left, built }.database(&graph.root)
}

struct Reader {
    entries: Vec<Entry>,
    left: usize,
    built: Built,
}

fn refused<T>(what: impl Into<String>) -> Made<T> {
    Err(Fault::Refused(what.into()))
}

impl Reader {
    fn database(&mut self, root: &Slot) -> Made<Vec<LoadedTable>> {
        let state = self.state(root, Class::Database, "a database")?;
        let Some(tables) = self.dict(member(&state, "tables")?)? else {
            return refused("the tables are not a dictionary");
        };
        tables.iter().map(|(name, table)| self.table(name, table)).collect()
    }

    /// The state of an instance of `class`.
    fn state(&mut self, slot: &Slot, class: Class, what: &str) -> Made<Vec<(Slot, Slot)>> {
        let state = match slot {
            Slot::Object(id) => match &self.entries[*id as usize].object {
                Object::Instance(found, Some(state)) if *found == class => state.clone(),
                _ => return refused(format!("{what} of DictDB was expected")),
            },
            Slot::Value(_) => return refused(format!("{what} of DictDB was expected")),
        };
        match self.dict(&state)? {
            Some(members) => Ok(members),
            None => refused(format!("the state of {what} is not a dictionary")),
        }
    }

    /// The entries of a dictionary, if it is one.
    fn dict(&mut self, slot: &Slot) -> Made<Option<Vec<(Slot, Slot)>>> {
        let Slot::Object(id) = slot else { return Ok(None) };
        match &self.entries[*id as usize].object {
            Object::Record(_) | Object::Fields(_) | Object::Dict(_) => Ok(Some(self.take(*id)?.into_pairs())),
            _ => Ok(None),
        }
    }

    /// An object to be moved to where it stands; a copy of one that may stand elsewhere too.
    fn take(&mut self, id: Id) -> Made<Object> {
        let entry = &mut self.entries[id as usize];
        let size = match &entry.object {
            Object::List(items) | Object::Set(items) => items.len(),
            Object::Tuple(items) | Object::FrozenSet(items) => items.len(),
            Object::Record(record) => record.len(),
            Object::Fields(fields) => fields.len(),
            Object::Dict(pairs) => pairs.len(),
            Object::Rows => return Err(Fault::Again),
            Object::Class(_) | Object::Instance(..) | Object::Taken => 0,
        };
        match self.left.checked_sub(1 + size) {
            Some(left) => self.left = left,
            None => return refused("its values grow far beyond its size"),
        }
        Ok(if entry.shared { entry.object.clone() } else { std::mem::replace(&mut entry.object, Object::Taken) })
    }

    fn table(&mut self, name: &Slot, table: &Slot) -> Made<LoadedTable> {
        let name = text(name, "the name of a table")?;
        let state = self.state(table, Class::Table, "a table")?;
        let primary_key = text(member(&state, "primary_key")?, "a primary key")?;
        let schema = match member(&state, "schema")? {
            Slot::Value(Value::Null) => None,
            given => match self.dict(given)? {
                Some(fields) => Some(self.schema(&fields)?),
                None => return refused("a schema is not a dictionary"),
            },
        };
        let records = member(&state, "records")?;
        if let Slot::Object(id) = records
            && let Some(built) = self.built.remove(id)
        {
            return Ok(LoadedTable { name, primary_key, schema, records: Vec::new(), built: Some(built) });
        }
        let Some(pairs) = self.dict(records)? else {
            return refused("the records of a table are not a dictionary");
        };
        let mut records = Vec::with_capacity(pairs.len());
        for (key, record) in pairs {
            let key = Key::new(self.value(key, 0)?)
                .map_err(|value| Fault::Refused(format!("a {} cannot be a key", value.type_name())))?;
            match self.record(record)? {
                Some(record) => records.push((Some(key), record)),
                None => {
                    return refused(format!(
                        "the record {key} of the table `{name}` is not a dictionary of named fields"
                    ));
                }
            }
        }
        Ok(LoadedTable { name, primary_key, schema, records, built: None })
    }

    fn record(&mut self, slot: Slot) -> Made<Option<Record>> {
        if let Slot::Object(id) = slot
            && matches!(self.entries[id as usize].object, Object::Record(_))
            && let Object::Record(record) = self.take(id)?
        {
            return Ok(Some(record));
        }
        match self.value(slot, 0)? {
            Value::Dict(record) => Ok(Some(*record)),
            _ => Ok(None),
        }
    }

    fn schema(&self, fields: &[(Slot, Slot)]) -> Made<Schema> {
        let field = |(name, kind): &(Slot, Slot)| {
            let name = text(name, "a field of a schema")?;
            match kind {
                Slot::Object(id) => match &self.entries[*id as usize].object {
                    Object::Class(Class::Type(Some(kind))) => Ok((name, *kind)),
                    _ => refused(format!("the type of the field `{name}` is not a DictDB type")),
                },
                Slot::Value(_) => refused(format!("the type of the field `{name}` is not a DictDB type")),
            }
        };
        fields.iter().map(field).collect()
    }

    fn value(&mut self, slot: Slot, depth: usize) -> Made<Value> {
        if depth > DEPTH_MAX {
            return refused(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        let id = match slot {
            Slot::Value(value) => return Ok(value),
            Slot::Object(id) => id,
        };
        Ok(match self.take(id)? {
            Object::List(items) => Value::List(self.values(items, depth)?),
            Object::Tuple(items) => Value::Tuple(self.values(items.into(), depth)?),
            Object::Set(items) => Value::Set(self.values(items, depth)?),
            Object::FrozenSet(items) => Value::FrozenSet(self.values(items.into(), depth)?),
            Object::Record(record) => record.into(),
            Object::Fields(fields) => Record::from_fields(fields).into(),
            Object::Dict(pairs) => self.pairs(pairs, depth)?,
            Object::Class(_) | Object::Instance(..) => return refused("a value was expected, not a class or object"),
            Object::Taken | Object::Rows => return Err(Fault::Again),
        })
    }

    fn values(&mut self, items: Vec<Slot>, depth: usize) -> Made<Box<[Value]>> {
        items.into_iter().map(|item| self.value(item, depth + 1)).collect()
    }

    fn pairs(&mut self, pairs: Vec<(Slot, Slot)>, depth: usize) -> Made<Value> {
        if pairs.iter().all(|(name, _)| matches!(name, Slot::Value(Value::Text(_)))) {
            let mut fields = Vec::with_capacity(pairs.len());
            for (name, value) in pairs {
                if let Slot::Value(Value::Text(name)) = name {
                    fields.push((name, self.value(value, depth + 1)?));
                }
            }
            return Ok(Record::from_fields(fields).into());
        }
        let pairs = pairs.into_iter();
        let pairs = pairs.map(|(name, value)| Ok((self.value(name, depth + 1)?, self.value(value, depth + 1)?)));
        Ok(Value::Pairs(pairs.collect::<Made<_>>()?))
    }
}

fn member<'s>(state: &'s [(Slot, Slot)], name: &str) -> Made<&'s Slot> {
    let named = |slot: &Slot| matches!(slot, Slot::Value(Value::Text(text)) if text == name);
    match state.iter().rev().find(|(member, _)| named(member)) {
        Some((_, slot)) => Ok(slot),
        None => refused(format!("`{name}` is missing")),
    }
}

fn text(slot: &Slot, what: &str) -> Made<Text> {
    match slot {
        Slot::Value(Value::Text(text)) => Ok(text.clone()),
        _ => refused(format!("{what} is not a string")),
    }
}
