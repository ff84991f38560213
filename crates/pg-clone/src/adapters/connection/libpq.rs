//! Every setting of libpq's, and what becomes of it here: what is not honoured is refused by name, for a setting that is
//! silently passed over may lead to another server than the one that was meant.

use std::collections::BTreeMap;

pub use crate::adapters::connection::libpq::setting::{Setting, Treatment};
use crate::error::{PgError, PgResult};

mod setting;
mod table;

pub use table::SETTINGS;

/// Parameters by libpq's names: `host`, `port`, `user`, `dbname`, `sslmode`…
pub(crate) type Parameters = BTreeMap<String, String>;

/// The setting that `keyword` names.
fn find(keyword: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.keyword == Some(keyword))
}

/// Whether `keyword` names a setting of libpq's.
pub(crate) fn is_keyword(keyword: &str) -> bool {
    find(keyword).is_some()
}

/// Variables of libpq's that stand for a keyword, and the keyword.
pub(crate) fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.iter().filter_map(|setting| Some((setting.variable?, setting.keyword?)))
}

/// Whether `name` is a variable that libpq reads.
pub(crate) fn is_variable(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.variable == Some(name))
}

/// Refuses what cannot be done. Values are not repeated: some are secrets.
pub(crate) fn refuse(parameters: &Parameters) -> PgResult<()> {
    for (keyword, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(setting) = find(keyword) else { return Err(unknown(keyword)) };
        if let Treatment::Refused { unless } = setting.treatment
            && !unless.iter().any(|harmless| harmless.eq_ignore_ascii_case(value))
        {
            let allowed = match unless {
                [] => "omit it".to_owned(),
                unless => format!("omit it, or use {}", unless.join(" or ")),
            };
            return Err(PgError::Usage {
                what: format!("the libpq setting {} is not supported: {}", setting.names(), setting.note),
                help: format!("{allowed}; nothing was done").into(),
            });
        }
    }
    Ok(())
}

/// The error for a parameter that libpq does not have.
pub(crate) fn unknown(keyword: &str) -> PgError {
    let known: Vec<&str> = SETTINGS
        .iter()
        .filter(|setting| setting.treatment == Treatment::Honoured)
        .filter_map(|setting| setting.keyword)
        .collect();
    // A word that is cut out of a password would be repeated otherwise.
    let is_word = keyword.len() <= KEYWORD_CHARS_MAX && keyword.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let what = match is_word {
        true => format!("unknown connection parameter `{keyword}`"),
        false => "unknown connection parameter".to_owned(),
    };
    PgError::Usage { what, help: format!("nothing was done. Known parameters: {}", known.join(", ")).into() }
}

