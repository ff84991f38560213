//! How programs reach a host.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use super::error::HostError;
use super::script::Script;

/// Runs programs on one host.
#[async_trait]
pub trait Shell: fmt::Debug + Send + Sync {
    /// The host, as `lastgood ec2 thaw` takes it.
    fn host(&self) -> &str;

    /// Files of ours on that host, which must not be frozen.
    fn kept(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs `script` to its end, for `limit` at most, and returns what it printed.
    ///
    /// # Errors
    /// [`HostError::Unreachable`].
    async fn run(&self, script: &Script, limit: Duration) -> Result<String, HostError>;

    /// Starts `script` and talks to it. None if the host can only be asked for what a program printed in the end.
    ///
    /// # Errors
    /// [`HostError::Unreachable`].
    async fn talk(&self, script: &Script) -> Result<Option<Box<dyn Conversation>>, HostError>;
}

/// A program under way. Dropping it closes its input and lets it run on, so that it frees what it holds.
#[async_trait]
pub trait Conversation: fmt::Debug + Send + Sync {
    /// The next line; none after the last one, or if the connection is lost.
    async fn line(&mut self) -> Option<String>;

    /// Sends a line. If that fails the program is gone already, which its lines tell.
    async fn tell(&mut self, line: &str);

    /// The last of what it wrote on its standard error.
    async fn complaint(&mut self) -> String;
}

/// A host by the name that people type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// This machine: `local`.
    Local,
    /// An instance, reached through Systems Manager: `i-…`.
    Instance(String),
    /// Anything that `ssh` takes: `user@host`, or a name of its configuration.
    Ssh(String),
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let is_id = |id: &str| id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text == "local" {
            return Ok(Self::Local);
        }
        if text.strip_prefix("i-").is_some_and(is_id) {
            return Ok(Self::Instance(text.to_owned()));
        }
        // `ssh` would take it for an option, which could name a program to run.
        if text.is_empty()
            || text.starts_with('-')
            || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(HostError::Name { given: text.escape_debug().to_string() });
        }
        Ok(Self::Ssh(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_and_no_option_is_one() {
        assert_eq!("local".parse::<Host>().unwrap(), Host::Local);
        assert_eq!("i-0123456789abcdef0".parse::<Host>().unwrap(), Host::Instance("i-0123456789abcdef0".to_owned()));
        assert_eq!("root@db1".parse::<Host>().unwrap(), Host::Ssh("root@db1".to_owned()));
        for bad in ["", "-oProxyCommand=x", "a b", "a\nb"] {
            assert!(bad.parse::<Host>().is_err(), "{bad:?}");
        }
    }
}
