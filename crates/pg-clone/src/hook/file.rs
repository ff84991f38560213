//! Reads SQL files.

use std::path::Path;

use crate::error::{PgError, PgResult};

/// Largest SQL file, in bytes: it is held in memory and sent as one message, which the server limits to 1 GiB.
const SQL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The text of an SQL file.
pub(super) fn read(path: &Path) -> PgResult<String> {
    let unusable = |why: String| PgError::Usage {
        what: format!("the SQL file `{}` cannot be used: {why}", path.display()),
        help: "nothing was changed".into(),
    };
    let metadata = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unusable("it is not a file".to_owned()));
    }
    if metadata.len() > SQL_BYTES_MAX {
        return Err(unusable(format!("it has more than {} MiB; run it with `psql` as a command", SQL_BYTES_MAX >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unusable("it is not in UTF-8".to_owned()))?;
    // Editors that write a byte order mark mean nothing by it; to the server it is a syntax error.
    let text = text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text);
    match text {
        text if text.contains('\0') => Err(unusable("it contains a NUL byte".to_owned())),
        // psql's own commands mean nothing to the server, which would call them a syntax error.
        text if text.lines().any(is_psql_command) => {
            Err(unusable("it contains psql commands; run it with `psql -f` as a command hook".to_owned()))
        }
        text => Ok(text),
    }
}

/// Lines such as `\i other.sql` and the `\.` that ends the rows of a `COPY`. Only at the very beginning of a line, where
/// nothing else has a reason to stand.
fn is_psql_command(line: &str) -> bool {
    line.strip_prefix('\\').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || ".!?".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_would_not_understand_is_said_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        let read_back = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read_back(b"\xef\xbb\xbfSELECT 1").unwrap(), "SELECT 1");
        assert_eq!(read_back(b"SELECT E'\\n'").unwrap(), "SELECT E'\\n'");
        assert!(read_back(b"\\set x 1\nSELECT :x").unwrap_err().contains("psql"));
        assert!(read_back(b"COPY t FROM stdin;\n1\n\\.\n").unwrap_err().contains("psql"));
        assert!(read_back(b"SELECT '\xff'").unwrap_err().contains("UTF-8"));
        assert!(read_back(b"SELECT 1\0").unwrap_err().contains("NUL"));
        assert!(read(folder.path()).unwrap_err().to_string().contains("not a file"));
    }
}
