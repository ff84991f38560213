//! What a server's guard forbids, asked with every name the server goes by.

use crate::adapters::connection::Server;
use crate::error::PgResult;

impl Server {
    /// Refuses to replace, fill or drop `database` where a guard forbids it.
    ///
    /// # Errors
    /// [`PgError::Forbidden`](crate::PgError::Forbidden).
    pub fn refuse_if_guarded(&self, database: &str) -> PgResult<()> {
        self.guard().refuse(&self.host_names(), database)
    }

    /// Refuses to take `database` as it is, for a copy or for another's place, where a guard protects it.
    ///
    /// # Errors
    /// [`PgError::Forbidden`](crate::PgError::Forbidden).
    pub fn refuse_to_disturb(&self, database: &str) -> PgResult<()> {
        self.guard().refuse_to_disturb(&self.host_names(), database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{ALLOW_RESTORE, Guard};
    use crate::{Environment, Origin, PgError};

    fn guard(patterns: &[&str]) -> Guard {
        let mut guard = Guard::default();
        for pattern in patterns {
            guard.protect(pattern, "lastgood.toml:3").unwrap();
        }
        guard
    }

    #[test]
    fn servers_answer_to_all_their_names() {
        let server = |pairs: &[(&str, &str)]| {
            Server::resolve(None, Origin::Environment, &Environment::from_pairs(pairs.iter().copied())).unwrap().0
        };
        let local = guard(&["localhost/shop"]);
        for host in ["/tmp", "127.0.0.1", "::1", "localhost"] {
            let server = server(&[("PGHOST", host)]).with_guard(local.clone());
            assert!(server.refuse_if_guarded("shop").is_err(), "{host}");
            let error = server.refuse_to_disturb("shop").expect_err(host).to_string();
            assert!(error.contains("disconnect the clients of `shop`") && error.contains("localhost/shop"), "{error}");
            server.refuse_if_guarded("other").unwrap();
            server.refuse_to_disturb("other").unwrap();
        }
        let by_address = server(&[("PGHOST", "db"), ("PGHOSTADDR", "10.0.0.7")]).with_guard(guard(&["10.0.0.7/*"]));
        assert!(matches!(by_address.refuse_if_guarded("shop"), Err(PgError::Forbidden { .. })));
        let second = server(&[("PGHOST", "standby,prod-1")]).with_guard(guard(&["prod-*/*"]));
        assert!(second.refuse_if_guarded("shop").is_err());
        let by_variable = server(&[("PGHOST", "db"), (ALLOW_RESTORE, "no")]).with_guard(Guard::default());
        assert!(by_variable.refuse_if_guarded("shop").is_err(), "what the variable forbids, nobody allows");
    }
}
