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
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let [of_host, of_port, of_database, of_user, password] = fields(line)?;
        let matches = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let hit = (matches(&of_host, host) || matches(&of_host, login.host))
            && matches(&of_port, &login.port.to_string())
            && matches(&of_database, login.database)
            && matches(&of_user, login.user);
        hit.then_some(password)
    })
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
