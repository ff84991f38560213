//! What `pg_dump` and `pg_restore` need to reach the server.

use std::ffi::OsString;
use std::path::Path;

use backup_core::secret::Secret;
use tokio::process::Command;

use crate::adapters::archive_file::ArchiveFile;
use crate::adapters::connection::Server;
use crate::adapters::connection::address::Address;
use crate::adapters::connection::libpq;
use crate::adapters::connection::parameter::invalid;
use crate::adapters::connection::passfile;
use crate::adapters::connection::tls::SslMode;
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
    /// Whether a hook needs the address, too.
    pins_hooks: bool,
    /// The user's options, and those that watch over the connections of programs.
    options: String,
    /// Held for its life: dropping it removes the file.
    passfile: ArchiveFile,
    password: Option<Secret>,
    /// The database as a URL, without the password.
    url: String,
}

impl ChildEnvironment {
    /// Gives it to `command`, in place of whatever we were started with.
    pub fn apply(&self, command: &mut Command) {
        without_secrets(command);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command.env("PGOPTIONS", &self.options);
    }

    /// Gives it to a hook, which is the user's own program and may need anything of our environment, credentials of the
    /// store too, but what leads it to another database: see [`hidden_from_hooks`].
    pub(crate) fn apply_to_hook(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if hidden_from_hooks(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        // An address counts more than a host that the hook itself names with `-h`: only where the name alone may lead
        // elsewhere.
        let wanted = |name: &str| name != "PGHOSTADDR" || self.pins_hooks;
        command.envs(self.variables.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (*name, value)));
        command.env("PGPASSFILE", self.passfile.path_for_descendants());
        // Applications look here first. Without it they would fall back to what they were configured with: the live one.
        command.env("DATABASE_URL", &self.url);
    }

    /// The password that is in the file.
    pub(crate) fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }
}

/// Whether a variable is taken from a hook's environment: every one of libpq's, URLs that may name another database and
/// hold a password, and the fault points of our tests.
fn hidden_from_hooks(name: &str) -> bool {
    const OURS: [&str; 5] =
        ["DATABASE_URL", "LASTGOOD_PG_URL", "LASTGOOD_CRASH_AT", "LASTGOOD_PAUSE_AT", "LASTGOOD_PAUSE_FILE"];
    // libpq's names are PG and one word: those of versions to come, too.
    let looks_like_libpqs = name.strip_prefix("PG").is_some_and(|rest| !rest.is_empty() && !rest.contains('_'));
    looks_like_libpqs || libpq::is_variable(name) || OURS.contains(&name)
}

/// `postgresql://user@host:port/database`. A folder stands there encoded, as libpq takes it.
fn url(address: &Address, user: &str, database: &str) -> String {
    let host = if address.host.contains(':') { format!("[{}]", address.host) } else { percent_encode(&address.host) };
    format!("postgresql://{}@{host}:{}/{}", percent_encode(user), address.port, percent_encode(database))
}

fn percent_encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
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
        // Where we are connected, whatever the name would lead to when it is asked again.
        let ip = self.chosen.get().and_then(|reached| reached.ip).or(address.ip);
        let pins_hooks = address.ip.is_some() || self.chosen.get().is_some_and(|reached| reached.is_one_of_many);
        let mode = self.mode_for(address);
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("PGHOST", address.host.clone().into()),
            ("PGPORT", address.port.to_string().into()),
            ("PGUSER", self.user.clone().into()),
            ("PGDATABASE", database.into()),
            ("PGSSLMODE", mode.as_str().into()),
            ("PGAPPNAME", self.application_name.clone().into()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |timeout| timeout.as_secs()).to_string().into()),
            // We do not speak it; with a ticket at hand libpq would, and be somebody else than we are.
            ("PGGSSENCMODE", "disable".into()),
        ];
        let asked = [
            ("PGHOSTADDR", ip.map(|ip| ip.to_string())),
            ("PGCHANNELBINDING", self.channel_binding.map(|binding| binding.as_str().to_owned())),
            ("PGREQUIREAUTH", self.require_auth.as_ref().map(|rule| rule.as_str().to_owned())),
            ("PGREQUIREPEER", self.require_peer.clone()),
            ("PGOPTIONS", self.options.clone()),
        ];
        variables.extend(asked.into_iter().filter_map(|(name, value)| Some((name, value?.into()))));
        let roots = self.roots.file().or_else(|| Some(Path::new(SYSTEM_ROOTS)).filter(|p| p.exists()));
        if let (SslMode::VerifyFull | SslMode::VerifyCa, Some(roots)) = (mode, roots) {
            variables.push(("PGSSLROOTCERT", roots.into()));
        }
        // Without a password too: an empty file keeps libpq away from ~/.pgpass, which we have read already.
        let password = self.password_for(address, database)?;
        let passfile = private_passfile(password.as_ref())?;
        variables.push(("PGPASSFILE", passfile.path().into()));
        let (options, url) = (self.program_options(), url(address, &self.user, database));
        Ok(ChildEnvironment { variables, pins_hooks, options, passfile, password, url })
    }
}

