//! Settings of a server besides its address: limits, and which databases are protected.

use std::sync::Arc;
use std::time::Duration;

use backup_core::failure::Setting;
use backup_core::remedy;

use crate::adapters::connection::Server;
use crate::adapters::connection::session::{ENGLISH, LoggedIn, MARK, vanishing};
use crate::error::{PgError, PgResult};
use crate::guard::Guard;

/// What every session starts with, whatever is set for the role or the database: limits made for applications would end
/// a dump or a restore.
const SESSION_OPTIONS: &str = "-c lock_timeout=0 -c idle_in_transaction_session_timeout=0";

/// First major version with triggers for logins, and a setting that keeps event triggers from firing, which only superusers
/// may choose (PostgreSQL 17 release notes).
const SWITCH_MAJOR: u32 = 17;

impl Server {
    /// Lets no statement of a dump or restore take longer than `limit`; zero, the default, is any time. The few
    /// statements of the swap have limits of their own.
    #[must_use]
    pub fn with_statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit;
        self
    }

    /// Adds to what may not be replaced on this server.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        let mut all = (*self.guard).clone();
        all.join(guard);
        self.guard = Arc::new(all);
        self
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The limit for a statement in milliseconds, 0 for none.
    pub(crate) fn statement_timeout_ms(&self) -> u128 {
        self.statement_timeout.as_millis()
    }

    /// What the user sets for every session, ours and those of programs, as libpq's `options` have it; it may be nothing.
    pub(crate) fn given_options(&self) -> &str {
        self.options.as_deref().unwrap_or_default()
    }

    /// The user's options for sessions of programs, what has the server end them should this machine vanish, and the language in
    /// which their messages are read.
    pub(crate) fn program_options(&self) -> String {
        let given = self.given_options();
        let language =
            if self.known().is_superuser { format!("-c {}={}", ENGLISH.0, ENGLISH.1) } else { String::new() };
        format!("{given} {} {language} {}", vanishing::options(given), self.no_logins()).trim().to_owned()
    }

    /// Startup options of every session: the user's, and then ours, for of two the server takes the last.
    pub(super) fn session_options(&self) -> String {
        let timeout_ms = self.statement_timeout_ms();
        let logins = self.no_logins();
        let ours = format!("-c statement_timeout={timeout_ms} {SESSION_OPTIONS} {logins} -c {MARK}=on");
        self.options.as_ref().map_or_else(|| ours.clone(), |options| format!("{options} {ours}"))
    }

    /// Keeps triggers that fire at logins from firing at ours, where that can be: they write into what was just restored.
    fn no_logins(&self) -> &'static str {
        let LoggedIn { is_superuser, major } = self.known();
        let is_ours = !self.given_options().contains("event_triggers");
        if is_superuser && major >= SWITCH_MAJOR && is_ours { "-c event_triggers=off" } else { "" }
    }

    /// What the first connection learned.
    fn known(&self) -> LoggedIn {
        self.logged_in.get().copied().unwrap_or_default()
    }

    /// Every name and address this server goes by, those of its other hosts too.
    pub(crate) fn host_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for address in &self.addresses {
            names.push(address.host.clone());
            names.extend(address.ip.map(|ip| ip.to_string()));
            if address.is_local() {
                names.push("localhost".to_owned());
            }
        }
        names
    }

    /// Refuses to replace, fill or drop `database` where a guard forbids it.
    ///
    /// # Errors
    /// [`PgError::Forbidden`].
    pub fn refuse_if_guarded(&self, database: &str) -> PgResult<()> {
        match self.guard().refusal(&self.host_names(), database) {
            None => Ok(()),
            Some(refusal) => Err(PgError::Forbidden { what: refusal.what, help: None }),
        }
    }

    /// Refuses to take `database` as it is, for a copy or for another's place, where a guard protects it: the server copies
    /// and renames only what nobody uses, and its clients would be disconnected.
    ///
    /// # Errors
    /// [`PgError::Forbidden`].
    pub fn refuse_to_disturb(&self, database: &str) -> PgResult<()> {
        match self.guard().refusal(&self.host_names(), database) {
            None => Ok(()),
            Some(refusal) => Err(PgError::Forbidden {
                what: format!("this would disconnect the clients of `{database}`, and {}", refusal.what),
                help: Some(remedy![
                    "nothing was changed. Instead, restore a dump of it with ",
                    Setting::Into.with("NAME")
                ]),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::connection::{Environment, Origin};
    use crate::guard::ALLOW_RESTORE;

    fn guard(pattern: &str) -> Guard {
        let mut guard = Guard::default();
        guard.protect(pattern, "lastgood.toml:3").unwrap();
        guard
    }

    #[test]
    fn servers_answer_to_all_their_names() {
        let server = |pairs: &[(&str, &str)]| {
            Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs.iter().copied())).unwrap().server
        };
        let local = guard("localhost/shop");
        for host in ["/tmp", "127.0.0.1", "::1", "localhost"] {
            let server = server(&[("PGHOST", host)]).with_guard(local.clone());
            assert!(server.refuse_if_guarded("shop").is_err(), "{host}");
            let error = server.refuse_to_disturb("shop").expect_err(host).to_string();
            assert!(error.contains("disconnect the clients of `shop`") && error.contains("localhost/shop"), "{error}");
            server.refuse_if_guarded("other").unwrap();
            server.refuse_to_disturb("other").unwrap();
        }
        let by_address = server(&[("PGHOST", "db"), ("PGHOSTADDR", "10.0.0.7")]).with_guard(guard("10.0.0.7/*"));
        assert!(matches!(by_address.refuse_if_guarded("shop"), Err(PgError::Forbidden { .. })));
        let second = server(&[("PGHOST", "standby,prod-1")]).with_guard(guard("prod-*/*"));
        assert!(second.refuse_if_guarded("shop").is_err());
        let by_variable = server(&[("PGHOST", "db"), (ALLOW_RESTORE, "no")]).with_guard(Guard::default());
        assert!(by_variable.refuse_if_guarded("shop").is_err(), "what the variable forbids, nobody allows");
    }
}