/// Longest name of a parameter that is repeated; libpq's longest has 25.
const KEYWORD_CHARS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `PQconndefaults` of libpq 18.6 lists, by keyword and variable.
    const LIBPQ_18: &str = "service PGSERVICE, user PGUSER, password PGPASSWORD, passfile PGPASSFILE, \
        channel_binding PGCHANNELBINDING, connect_timeout PGCONNECT_TIMEOUT, dbname PGDATABASE, host PGHOST, \
        hostaddr PGHOSTADDR, port PGPORT, client_encoding PGCLIENTENCODING, options PGOPTIONS, \
        application_name PGAPPNAME, fallback_application_name -, keepalives -, keepalives_idle -, \
        keepalives_interval -, keepalives_count -, tcp_user_timeout -, sslmode PGSSLMODE, \
        sslnegotiation PGSSLNEGOTIATION, sslcompression PGSSLCOMPRESSION, sslcert PGSSLCERT, sslkey PGSSLKEY, \
        sslcertmode PGSSLCERTMODE, sslpassword -, sslrootcert PGSSLROOTCERT, sslcrl PGSSLCRL, sslcrldir PGSSLCRLDIR, \
        sslsni PGSSLSNI, requirepeer PGREQUIREPEER, require_auth PGREQUIREAUTH, \
        min_protocol_version PGMINPROTOCOLVERSION, max_protocol_version PGMAXPROTOCOLVERSION, \
        ssl_min_protocol_version PGSSLMINPROTOCOLVERSION, ssl_max_protocol_version PGSSLMAXPROTOCOLVERSION, \
        gssencmode PGGSSENCMODE, krbsrvname PGKRBSRVNAME, gsslib PGGSSLIB, gssdelegation PGGSSDELEGATION, \
        replication -, target_session_attrs PGTARGETSESSIONATTRS, load_balance_hosts PGLOADBALANCEHOSTS, \
        scram_client_key -, scram_server_key -, oauth_issuer -, oauth_client_id -, oauth_client_secret -, \
        oauth_scope -, sslkeylogfile -";

    /// Variables that stand for no keyword (manual, "Environment Variables"; PGREQUIRESSL and PGOAUTHDEBUG: the library).
    const ALONE: [&str; 6] = ["PGSYSCONFDIR", "PGLOCALEDIR", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGOAUTHDEBUG"];

    #[test]
    fn every_setting_of_libpq_has_its_row_and_there_are_no_others() {
        let mut expected: Vec<(Option<&str>, Option<&str>)> = LIBPQ_18
            .split(", ")
            .map(|pair| pair.trim().split_once(' ').unwrap())
            .map(|(keyword, variable)| (Some(keyword), Some(variable).filter(|name| *name != "-")))
            .chain(ALONE.map(|variable| (None, Some(variable))))
            // An old name that is still understood, and one that 19 knows.
            .chain([(Some("requiressl"), Some("PGREQUIRESSL")), (Some("servicefile"), Some("PGSERVICEFILE"))])
            .collect();
        let mut rows: Vec<_> = SETTINGS.iter().map(|setting| (setting.keyword, setting.variable)).collect();
        expected.sort_unstable();
        rows.sort_unstable();
        assert_eq!(rows, expected);
        for setting in SETTINGS {
            assert!(!setting.note.is_empty() && !setting.note.ends_with('.'), "{setting:?}");
        }
    }

    fn refused(keyword: &str, value: &str) -> Option<String> {
        refuse(&Parameters::from([(keyword.to_owned(), value.to_owned())])).err().map(|error| match error {
            PgError::Usage { what, help } => format!("{what}; {help}"),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_both_names_and_without_its_value() {
        let said = refused("sslcrl", "/hush.crl").unwrap();
        assert!(said.contains("`sslcrl` (PGSSLCRL) is not supported") && !said.contains("hush"), "{said}");
        let said = refused("oauth_client_secret", "hush").unwrap();
        assert!(said.contains("`oauth_client_secret`") && !said.contains("hush"), "{said}");
        assert!(refused("gssencmode", "require").unwrap().contains("use disable or prefer"));
        assert!(refused("requiressl", "1").unwrap().contains("PGREQUIRESSL"));
        assert!(refused("services", "x").unwrap().contains("unknown connection parameter `services`"));
        assert!(!refused("hush/sh", "x").unwrap().contains("hush"));
    }

    #[test]
    fn every_refused_setting_is_refused_with_any_value_but_the_harmless() {
        for setting in SETTINGS {
            let (Some(keyword), Treatment::Refused { unless }) = (setting.keyword, setting.treatment) else { continue };
            assert!(refused(keyword, "something").is_some(), "{keyword}");
            assert_eq!(refused(keyword, ""), None, "{keyword}");
            for harmless in unless {
                assert_eq!(refused(keyword, &harmless.to_uppercase()), None, "{keyword}={harmless}");
            }
        }
        for setting in SETTINGS.iter().filter(|setting| !matches!(setting.treatment, Treatment::Refused { .. })) {
            assert!(setting.keyword.is_none_or(|keyword| refused(keyword, "anything").is_none()), "{setting:?}");
        }
    }
}
