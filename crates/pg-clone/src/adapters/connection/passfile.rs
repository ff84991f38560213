//! The password file, PGPASSFILE or `~/.pgpass` (PostgreSQL manual, "The Password File").

use std::path::Path;

use backup_core::secret::Secret;

use crate::error::{PgError, PgResult};

/// Permission bits that let others than the owner in.
const OTHERS: u32 = 0o077;

/// What a line of the file has to match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    /// The host as it was given; empty or a folder for a Unix socket.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// Longest file whose passwords are read, in bytes: thousands of lines.
const BYTES_MAX: u64 = 1024 * 1024;

/// All passwords of the file, to be kept out of every text. A file that is missing or cannot be read has none to hide;
/// whether it is fit for use is decided where it is used.
#[must_use]
pub fn passwords(path: &Path) -> Vec<Secret> {
    let is_readable = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= BYTES_MAX);
    if !is_readable {
        return Vec::new();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    lines(&text).map(|[.., password]| password).filter(|password| !password.is_empty()).map(Secret::from).collect()
}

/// A file with this password for every login.
pub(super) fn for_any_login(password: &Secret) -> String {
    format!("*:*:*:*:{}\n", password.expose().replace('\\', "\\\\").replace(':', "\\:"))
}

/// Looks the password up. A file that others may read is refused, where libpq would warn and go on without: a password
/// that silently is not used sends people looking in the wrong place.
pub(crate) fn lookup(path: &Path, login: Login<'_>) -> PgResult<Option<Secret>> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(None) };
    if !metadata.is_file() {
        return Ok(None);
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(PgError::Usage {
            what: format!("the password file `{}` can be read by others (mode {mode:04o})", path.display()),
            help: format!("run `chmod 0600 {}`", path.display()).into(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(|error| PgError::Usage {
        what: format!("the password file `{}` cannot be read: {error}", path.display()),
        help: "check its owner and mode".into(),
    })?;
    Ok(find(&text, login).map(Secret::from))
}

/// The password of the first line that matches.
fn find(text: &str, login: Login<'_>) -> Option<String> {
    let local = login.host.is_empty() || login.host.starts_with(['/', '@']);
    let host = if local { "localhost" } else { login.host };
    lines(text).find_map(|[of_host, of_port, of_database, of_user, password]| {
        let matches = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let hit = (matches(&of_host, host) || matches(&of_host, login.host))
            && matches(&of_port, &login.port.to_string())
            && matches(&of_database, login.database)
            && matches(&of_user, login.user);
        hit.then_some(password)
    })
}

/// The fields of each line that is none of comment.
fn lines(text: &str) -> impl Iterator<Item = [String; 5]> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(fields)
}

/// `host:port:database:user:password`, where `\:` and `\\` stand for `:` and `\`.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut()?.extend(characters.next()),
            other => fields.last_mut()?.push(other),
        }
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login { host: "db1", port: 5432, database: "shop", user: "app" };

    #[test]
    fn the_first_matching_line_counts_and_escapes_are_undone() {
        let text = "# db1:5432:shop:app:comment\nother:*:*:*:no\ndb1:*:shop:app:a\\:b\\\\c:d\n*:*:*:*:last\n";
        assert_eq!(find(text, LOGIN).as_deref(), Some("a:b\\c:d"));
        assert_eq!(find(text, Login { user: "x", ..LOGIN }).as_deref(), Some("last"));
    }

    #[test]
    fn every_password_of_the_file_is_known_and_what_is_written_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        let own = for_any_login(&Secret::new("a:b\\c"));
        std::fs::write(&path, format!("# h:1:d:u:no\nh:5432:d\\:1:u:p:q\nh:1:d:u\nh:1:d:u:\n{own}")).unwrap();
        let known: Vec<String> = passwords(&path).iter().map(|known| known.expose().to_owned()).collect();
        assert_eq!(known, ["p:q", "a:b\\c"]);
        assert!(passwords(folder.path()).is_empty() && passwords(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn sockets_are_localhost() {
        let text = "localhost:5432:*:app:secret\n";
        assert_eq!(find(text, Login { host: "/run/postgresql", ..LOGIN }).as_deref(), Some("secret"));
        assert_eq!(find(text, Login { host: "", ..LOGIN }).as_deref(), Some("secret"));
        assert_eq!(find(text, LOGIN), None);
    }

    #[test]
    fn c18_a_file_others_can_read_is_refused_with_the_chmod_to_run() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = lookup(&path, LOGIN).unwrap_err();
        assert!(
            matches!(&error, PgError::Usage { help, .. } if help.to_string().starts_with("run `chmod 0600 ")),
            "{error:?}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(lookup(&path, LOGIN).unwrap().is_some());
    }
}
