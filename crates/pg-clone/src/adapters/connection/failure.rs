//! What a failed connection means to the user.

use std::error::Error;

use backup_core::error::Cause;
use backup_core::failure::Remedy;

use crate::adapters::connection::address::Address;
use crate::adapters::connection::session::{Pooled, Unfit};
use crate::adapters::connection::watch::NotAllowed;
use crate::error::{PgError, no_connection};
use crate::standing;

/// What to do about a pooler.
const POOLED: &str = "nothing was changed. A dump's locks and snapshot do not survive a pooler such as PgBouncer or \
                      RDS Proxy: connect to the server itself (its own PGHOST and PGPORT)";

/// What to do where a server is not of the kind that was asked for.
const UNFIT: &str = "nothing was done. Choose a matching host, or unset PGTARGETSESSIONATTRS";

/// What to do where a server asks for an authentication that was ruled out.
const NOT_ALLOWED: &str = "no password was sent. Change pg_hba.conf on the server, or PGREQUIREAUTH";

/// What to do where the server's certificate is of an authority that is not trusted, or for another name.
const UNVERIFIED: &str = "no password was sent. Remote connections use verify-full by default. Set PGSSLROOTCERT to the file of the authority \
                          that signed the certificate (Amazon RDS: global-bundle.pem), or PGSSLMODE=require to encrypt without verifying";

/// What to do where the server shows a certificate that it signed itself, and that is not the one to trust.
const SELF_SIGNED: &str = "no password was sent. Remote connections use verify-full by default, and the server's certificate is self-signed. Set \
                           PGSSLROOTCERT to a copy of it (on the server, the file that ssl_cert_file names), or PGSSLMODE=require to encrypt \
                           without verifying";

/// What to do where the certificate is good, and for another name.
const OTHER_NAME: &str = "no password was sent. Remote connections use verify-full by default, and the certificate is for another name. Connect by a \
                          name that it has (PGHOSTADDR gives the address), or set PGSSLMODE=verify-ca, with PGSSLROOTCERT, to take any name that \
                          your authority signed";

/// What to do where the certificate's time is over, or has not begun.
const OUT_OF_TIME: &str = "no password was sent. Renew the server's certificate, and check the clock of this machine; PGSSLMODE=require encrypts \
                           without verifying";

/// What to do where the server's own list of who may connect does not have us.
const NOT_LISTED: &str = "nothing was done. The server's pg_hba.conf does not let this user connect to this database from here: add a line for \
                          it there and reload, or connect as another user or from another host";

/// The same, where the list may want an encrypted connection.
const NOT_LISTED_PLAIN: &str = "nothing was done. The server's pg_hba.conf does not let this user connect to this database from here without \
                                encryption: set PGSSLMODE=require or verify-full, or add a line for it there and reload";

/// The database that every server has and that lets nobody in.
const TEMPLATE0: &str = "template0";

/// What to do where nobody answers.
const NOT_THERE: &str = "check PGHOST and PGPORT, and that the server is running and accepts connections";

/// Sorts what kept `user` out.
pub(super) fn not_opened(user: &str, address: &Address, database: &str, error: Cause) -> PgError {
    let error = match error.downcast::<tokio_postgres::Error>() {
        Ok(error) => error,
        Err(source) => {
            let help = match &source {
                source if source.is::<Pooled>() => POOLED,
                source if source.is::<Unfit>() => UNFIT,
                _ => NOT_THERE,
            };
            return PgError::Unreachable {
                server: format!("{address}, database `{database}`"),
                help: help.into(),
                source,
            };
        }
    };
    let server = address.to_string();
    if is_caused_by::<NotAllowed>(&*error) {
        let help = NOT_ALLOWED.into();
        return PgError::Unreachable { server: format!("{server} as `{}`", user), help, source: error };
    }
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("55000") if database == TEMPLATE0 => PgError::Usage {
            what: format!(
                "`{TEMPLATE0}` accepts no connections: it is the server's untouched template, and holds nothing of yours"
            ),
            help: "nothing was done. Name another database".into(),
        },
        Some("3D000") => PgError::NoDatabase { database: database.to_owned(), server },
        Some("55000") if chain(&*error).contains("invalid database") => standing::invalid(database).refusal(),
        // object_not_in_prerequisite_state: the database does not accept connections.
        Some("55000") => PgError::Closed { database: database.to_owned() },
        code => PgError::Unreachable {
            server: match code {
                Some("28P01" | "28000") => format!("{server} as `{}`", user),
                _ => format!("{server}, database `{database}`"),
            },
            help: unverified(&chain(&*error)).map_or_else(|| help(code, &chain(&*error)), Into::into),
            source: error,
        },
    }
}

