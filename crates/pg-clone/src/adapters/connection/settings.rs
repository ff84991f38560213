//! Settings of a server besides its address: limits, and which databases are protected.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::connection::Server;
use crate::adapters::connection::session::MARK;
use crate::guard::Guard;

/// What every session starts with, whatever is set for the role or the database: limits made for applications would end
/// a dump or a restore.
const SESSION_OPTIONS: &str = "-c lock_timeout=0 -c idle_in_transaction_session_timeout=0";

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

    /// Startup options of every session: the user's, and then ours, for of two the server takes the last.
    pub(super) fn session_options(&self) -> String {
        let timeout_ms = self.statement_timeout_ms();
        let ours = format!("-c statement_timeout={timeout_ms} {SESSION_OPTIONS} -c {MARK}=on");
        self.options.as_ref().map_or_else(|| ours.clone(), |options| format!("{options} {ours}"))
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
}
