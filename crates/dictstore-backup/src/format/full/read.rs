//! Reads DictDB's full JSON.

use indexmap::IndexMap;
use python_json::Kind;

use super::LoadedTable;
use crate::error::{DictError, DictResult};
use crate::format::rows::{Ahead, BATCH, Place, beside};
use crate::json::read::{self, Read, Reader, members, misfit, stands};
use crate::schema::{FieldType, Schema};
use crate::value::{Key, Record, Text, Value};

/// Reads a full JSON file. Records are built as they come: a tree of the whole document would be as large again.
///
/// # Errors
/// [`DictError::Damaged`] naming `file`.
pub(crate) fn decode(file: &str, bytes: &[u8]) -> DictResult<Vec<LoadedTable>> {
    decoded(bytes).map_err(|what| DictError::Damaged { file: file.to_owned(), what })
}

fn decoded(bytes: &[u8]) -> Result<Vec<LoadedTable>, String> {
    let read = beside(bytes.len(), |ahead| match Tables::read(bytes, Some(ahead)) {
        (_, true) => Ok(None),
        (read, false) => read.map(Some),
    });
    if let Some((Some(tables), mut built)) = read? {
        let mut with_rows = |mut table: LoadedTable, place| {
            table.built = built.remove(&place);
            table
        };
        return Ok(tables.into_iter().map(|(table, place)| with_rows(table, place)).collect());
    }
    Ok(Tables::read(bytes, None).0?.into_iter().map(|(table, _)| table).collect())
}

/// Reads the tables of a document.
struct Tables {
    /// Where records become rows, if they are to.
    ahead: Option<Ahead>,
    /// Lists of records so far, by which each is told from those of a table of the same name.
    places: Place,
    /// The document has to be read without making rows meanwhile.
    again: bool,
}

/// What a table's members have said so far.
#[derive(Default)]
struct Members {
    primary_key: Option<Text>,
    schema: Option<Option<Schema>>,
    records: Option<(Records, Place)>,
}

type Records = Vec<(Option<Key>, Record)>;

impl Tables {
    /// The tables, with the places of their records; and whether rows could not be made meanwhile.
    fn read(bytes: &[u8], ahead: Option<Ahead>) -> (Result<Vec<(LoadedTable, Place)>, String>, bool) {
        let mut tables = Self { ahead, places: 0, again: false };
        let mut found = None;
        let read = read::document_of(bytes, |reader| tables.document(reader, &mut found));
        let none = || "it has no `tables`, so it is not a full backup".to_owned();
        let read = read.map_err(|fault| fault.to_string()).and_then(|()| found.ok_or_else(none));
        (read.map(|found| found.into_values().collect()), tables.again)
    }

    fn document(
        &mut self,
        reader: &mut Reader<'_>,
        tables: &mut Option<IndexMap<Text, (LoadedTable, Place)>>,
    ) -> Read<()> {
        if !stands(reader, Kind::Object) {
            read::value(reader)?;
            return misfit(reader, "it is not an object");
        }
        members(reader, |reader, name| {
            // As in Python the last of several members of one name counts.
            if name == "tables" && stands(reader, Kind::Object) {
                let mut found = IndexMap::new();
                members(reader, |reader, name| {
                    let table = self.table(reader, name.clone())?;
                    found.insert(name, table);
                    Ok(())
                })?;
                *tables = Some(found);
                return Ok(());
            }
            read::value(reader)?;
            if name == "tables" {
                misfit(reader, "its `tables` is not an object, so it is not a full backup")
            } else {
                Ok(())
            }
        })
    }