/// The next thing to do, by the server's code or what the driver says.
fn help(code: Option<&str>, text: &str) -> Remedy {
    let fixed = match code {
        Some("28000") if text.contains("pg_hba.conf") && text.contains("no encryption") => NOT_LISTED_PLAIN,
        Some("28000") if text.contains("pg_hba.conf") => NOT_LISTED,
        Some("28P01" | "28000") => "check PGUSER, and the password in PGPASSFILE or ~/.pgpass",
        Some("42501") => "the role has no CONNECT privilege on it: connect as another, or GRANT it",
        Some("53300") => return no_connection(text),
        Some("57P03") => "the server is starting up or shutting down: try again in a moment",
        // protocol_violation: a pooler that knows no startup options.
        Some("08P01") => POOLED,
        _ if text.contains("password missing") => {
            "no password was found: put it into ~/.pgpass (mode 0600) or PGPASSFILE, or set PGPASSWORD"
        }
        _ if text.contains("server does not support TLS") => {
            "nothing was sent. If the network is trusted, set PGSSLMODE=disable"
        }
        _ if text.contains("TLS handshake") => {
            "no password was sent. If your own authority signed the certificate, set PGSSLROOTCERT to its file"
        }
        _ => NOT_THERE,
    };
    fixed.into()
}

/// What to do if the server showed a certificate that cannot be verified, by what the driver says.
fn unverified(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let handshake = text.contains("tls handshake") && text.contains("certificate");
    if !(handshake || text.contains("invalid peer certificate")) {
        return None;
    }
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(if says(&["not valid for name", "notvalidforname"]) {
        OTHER_NAME
    } else if says(&["expired", "not valid yet", "notvalidyet"]) {
        OUT_OF_TIME
    } else if says(&["causedasendentity"]) {
        SELF_SIGNED
    } else {
        UNVERIFIED
    })
}

/// Whether the server's pg_hba.conf keeps us out.
pub(super) fn is_not_listed(error: &PgError) -> bool {
    let PgError::Unreachable { source, .. } = error else { return false };
    chain(&**source).contains("pg_hba.conf")
}

/// Whether a `T` is among an error's causes.
fn is_caused_by<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error shows the causes of what it wraps, and not that.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<T>() || wrapped.is_some_and(|wrapped| wrapped.is::<T>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the next host may be tried: nobody answered here, or not the one that was asked for. As in libpq, a server
/// that does not let us in ends the search: another one behind it would not be the one that was meant.
pub(super) fn may_be_another(error: &PgError) -> bool {
    let PgError::Unreachable { source, .. } = error else { return false };
    let Some(error) = source.downcast_ref::<tokio_postgres::Error>() else { return !source.is::<Pooled>() };
    // cannot_connect_now: it is starting up or shutting down.
    !is_caused_by::<NotAllowed>(error) && error.code().is_none_or(|code| code.code() == "57P03") && !rejects_us(error)
}

/// Whether the driver gave up because it cannot log in here.
fn rejects_us(error: &tokio_postgres::Error) -> bool {
    let text = chain(error);
    ["password missing", "authentication", "TLS"].iter().any(|word| text.contains(word))
}

/// An error's text with its causes'.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_certificate_that_cannot_be_verified_has_its_own_way_out() {
        let told =
            |cause: &str| unverified(&format!("error performing TLS handshake: invalid peer certificate: {cause}"));
        assert_eq!(told("UnknownIssuer"), Some(UNVERIFIED));
        assert_eq!(told("Other(OtherError(CaUsedAsEndEntity))"), Some(SELF_SIGNED));
        assert_eq!(
            told("certificate not valid for name \"db2\"; certificate is only valid for DnsName(\"db1\")"),
            Some(OTHER_NAME)
        );
        assert_eq!(
            told("certificate expired: verification time 1 (UNIX), but certificate is not valid after 0"),
            Some(OUT_OF_TIME)
        );
        assert_eq!(told("certificate not valid yet: verification time 0"), Some(OUT_OF_TIME));
        assert_eq!(unverified("server does not support TLS"), None);
    }
}
