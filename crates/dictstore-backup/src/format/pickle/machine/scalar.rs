//! Scalar values: numbers, strings, bytes.

use super::super::opcode as op;
use super::cursor::Cursor;
use super::{Fault, Step};
use crate::value::{BigInt, Text, Value};

impl Cursor<'_> {
    /// The value that `code` stands before.
    #[inline]
    pub(super) fn scalar(&mut self, code: u8) -> Step<Value> {
        Ok(match code {
            op::NONE => Value::Null,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT1 => Value::Int(self.byte()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            op::BININT => Value::Int(i32::from_le_bytes(self.array()?).into()),
            op::LONG1 => {
                let length = self.byte()?.into();
                self.long(length)?
            }
            op::LONG4 => {
                let length = self.length4()?;
                self.long(length)?
            }
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            op::INT | op::LONG | op::FLOAT => self.decimal(code)?,
            op::UNICODE => {
                let line = self.line()?;
                match raw_unicode(line).and_then(|bytes| Text::from_bytes(&bytes)) {
                    Some(text) => Value::Text(text),
                    None => return self.damaged("a string is damaged"),
                }
            }
            op::SHORT_BINUNICODE => {
                let length = self.byte()?.into();
                self.text(length)?
            }
            op::BINUNICODE => {
                let length = self.length4()?;
                self.text(length)?
            }
            op::BINUNICODE8 => {
                let length = self.length8()?;
                self.text(length)?
            }
            op::SHORT_BINBYTES => {
                let length = self.byte()?.into();
                Value::Bytes(self.take(length)?.into())
            }
            op::BINBYTES => {
                let length = self.length4()?;
                Value::Bytes(self.take(length)?.into())
            }
            op::BINBYTES8 => {
                let length = self.length8()?;
                Value::Bytes(self.take(length)?.into())
            }
            other => {
                return Err(Fault::Refused(format!(
                    "the opcode {other:#04x} at byte {} is not supported",
                    self.at - 1
                )));
            }
        })
    }

    fn decimal(&mut self, code: u8) -> Step<Value> {
        let line = std::str::from_utf8(self.line()?).unwrap_or_default();
        let value = match (code, line) {
            (op::INT, "00") => Some(Value::Bool(false)),
            (op::INT, "01") => Some(Value::Bool(true)),
            (op::FLOAT, text) => text.parse().ok().map(Value::Float),
            (_, text) => {
                let digits = text.strip_suffix('L').unwrap_or(text);
                digits.parse().ok().map(Value::Int).or_else(|| BigInt::parse(digits).map(Value::Big))
            }
        };
        value.map_or_else(|| self.damaged("a number is damaged"), Ok)
    }

    fn long(&mut self, length: usize) -> Step<Value> {
        let bytes = self.take(length)?;
        if let Some(last) = bytes.last().filter(|_| length <= 8) {
            let mut whole = [if last & 0x80 == 0 { 0 } else { 0xFF }; 8];
            whole[..length].copy_from_slice(bytes);
            return Ok(Value::Int(i64::from_le_bytes(whole)));
        }
        match BigInt::from_le_bytes(bytes) {
            Some(value) if value.as_str() == "0" => Ok(Value::Int(0)),
            Some(value) => Ok(value.as_str().parse().map_or(Value::Big(value), Value::Int)),
            None => Err(Fault::Refused(format!("an integer has {length} bytes"))),
        }
    }

    fn text(&mut self, length: usize) -> Step<Value> {
        match Text::from_bytes(self.take(length)?) {
            Some(text) => Ok(Value::Text(text)),
            None => self.damaged("a string is not UTF-8"),
        }
    }
}

/// Decodes Python's `raw-unicode-escape`: Latin-1, with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        if digits == 0 {
            push_code(&mut out, (*byte).into());
            rest = after;
            continue;
        }
        let hex = std::str::from_utf8(after.get(1..=digits)?).ok()?;
        push_code(&mut out, u32::from_str_radix(hex, 16).ok().filter(|code| *code <= 0x10_FFFF)?);
        rest = &after[digits + 1..];
    }
    Some(out)
}

/// Appends a code point, a surrogate as three bytes.
fn push_code(out: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([0xE0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8]),
    }
}