/// One wildcard line: the file is for one child and one server. On no disk, where a crash would leave it.
fn private_passfile(password: Option<&Secret>) -> PgResult<ArchiveFile> {
    let line = password.map(passfile::for_any_login).unwrap_or_default();
    ArchiveFile::new(line.as_bytes()).map_err(|source| PgError::Machine {
        what: "cannot create a private password file for the PostgreSQL programs",
        safe: "nothing was changed",
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapters::connection::{Environment, Origin, Reached};

    #[test]
    fn p12_a_child_gets_the_password_in_a_private_file_and_nothing_else_of_ours() {
        use std::os::unix::fs::PermissionsExt;
        let pairs = [
            ("PGHOST", "h"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "a:b\\c@'d"),
            ("PGOPTIONS", "-c role=app"),
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server;
        let environment = server.child_environment("a=b").unwrap();
        let mut command = Command::new("pg_dump");
        command.env("AWS_SECRET_ACCESS_KEY", "hush").env("PGPASSWORD", "hush");
        environment.apply(&mut command);
        let given: BTreeMap<_, _> =
            command.as_std().get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_owned()))).collect();
        assert_eq!(given["PGDATABASE"], "a=b");
        assert_eq!(given["PGSSLMODE"], "verify-full");
        assert_eq!(given["PGREQUIREAUTH"], "scram-sha-256");
        let options = given["PGOPTIONS"].to_str().unwrap();
        assert!(options.starts_with("-c role=app ") && options.contains("tcp_user_timeout"), "{options}");
        assert!(!given.contains_key("AWS_SECRET_ACCESS_KEY") && !given.contains_key("PGPASSWORD"), "{given:?}");
        let path = std::path::PathBuf::from(&given["PGPASSFILE"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "*:*:*:*:a\\:b\\\\c@'d\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(path.starts_with("/proc/self/fd"), "{path:?} may be on a disk");
    }

    #[test]
    fn a_hook_is_led_to_one_database_only_and_finds_the_password_from_anywhere_below() {
        let pairs = [("PGHOST", "/run/x"), ("PGPORT", "6543"), ("PGUSER", "a@b"), ("PGPASSWORD", "hu:sh")];
        let server = Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs)).unwrap().server;
        let environment = server.child_environment("we\"ird/é").unwrap();
        let mut command = Command::new("/bin/sh");
        // Two shells below, and without any inherited descriptor.
        command
            .args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; cat \"$PGPASSFILE\"; echo \"$DATABASE_URL\"; env"]);
        environment.apply_to_hook(&mut command);
        let said = String::from_utf8(command.as_std_mut().output().unwrap().stdout).unwrap();
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("*:*:*:*:hu\\:sh"));
        assert_eq!(lines.next(), Some("postgresql://a%40b@%2Frun%2Fx:6543/we%22ird%2F%C3%A9"));
        assert!(lines.clone().any(|line| line == "PGHOST=/run/x"));
        assert!(lines.all(|line| !line.contains("hu:sh")), "{said}");
    }

    #[test]
    fn programs_go_to_the_address_that_was_reached_and_hooks_where_the_name_may_lead_elsewhere() {
        let given = |hook: bool, pairs: &[(&str, &str)], is_one_of_many: bool| {
            let environment = Environment::from_pairs(pairs.iter().copied());
            let server = Server::resolve(None, Origin::Environment, &environment).unwrap().server;
            let ip = "10.0.0.7".parse().ok();
            server.chosen.set(Reached { at: 0, ip, is_one_of_many }).unwrap();
            let mut command = Command::new("pg_dump");
            let environment = server.child_environment("d").unwrap();
            if hook {
                environment.apply_to_hook(&mut command)
            } else {
                environment.apply(&mut command)
            }
            let address = command.as_std().get_envs().find(|(name, _)| *name == "PGHOSTADDR");
            address.and_then(|(_, value)| Some(value?.to_str()?.to_owned()))
        };
        let name = [("PGHOST", "db")];
        let reached = Some("10.0.0.7".to_owned());
        assert_eq!(given(false, &name, false), reached);
        assert_eq!(given(true, &name, false), None);
        assert_eq!(given(true, &name, true), reached);
        assert_eq!(given(true, &[("PGHOST", "db"), ("PGHOSTADDR", "10.0.0.7")], false), reached);
    }

    #[test]
    fn hooks_keep_what_is_not_about_the_database() {
        for name in [
            "PGPASSWORD",
            "PGSERVICE",
            "PGOPTIONS",
            "PGREQUIREAUTH",
            "PGLATER",
            "PGCONNECT_TIMEOUT",
            "DATABASE_URL",
            "LASTGOOD_PG_URL",
        ] {
            assert!(hidden_from_hooks(name), "{name}");
        }
        for name in ["PATH", "AWS_SECRET_ACCESS_KEY", "LASTGOOD_REPO", "DJANGO_SETTINGS_MODULE", "PG_COLOR", "PG"] {
            assert!(!hidden_from_hooks(name), "{name}");
        }
    }
}
