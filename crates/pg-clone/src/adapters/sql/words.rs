//! Text of catalogues that all databases of a server share.

use tokio_postgres::types::{FromSql, Type};

use backup_core::error::Cause;

/// Text that another database may have written, in an encoding of its own. The server hands it on as it is, so that it need
/// not be UTF-8: what is not is shown as `\u{fffd}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(pub(super) String);

impl<'a> FromSql<'a> for Words {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Cause> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        [Type::TEXT, Type::NAME].contains(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_other_encodings_are_no_error() {
        let words = |raw: &[u8]| Words::from_sql(&Type::TEXT, raw).unwrap().0;
        assert_eq!((words("é".as_bytes()).as_str(), words(b"cit\xe9").as_str()), ("é", "cit\u{fffd}"));
    }
}
