//! Reads a document step by step, as `json.load` does, with a bound on depth.

use std::ops::Range;

use crate::fault::{Fault, Problem};
use crate::unescape::unescape;

/// What stands next in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`, `true`, `NaN` and the like: [`Reader::word`].
    Word,
    /// A number in digits: [`Reader::number`].
    Number,
    /// A text: [`Reader::text`].
    Text,
    /// A list: [`Reader::items`].
    List,
    /// An object: [`Reader::members`].
    Object,
}

/// A value that is a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // as they are written
pub enum Word {
    Null,
    True,
    False,
    NaN,
    Infinity,
    NegativeInfinity,
}

impl Word {
    const ALL: [(Self, &'static [u8]); 6] = [
        (Self::Null, b"null"),
        (Self::True, b"true"),
        (Self::False, b"false"),
        (Self::NaN, b"NaN"),
        (Self::Infinity, b"Infinity"),
        (Self::NegativeInfinity, b"-Infinity"),
    ];

    /// The number it is, if it is one.
    #[must_use]
    pub fn float(self) -> Option<f64> {
        match self {
            Self::NaN => Some(f64::NAN),
            Self::Infinity => Some(f64::INFINITY),
            Self::NegativeInfinity => Some(f64::NEG_INFINITY),
            Self::Null | Self::True | Self::False => None,
        }
    }
}

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'b> {
    /// Digits, with `-`, `.` and `e` where they stand.
    pub text: &'b str,
    /// Whether Python makes an `int` of it, of whatever size, and not a `float`.
    pub is_integer: bool,
}

/// Reads one document as `read` does, and nothing after it; `levels_max` levels may be nested.
///
/// # Errors
/// [`Fault`] if the bytes are not UTF-8 or not one document, and whatever `read` returns.
pub fn document<'b, T, E: From<Fault>>(
    bytes: &'b [u8],
    levels_max: usize,
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, E>,
) -> Result<T, E> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(Fault { at: error.valid_up_to(), problem: Problem::NotUtf8 }.into());
    }
    let mut reader = Reader::new(bytes, levels_max);
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A place in a document. Its methods read what stands there and go on behind it.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    level: usize,
    levels_max: usize,
    /// For texts with escapes.
    buffer: Vec<u8>,
    members_before: usize,
}

/// A text between its quotes.
struct Raw {
    range: Range<usize>,
    escaped: bool,
}

impl<'b> Reader<'b> {
    /// The beginning of `bytes`, in which `levels_max` levels may be nested. They need not be UTF-8.
    #[must_use]
    pub fn new(bytes: &'b [u8], levels_max: usize) -> Self {
        Self { bytes, at: 0, level: 0, levels_max, buffer: Vec::new(), members_before: 0 }
    }

    /// The byte it stands at.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many members the object had that ended last: the next is likely to have as many.
    #[must_use]
    pub fn members_before(&self) -> usize {
        self.members_before
    }

