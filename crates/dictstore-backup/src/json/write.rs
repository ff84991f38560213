//! Writes values as `json.dumps` does: ASCII only, `", "` and `": "` between, or indented.

use std::io::Write as _;

use crate::value::{Key, Record, Text, Value};

/// What JSON has no word for; Python refuses it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unspeakable(pub(crate) &'static str);

/// Appends `value` on one line.
pub(crate) fn value(out: &mut Vec<u8>, value: &Value) -> Result<(), Unspeakable> {
    match value {
        Value::List(items) | Value::Tuple(items) => {
            out.push(b'[');
            separated(out, items.iter(), self::value)?;
            out.push(b']');
        }
        Value::Dict(fields) => record(out, fields)?,
        Value::Pairs(pairs) => {
            out.push(b'{');
            separated(out, pairs.iter(), |out, (name, item)| {
                pair_name(out, name)?;
                out.extend_from_slice(b": ");
                self::value(out, item)
            })?;
            out.push(b'}');
        }
        scalar => self::scalar(out, scalar)?,
    }
    Ok(())
}

/// Appends a record on one line.
pub(crate) fn record(out: &mut Vec<u8>, record: &Record) -> Result<(), Unspeakable> {
    out.push(b'{');
    separated(out, record.iter(), |out, (name, item)| {
        text(out, name);
        out.extend_from_slice(b": ");
        value(out, item)
    })?;
    out.push(b'}');
    Ok(())
}

/// Appends `value` as `json.dumps(…, indent=2)` does, at this depth.
pub(crate) fn indented(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), Unspeakable> {
    match value {
        Value::List(items) | Value::Tuple(items) if !items.is_empty() => {
            block(out, b"[]", depth, items.iter(), |out, item| indented(out, item, depth + 1))
        }
        Value::Dict(fields) if !fields.is_empty() => indented_record(out, fields, depth),
        Value::Pairs(pairs) if !pairs.is_empty() => block(out, b"{}", depth, pairs.iter(), |out, (name, item)| {
            pair_name(out, name)?;
            out.extend_from_slice(b": ");
            indented(out, item, depth + 1)
        }),
        flat => self::value(out, flat),
    }
}

/// Appends a record as `json.dumps(…, indent=2)` does, at this depth.
pub(crate) fn indented_record(out: &mut Vec<u8>, record: &Record, depth: usize) -> Result<(), Unspeakable> {
    if record.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    block(out, b"{}", depth, record.iter(), |out, (name, item)| {
        text(out, name);
        out.extend_from_slice(b": ");
        indented(out, item, depth + 1)
    })
}

/// Appends items one a line between the two brackets.
pub(crate) fn block<T>(
    out: &mut Vec<u8>,
    brackets: &[u8; 2],
    depth: usize,
    items: impl ExactSizeIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T) -> Result<(), Unspeakable>,
) -> Result<(), Unspeakable> {
    out.push(brackets[0]);
    let empty = items.len() == 0;
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        line(out, depth + 1);
        each(out, item)?;
    }
    if !empty {
        line(out, depth);
    }
    out.push(brackets[1]);
    Ok(())
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b' ', 2 * depth));
}

fn separated<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T) -> Result<(), Unspeakable>,
) -> Result<(), Unspeakable> {
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.extend_from_slice(b", ");
        }
        each(out, item)?;
    }
    Ok(())
}

fn scalar(out: &mut Vec<u8>, value: &Value) -> Result<(), Unspeakable> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(value) => drop(write!(out, "{value}")),
        Value::Big(value) => out.extend_from_slice(value.as_str().as_bytes()),
        Value::Float(value) => python_json::write::float(out, *value),
        Value::Text(value) => text(out, value),
        other => return Err(Unspeakable(other.type_name())),
    }
    Ok(())
}

/// A dictionary's key that is no text: `json.dumps` turns scalars into text and refuses the rest.
fn pair_name(out: &mut Vec<u8>, name: &Value) -> Result<(), Unspeakable> {
    if let Value::Text(name) = name {
        text(out, name);
        return Ok(());
    }
    out.push(b'"');
    scalar(out, name)?;
    out.push(b'"');
    Ok(())
}

/// Appends a key, which must be a scalar.
pub(crate) fn key(out: &mut Vec<u8>, key: &Key) -> Result<(), Unspeakable> {
    scalar(out, key.value())
}

/// Appends text in quotes.
pub(crate) fn text(out: &mut Vec<u8>, text: &Text) {
    python_json::write::text(out, text.as_bytes());
}
