//! Python's pickle of a DictDB: written in protocol 4, read in protocols 0 to 5. Nothing in a file is ever executed:
//! the reader knows two classes and plain values, and refuses the rest.

mod machine;
mod opcode;
mod read;
mod write;

pub(crate) use self::read::decode;
pub(crate) use self::write::encode;

/// Module and name of the database's class.
const DATABASE: (&str, &str) = ("dictdb.storage.database", "DictDB");

/// Module and name of the tables' class.
const TABLE: (&str, &str) = ("dictdb.core.table", "Table");

#[cfg(test)]
mod tests;