    /// What stands here, behind white space.
    ///
    /// # Errors
    /// [`Fault`] if nothing does that could begin a value.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        self.space();
        match self.peek() {
            Some(b'"') => Ok(Kind::Text),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::List),
            Some(b'-') if self.bytes.get(self.at + 1) == Some(&b'I') => Ok(Kind::Word),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'n' | b't' | b'f' | b'N' | b'I') => Ok(Kind::Word),
            _ => Err(self.fault(Problem::NoValue)),
        }
    }

    /// Nothing but white space may follow.
    ///
    /// # Errors
    /// [`Fault`] if something does.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.space();
        match self.at < self.bytes.len() {
            true => Err(Fault { at: self.at, problem: Problem::Trailing }),
            false => Ok(()),
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// [`Fault`] if none stands here.
    pub fn word(&mut self) -> Result<Word, Fault> {
        let rest = &self.bytes[self.at..];
        if let Some((word, text)) = Word::ALL.iter().find(|(_, text)| rest.starts_with(text)) {
            self.at += text.len();
            return Ok(*word);
        }
        // Cut off in the middle of a word is cut off all the same.
        if Word::ALL.iter().any(|(_, text)| text.starts_with(rest)) {
            self.at = self.bytes.len();
        }
        Err(self.fault(Problem::NoValue))
    }

    /// Reads a number in digits.
    ///
    /// # Errors
    /// [`Fault`] if none stands here.
    pub fn number(&mut self) -> Result<Number<'b>, Fault> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.fault(Problem::NoDigit)),
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') && matches!(self.bytes.get(self.at + 1), Some(b'0'..=b'9')) {
            is_integer = false;
            self.at += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            let sign = usize::from(matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-')));
            if matches!(self.bytes.get(self.at + 1 + sign), Some(b'0'..=b'9')) {
                is_integer = false;
                self.at += 1 + sign;
                self.digits();
            }
        }
        // Digits are ASCII.
        let text = std::str::from_utf8(&self.bytes[begin..self.at]).unwrap_or_default();
        Ok(Number { text, is_integer })
    }

    /// Reads a text and gives it to `take`: UTF-8 if the document is, but for lone surrogates of three bytes each.
    ///
    /// # Errors
    /// [`Fault`] if none stands here.
    #[inline]
    pub fn text<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Result<T, Fault> {
        let raw = self.raw()?;
        Ok(self.decoded(raw, take))
    }

    /// Reads a list item by item; `each` must read one value.
    ///
    /// # Errors
    /// [`Fault`] if none stands here, and whatever `each` returns.
    pub fn items<E: From<Fault>>(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.enter('[')?;
        if self.leave(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.next(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads an object member by member; `each` gets what `name` made of the member's name, and must read its value.
    ///
    /// # Errors
    /// [`Fault`] if none stands here, and whatever `each` returns.
    pub fn members<N, E: From<Fault>>(
        &mut self,
        mut name: impl FnMut(&[u8]) -> N,
        mut each: impl FnMut(&mut Self, N) -> Result<(), E>,
    ) -> Result<(), E> {
        self.raw_members(|reader, raw| {
            let name = reader.decoded(raw, &mut name);
            each(reader, name)
        })
    }

    /// Reads a value of any kind, and forgets it.
    ///
    /// # Errors
    /// [`Fault`] if none stands here.
    pub fn skip(&mut self) -> Result<(), Fault> {
        match self.kind()? {
            Kind::Word => self.word().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Text => self.raw().map(drop),
            Kind::List => self.items(Self::skip),
            Kind::Object => self.raw_members(|reader, _| reader.skip()),
        }
    }

    fn raw_members<E: From<Fault>>(&mut self, mut each: impl FnMut(&mut Self, Raw) -> Result<(), E>) -> Result<(), E> {
        self.enter('{')?;
        let mut members = 0;
        let mut ended = self.leave(b'}');
        while !ended {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault(Problem::NoName).into());
            }
            let raw = self.raw()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fault(Problem::NoColon).into());
            }
            self.at += 1;
            each(self, raw)?;
            members += 1;
            ended = self.next(b'}')?;
        }
        self.members_before = members;
        Ok(())
    }

    fn fault(&self, problem: Problem) -> Fault {
        let problem = if self.at >= self.bytes.len() { Problem::EndsEarly } else { problem };
        Fault { at: self.at, problem }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    /// Begins a list or an object.
    fn enter(&mut self, bracket: char) -> Result<(), Fault> {
        self.space();
        if self.peek().map(char::from) != Some(bracket) {
            return Err(self.fault(Problem::NoBracket(bracket)));
        }
        self.level += 1;
        if self.level > self.levels_max {
            return Err(self.fault(Problem::TooDeep(self.levels_max)));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Whether the list or object ends here.
    fn leave(&mut self, bracket: u8) -> bool {
        let ends = self.peek() == Some(bracket);
        self.at += usize::from(ends);
        self.level -= usize::from(ends);
        ends
    }

    /// Whether the list or object ends here; else a comma stands here, and something more behind it.
    fn next(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.space();
        if self.leave(bracket) {
            return Ok(true);
        }
        if self.peek() != Some(b',') {
            return Err(self.fault(Problem::NoEnd(bracket.into())));
        }
        self.at += 1;
        Ok(false)
    }

    /// Finds the end of a text, and checks its escapes.
    fn raw(&mut self) -> Result<Raw, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault(Problem::NoText));
        }
        self.at += 1;
        let (begin, mut escaped) = (self.at, false);
        loop {
            let rest = &self.bytes[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Raw { range: begin..self.at - 1, escaped });
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.fault(Problem::ControlCharacter)),
            }
            escaped = true;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                Some(_) => return Err(self.fault(Problem::InvalidEscape)),
                None => return Err(Fault { at: self.bytes.len(), problem: Problem::EndsEarly }),
            },
            Some(_) => return Err(self.fault(Problem::UnknownEscape)),
            None => return Err(Fault { at: self.bytes.len(), problem: Problem::EndsEarly }),
        }
        Ok(())
    }

    fn decoded<T>(&mut self, raw: Raw, take: impl FnOnce(&[u8]) -> T) -> T {
        let text = &self.bytes[raw.range];
        if !raw.escaped {
            return take(text);
        }
        self.buffer.clear();
        unescape(text, &mut self.buffer);
        take(&self.buffer)
    }
}

#[cfg(test)]
mod tests;
