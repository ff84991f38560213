//! What `pg_dump` and `pg_restore` need to reach the server.

use std::ffi::OsString;
use std::path::Path;

use backup_core::secret::Secret;
use tokio::process::Command;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::{Server, invalid};
use crate::adapters::tls::SslMode;
use crate::error::{PgError, PgResult};

/// Where Debian and its kin keep the certificates a libpq before 16 cannot find by itself.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What a child keeps of our environment. Everything else may lead it elsewhere, or is a secret that is none of its
/// business: credentials of the store, URLs with passwords.
const KEPT: [&str; 9] =
    ["PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5CCNAME", "KRB5_CONFIG"];

/// The environment of a child; see [`Server::child_environment`].
#[derive(Debug)]
pub struct ChildEnvironment {
    variables: Vec<(&'static str, OsString)>,
    // Held for its life: dropping it removes the file.
    _passfile: ArchiveFile,
}

impl ChildEnvironment {
    /// Gives it to `command`, in place of whatever we were started with.
    pub fn apply(&self, command: &mut Command) {
        without_secrets(command);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
    }
}

/// Leaves `command` only what every child keeps of our environment.
pub(crate) fn without_secrets(command: &mut Command) {
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
}

impl Server {
    /// What `pg_dump` and `pg_restore` need to reach `database` at the address we are connected to: variables, and a
    /// private password file that lives as long as the returned value.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn child_environment(&self, database: &str) -> PgResult<ChildEnvironment> {
        let address = self.candidates().first().ok_or_else(|| invalid("host", "names no server"))?;
        let mode = self.mode_for(address);
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("PGHOST", address.host.clone().into()),
            ("PGPORT", address.port.to_string().into()),
            ("PGUSER", self.user.clone().into()),
            ("PGDATABASE", database.into()),
            ("PGSSLMODE", mode.as_str().into()),
            ("PGAPPNAME", "lastgood".into()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |timeout| timeout.as_secs()).to_string().into()),
        ];
        if let Some(ip) = address.ip {
            variables.push(("PGHOSTADDR", ip.to_string().into()));
        }
        if let Some(binding) = self.channel_binding {
            variables.push(("PGCHANNELBINDING", binding.as_str().into()));
        }
        let roots = self.root_certificates.as_deref().or_else(|| Some(Path::new(SYSTEM_ROOTS)).filter(|p| p.exists()));
        if let (SslMode::VerifyFull | SslMode::VerifyCa, Some(roots)) = (mode, roots) {
            variables.push(("PGSSLROOTCERT", roots.into()));
        }
        // Without a password too: an empty file keeps libpq away from ~/.pgpass, which we have read already.
        let passfile = private_passfile(self.password_for(address, database)?.as_ref())?;
        variables.push(("PGPASSFILE", passfile.path().into()));
        Ok(ChildEnvironment { variables, _passfile: passfile })
    }
}

/// One wildcard line: the file is for one child and one server. On no disk, where a crash would leave it.
fn private_passfile(password: Option<&Secret>) -> PgResult<ArchiveFile> {
    let line = password.map_or_else(String::new, |password| {
        let escaped = password.expose().replace('\\', "\\\\").replace(':', "\\:");
        format!("*:*:*:*:{escaped}\n")
    });
    ArchiveFile::new(line.as_bytes()).map_err(|error| PgError::Refused {
        what: format!("no private password file can be made for the PostgreSQL programs: {error}"),
        help: "nothing was changed".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapters::connection::{Environment, Origin};

    #[test]
    fn p12_a_child_gets_the_password_in_a_private_file_and_nothing_else_of_ours() {
        use std::os::unix::fs::PermissionsExt;
        let pairs = [("PGHOST", "h"), ("PGUSER", "u"), ("PGPASSWORD", "a:b\\c@'d"), ("AWS_SECRET_ACCESS_KEY", "hush")];
        let (server, _) = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap();
        let environment = server.child_environment("a=b").unwrap();
        let mut command = Command::new("pg_dump");
        command.env("AWS_SECRET_ACCESS_KEY", "hush").env("PGPASSWORD", "hush");
        environment.apply(&mut command);
        let given: BTreeMap<_, _> =
            command.as_std().get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_owned()))).collect();
        assert_eq!(given["PGDATABASE"], "a=b");
        assert_eq!(given["PGSSLMODE"], "verify-full");
        assert!(!given.contains_key("AWS_SECRET_ACCESS_KEY") && !given.contains_key("PGPASSWORD"), "{given:?}");
        let path = std::path::PathBuf::from(&given["PGPASSFILE"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "*:*:*:*:a\\:b\\\\c@'d\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(path.starts_with("/proc/self/fd"), "{path:?} may be on a disk");
    }
}
