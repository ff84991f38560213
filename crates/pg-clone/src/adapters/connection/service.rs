//! Connection service files (PostgreSQL manual, "The Connection Service File"): a server's settings under one name.

use std::path::{Path, PathBuf};

use crate::adapters::connection::libpq::{self, Parameters};
use crate::error::{PgError, PgResult};

/// Longest service file read, in bytes: thousands of services.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Folders of `pg_service.conf` where PGSYSCONFDIR names none: libpq has the one it was built with, and these are the
/// ones of Debian, of PostgreSQL's own packages for Red Hat, and of the sources.
const SYSTEM_FOLDERS: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"];

/// Where services are looked for, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// PGSERVICEFILE, which must be there.
    pub(crate) named: Option<PathBuf>,
    /// The home folder.
    pub(crate) home: Option<PathBuf>,
    /// PGSYSCONFDIR.
    pub(crate) system: Option<PathBuf>,
}

/// The settings of `service`.
///
/// # Errors
/// [`PgError::Usage`] if it is nowhere, or its file cannot be understood: whoever names a service means no other server.
pub(crate) fn lookup(service: &str, places: &Places) -> PgResult<Parameters> {
    let mut looked = Vec::new();
    for (path, must_be_there) in places.files() {
        let text = match read(&path) {
            Ok(Some(text)) => text,
            Ok(None) if !must_be_there => continue,
            Ok(None) => return Err(unusable(&path, "is not there")),
            Err(why) => return Err(unusable(&path, &why)),
        };
        if let Some(parameters) = section(&text, service).map_err(|why| unusable(&path, &why))? {
            return Ok(parameters);
        }
        looked.push(format!("`{}`", path.display()));
    }
    let looked = match looked.as_slice() {
        [] => "and there is no service file".to_owned(),
        looked => format!("looked in {}", looked.join(", ")),
    };
    Err(PgError::Usage {
        what: format!("there is no service `{service}` (`service`, PGSERVICE): {looked}"),
        help: "nothing was done. Set PGSERVICEFILE to the file, or PGSYSCONFDIR to its folder".into(),
    })
}

impl Places {
    fn files(&self) -> Vec<(PathBuf, bool)> {
        let own = match (&self.named, &self.home) {
            (Some(path), _) => Some((path.clone(), true)),
            (None, home) => home.as_ref().map(|home| (home.join(".pg_service.conf"), false)),
        };
        let folders = match &self.system {
            Some(folder) => vec![folder.clone()],
            None => SYSTEM_FOLDERS.map(PathBuf::from).to_vec(),
        };
        own.into_iter().chain(folders.into_iter().map(|folder| (folder.join("pg_service.conf"), false))).collect()
    }
}

fn read(path: &Path) -> Result<Option<String>, String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(format!("is not a file of at most {} MiB", FILE_BYTES_MAX >> 20));
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| format!("cannot be read: {error}"))
}

/// A line's text is not repeated: it may hold a password.
fn unusable(path: &Path, why: &str) -> PgError {
    PgError::Usage {
        what: format!("the service file `{}` {why}", path.display()),
        help: "nothing was done. It needs sections such as `[prod]` with lines such as `host=db.example.org`".into(),
    }
}

/// The section `service` of a file's text; nothing if there is none. Of two sections of one name libpq reads the first,
/// and of two lines of one key as well.
fn section(text: &str, service: &str) -> Result<Option<Parameters>, String> {
    let mut found: Option<Parameters> = None;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            found = (name.split_once(']').is_some_and(|(name, _)| name == service)).then(Parameters::new);
            continue;
        }
        let Some(parameters) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(format!("looks services up by LDAP in line {number}, which is not supported"));
        }
        let (key, value) = line.split_once('=').ok_or_else(|| format!("has no `=` in line {number}"))?;
        match key {
            "service" | "servicefile" => return Err(format!("names a service within a service in line {number}")),
            key if !libpq::is_keyword(key) => return Err(format!("has no parameter of libpq's in line {number}")),
            key => parameters.entry(key.to_owned()).or_insert_with(|| value.to_owned()),
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# services\nhost=nowhere\n\n[other]\nhost=h1\n[prod]\n  host=h2  \nport=5433\n# a comment\n\
        password=a=b c\nhost=h3\n[prod]\nuser=late\n[nested]\nservice=prod\n[ldap]\nldap://h/x?y?one?z\n\
        [odd]\nnonsense\n[new]\nservices=x\n";

    fn of(service: &str) -> Result<Option<Parameters>, String> {
        section(FILE, service)
    }

    #[test]
    fn a_section_is_read_as_libpq_reads_it() {
        let prod = of("prod").unwrap().unwrap();
        let expected = [("host", "h2"), ("password", "a=b c"), ("port", "5433")];
        assert_eq!(prod, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(of("pro").unwrap(), None);
        assert_eq!(of("").unwrap(), None);
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_line_and_not_by_text() {
        for (service, expected) in
            [("nested", "line 15"), ("ldap", "LDAP in line 17"), ("odd", "line 19"), ("new", "line 21")]
        {
            let why = of(service).unwrap_err();
            assert!(why.contains(expected) && !why.contains("nonsense"), "{why}");
        }
    }

    #[test]
    fn files_are_looked_for_in_their_order_and_a_service_that_is_nowhere_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, host: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("[prod]\nhost={host}\n")).unwrap();
            path
        };
        let named = write("named", "of-file");
        write("home/.pg_service.conf", "of-home");
        write("etc/pg_service.conf", "of-system");
        let host = |places: &Places| lookup("prod", places).map(|found| found["host"].clone());
        let mut places = Places {
            named: Some(named.clone()),
            home: Some(folder.path().join("home")),
            system: Some(folder.path().join("etc")),
        };
        assert_eq!(host(&places).unwrap(), "of-file");
        places.named = None;
        assert_eq!(host(&places).unwrap(), "of-home");
        places.home = Some(folder.path().join("empty"));
        assert_eq!(host(&places).unwrap(), "of-system");
        let error = lookup("prdo", &places).unwrap_err().to_string();
        assert!(error.contains("no service `prdo`") && error.contains("etc/pg_service.conf"), "{error}");
        places.named = Some(folder.path().join("absent"));
        assert!(host(&places).unwrap_err().to_string().contains("is not there"));
    }
}