    fn table(&mut self, reader: &mut Reader<'_>, name: Text) -> Read<(LoadedTable, Place)> {
        if !stands(reader, Kind::Object) {
            read::value(reader)?;
            return misfit(reader, format!("the table `{name}` is not an object"));
        }
        let mut said = Members::default();
        members(reader, |reader, member| match member.as_str() {
            Some("records") => {
                said.records = Some(self.records(reader, &name, &said)?);
                Ok(())
            }
            // Its records became rows by what came before.
            Some("primary_key" | "schema") if self.ahead.is_some() && said.records.is_some() => self.again(reader),
            Some("primary_key") => match read::value(reader)? {
                Value::Text(field) => {
                    said.primary_key = Some(field);
                    Ok(())
                }
                _ => misfit(reader, format!("the primary key of the table `{name}` is not a string")),
            },
            Some("schema") => {
                said.schema = Some(match read::value(reader)? {
                    Value::Null => None,
                    Value::Dict(fields) => Some(schema(*fields).or_else(|what| misfit(reader, what))?),
                    _ => return misfit(reader, format!("the schema of the table `{name}` is not an object")),
                });
                Ok(())
            }
            _ => read::value(reader).map(drop),
        })?;
        let missing = |field: &str| format!("the table `{name}` has no `{field}`");
        let Members { primary_key, schema, records } = said;
        match (primary_key, schema, records) {
            (None, ..) => misfit(reader, missing("primary_key")),
            (_, None, _) => misfit(reader, missing("schema")),
            (.., None) => misfit(reader, missing("records")),
            (Some(primary_key), Some(schema), Some((records, place))) => {
                Ok((LoadedTable { name, primary_key, schema, records, built: None }, place))
            }
        }
    }

    /// Reads a list of records, or has them made rows; and its place.
    fn records(&mut self, reader: &mut Reader<'_>, table: &Text, said: &Members) -> Read<(Records, Place)> {
        if !stands(reader, Kind::List) {
            read::value(reader)?;
            return misfit(reader, format!("the records of the table `{table}` are not a list"));
        }
        self.places += 1;
        let place = self.places;
        let mut records = Vec::new();
        let head = said.head();
        let mut batch = self.ahead.as_ref().map(Ahead::room).unwrap_or_default();
        reader.items(|reader| {
            if !stands(reader, Kind::Object) {
                read::value(reader)?;
                return misfit(reader, format!("a record of the table `{table}` is not an object"));
            }
            let record = read::record(reader)?;
            let Some(ahead) = &self.ahead else {
                records.push((None, record));
                return Ok(());
            };
            let key = head.as_ref().and_then(|head| head.key_of(&record));
            let Some(key) = key else { return self.again(reader) };
            batch.push((key, record));
            if batch.len() == BATCH && !ahead.send(place, std::mem::replace(&mut batch, ahead.room())) {
                return self.again(reader);
            }
            Ok(())
        })?;
        match &self.ahead {
            Some(ahead) if !ahead.send(place, batch) => self.again(reader),
            _ => Ok((records, place)),
        }
    }

    /// Ends this reading: what does not become rows just so is told, in the order of the file, by reading without.
    fn again<T>(&mut self, reader: &Reader<'_>) -> Read<T> {
        self.again = true;
        misfit(reader, "it is to be read again")
    }
}

/// What is known of a table before its records.
struct Head<'m> {
    primary_key: &'m Text,
    schema: Option<Schema>,
}

impl Members {
    fn head(&self) -> Option<Head<'_>> {
        let primary_key = self.primary_key.as_ref()?;
        let schema = self.schema.clone()?.map(|schema| schema.with_key(primary_key));
        Some(Head { primary_key, schema })
    }
}

impl Head<'_> {
    /// The key of a record that fits; nothing if there is anything to say of it.
    fn key_of(&self, record: &Record) -> Option<Key> {
        if self.schema.as_ref().is_some_and(|schema| schema.fault(record).is_some()) {
            return None;
        }
        Key::new(record.field(self.primary_key)?.clone()).ok()
    }
}

fn schema(fields: Record) -> Result<Schema, String> {
    let fields = fields.into_fields().into_iter().map(|(name, kind)| {
        let kind = kind.as_str().unwrap_or_default().parse::<FieldType>()?;
        Ok((name, kind))
    });
    fields.collect()
}
