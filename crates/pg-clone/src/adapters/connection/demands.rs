//! What a server must be or do before lastgood uses it: libpq's `channel_binding`, `target_session_attrs` and
//! `require_auth`.

use tokio_postgres::config;

use crate::adapters::connection::parameter::invalid;
use crate::error::PgResult;

/// Whether the password exchange is tied to the TLS connection (libpq's `channel_binding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

impl ChannelBinding {
    pub(super) fn parse(text: &str) -> PgResult<Self> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(invalid("channel_binding", "is not one of disable, prefer, require")),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }

    pub(super) fn driver(self) -> config::ChannelBinding {
        match self {
            Self::Disable => config::ChannelBinding::Disable,
            Self::Prefer => config::ChannelBinding::Prefer,
            Self::Require => config::ChannelBinding::Require,
        }
    }
}

/// Which of several hosts will do (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionAttributes {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl SessionAttributes {
    pub(super) fn parse(text: &str) -> PgResult<Self> {
        match text {
            "any" => Ok(Self::Any),
            "read-write" => Ok(Self::ReadWrite),
            "read-only" => Ok(Self::ReadOnly),
            "primary" => Ok(Self::Primary),
            "standby" => Ok(Self::Standby),
            "prefer-standby" => Ok(Self::PreferStandby),
            _ => Err(invalid(
                "target_session_attrs",
                "is not one of any, read-write, read-only, primary, standby, prefer-standby",
            )),
        }
    }

    /// What is asked of all hosts in turn, and, should none of them fit, asked of them once more.
    pub(super) fn rounds(self) -> Vec<Self> {
        match self {
            Self::PreferStandby => vec![Self::Standby, Self::Any],
            one => vec![one],
        }
    }

    /// Why a server that is in recovery or not, and writes by default or not, will not do.
    pub(super) fn misfit(self, in_recovery: bool, read_only: bool) -> Option<&'static str> {
        match self {
            Self::ReadWrite if read_only => Some("it is read-only, but target_session_attrs wants read-write"),
            Self::ReadOnly if !read_only => Some("it is writable, but target_session_attrs wants read-only"),
            Self::Primary if in_recovery => Some("it is a standby, but target_session_attrs wants a primary"),
            Self::Standby if !in_recovery => Some("it is a primary, but target_session_attrs wants a standby"),
            _ => None,
        }
    }
}

/// How a server wants to know who we are, by the number in its request (PostgreSQL manual, "Message Formats").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    Password,
    Md5,
    Gss,
    Sspi,
    Scram,
    /// Kept apart from SCRAM by libpq alone: the driver speaks only the latter.
    Oauth,
}

impl Method {
    const ALL: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("password", Self::Password),
        ("md5", Self::Md5),
        ("gss", Self::Gss),
        ("sspi", Self::Sspi),
        ("scram-sha-256", Self::Scram),
        ("oauth", Self::Oauth),
    ];

    pub(super) fn of_request(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            3 => Some(Self::Password),
            5 => Some(Self::Md5),
            7 => Some(Self::Gss),
            9 => Some(Self::Sspi),
            10 => Some(Self::Scram),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, method)| *method == self).map_or("", |(name, _)| name)
    }
}

/// The ways of authentication that will do (libpq's `require_auth`): some, or all but some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequireAuth {
    text: String,
    methods: Vec<Method>,
    negated: bool,
}

impl RequireAuth {
    pub(super) fn parse(text: &str) -> PgResult<Self> {
        let negated = text.starts_with('!');
        let mut methods = Vec::new();
        for word in text.split(',') {
            let (no, word) = word.strip_prefix('!').map_or((false, word), |word| (true, word));
            let method = Method::ALL.iter().find(|(name, _)| *name == word).map(|(_, method)| *method);
            let Some(method) = method else {
                return Err(invalid(
                    "require_auth",
                    "is not a list of password, md5, gss, sspi, scram-sha-256, oauth, none, or of these each with a \
                     `!`",
                ));
            };
            if no != negated || methods.contains(&method) {
                return Err(invalid("require_auth", "names a method twice, or some with and some without `!`"));
            }
            methods.push(method);
        }
        Ok(Self { text: text.to_owned(), methods, negated })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn allows(&self, asked: Option<Method>) -> bool {
        match asked {
            Some(method) => self.methods.contains(&method) != self.negated,
            None => self.negated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_libpqs() {
        use SessionAttributes::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
        // In recovery, read-only by default: a primary, one that is set to read-only, a standby.
        let servers = [(false, false), (false, true), (true, true)];
        for (attributes, fits) in [
            (Any, [true, true, true]),
            (ReadWrite, [true, false, false]),
            (ReadOnly, [false, true, true]),
            (Primary, [true, true, false]),
            (Standby, [false, false, true]),
        ] {
            let found = servers.map(|(in_recovery, read_only)| attributes.misfit(in_recovery, read_only).is_none());
            assert_eq!(found, fits, "{attributes:?}");
            assert_eq!(attributes.rounds(), [attributes]);
        }
        assert_eq!(PreferStandby.rounds(), [Standby, Any]);
        assert_eq!(SessionAttributes::parse("prefer-standby").unwrap(), PreferStandby);
        assert!(SessionAttributes::parse("writable").is_err());
    }

    #[test]
    fn required_authentication_is_libpqs() {
        let allowed = |text: &str| -> Vec<&str> {
            let rule = RequireAuth::parse(text).unwrap();
            Method::ALL.iter().filter(|(_, method)| rule.allows(Some(*method))).map(|(name, _)| *name).collect()
        };
        assert_eq!(allowed("scram-sha-256"), ["scram-sha-256"]);
        assert_eq!(allowed("none,md5"), ["none", "md5"]);
        assert_eq!(allowed("!password,!md5,!none"), ["gss", "sspi", "scram-sha-256", "oauth"]);
        assert!(!RequireAuth::parse("md5").unwrap().allows(Method::of_request(2)), "a method without a name");
        for text in ["scram", "md5,!none", "!none,md5", "md5,md5", "md5,", " md5"] {
            assert!(RequireAuth::parse(text).is_err(), "{text}");
        }
    }
}
