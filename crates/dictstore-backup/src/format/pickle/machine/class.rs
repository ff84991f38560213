//! The classes that a file may name, and the few calls that plain values need. Nothing is called: the results are known.

use super::super::opcode as op;
use super::super::{DATABASE, TABLE};
use super::{Fault, Machine, Object, Slot, Step};
use crate::schema::FieldType;
use crate::value::{Text, Value};

/// The classes and functions that may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Class {
    Database,
    Table,
    /// A type, as schemas name them.
    Type(Option<FieldType>),
    Set,
    FrozenSet,
    /// How protocols 0 and 1 make instances.
    Reconstructor,
    Plain,
    /// How protocols 0 to 2 say bytes.
    Encode,
}

impl Machine<'_> {
    pub(super) fn class(&mut self, code: u8) -> Step {
        match code {
            op::GLOBAL => {
                let (module, name) = (self.cursor.line()?, self.cursor.line()?);
                let class = self.find(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?;
                self.push(Object::Class(class))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Slot::Value(Value::Text(module)), Slot::Value(Value::Text(name))) = (module, name) else {
                    return self.cursor.damaged("a name was expected");
                };
                let class = self.find(&module.to_string(), &name.to_string())?;
                self.push(Object::Class(class))
            }
            op::NEWOBJ => {
                let (arguments, class) = (self.pop()?, self.pop()?);
                match (self.of(&class), self.of(&arguments)) {
                    (Some(Object::Class(class @ (Class::Database | Class::Table))), Some(Object::Tuple(given)))
                        if given.is_empty() =>
                    {
                        let class = *class;
                        self.push(Object::Instance(class, None))
                    }
                    _ => {
                        let what = format!("an object at byte {} is built in an unsupported way", self.cursor.at);
                        Err(Fault::Refused(what))
                    }
                }
            }
            op::REDUCE => self.reduce(),
            _ => {
                let state = self.pop()?;
                match self.top_object()? {
                    Some(Object::Instance(_, known @ None)) => {
                        *known = Some(state);
                        Ok(())
                    }
                    _ => self.cursor.damaged("an object without a state was expected"),
                }
            }
        }
    }

    /// Calls nothing: knows what the few calls that plain values need would make.
    fn reduce(&mut self) -> Step {
        let (arguments, class) = (self.pop()?, self.pop()?);
        let refused = || Fault::Refused(format!("a call at byte {} is not supported", self.cursor.at));
        let (Some(Object::Class(class)), Some(Object::Tuple(given))) = (self.of(&class), self.of(&arguments)) else {
            return Err(refused());
        };
        let list = |slot: &Slot| match self.of(slot) {
            Some(Object::List(items)) => Ok(items.clone()),
            _ => Err(refused()),
        };
        let made = match (class, &given[..]) {
            (Class::Reconstructor, [class, base, _]) => match (self.of(class), self.of(base)) {
                (Some(Object::Class(class @ (Class::Database | Class::Table))), Some(Object::Class(Class::Plain))) => {
                    Object::Instance(*class, None)
                }
                _ => return Err(refused()),
            },
            (Class::Set, []) => Object::Set(Vec::new()),
            (Class::Set, [items]) => Object::Set(list(items)?),
            (Class::FrozenSet, [items]) => Object::FrozenSet(list(items)?.into()),
            (Class::Encode, [Slot::Value(Value::Text(text)), ..]) => {
                let bytes = latin1(text).ok_or_else(refused)?;
                self.stack.push(Slot::Value(Value::Bytes(bytes)));
                return Ok(());
            }
            _ => return Err(refused()),
        };
        self.push(made)
    }

    fn find(&self, module: &str, name: &str) -> Step<Class> {
        let old = !self.strict;
        let class = match (module, name) {
            DATABASE => Some(Class::Database),
            TABLE => Some(Class::Table),
            ("builtins", "set") => Some(Class::Set),
            ("builtins", "frozenset") => Some(Class::FrozenSet),
            ("builtins", "tuple" | "bytes" | "type") => Some(Class::Type(None)),
            ("builtins", name) => name.parse().ok().map(|kind| Class::Type(Some(kind))),
            // Protocols 0 to 2 have Python 2's names, which DictDB's own loader refuses.
            ("__builtin__", "long") if old => Some(Class::Type(Some(FieldType::Int))),
            ("__builtin__", "unicode") if old => Some(Class::Type(Some(FieldType::Str))),
            ("__builtin__", "set") if old => Some(Class::Set),
            ("__builtin__", "frozenset") if old => Some(Class::FrozenSet),
            ("__builtin__", "object") if old => Some(Class::Plain),
            ("__builtin__", name) if old => name.parse().ok().map(|kind| Class::Type(Some(kind))),
            ("copy_reg" | "copyreg", "_reconstructor") if old => Some(Class::Reconstructor),
            ("_codecs", "encode") if old => Some(Class::Encode),
            _ => None,
        };
        class.ok_or_else(|| {
            let what = format!("`{}.{}` is neither a DictDB class nor a plain value", shown(module), shown(name));
            Fault::Refused(what)
        })
    }
}

/// A name out of a file, short enough for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn latin1(text: &Text) -> Option<Box<[u8]>> {
    text.as_str()?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
