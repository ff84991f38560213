//! Where a server listens.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use crate::adapters::connection::environment::user_of;
use crate::adapters::connection::parameter::invalid;
use crate::error::PgResult;

/// A dump leaves connections idle for long: without probes a firewall forgets them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Time between two probes that nobody answers.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// How long a connection lasts over which nothing arrives there any more, probes included. The kernel also counts the time in
/// which a server takes nothing (tcp(7), `TCP_USER_TIMEOUT`), and one whose disk is slow may take nothing for a minute.
const UNACKNOWLEDGED_MAX_MS: u32 = 5 * 60 * 1000;

/// PostgreSQL's port.
const PORT_DEFAULT: u16 = 5432;

/// A TCP connection or a Unix socket.
pub(super) type RawSocket = Either<TcpStream, UnixStream>;

/// One place where the server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name, an address, or the folder of a Unix socket.
    pub(super) host: String,
    /// Where to connect to when that is not to be asked of the name service; certificates and password files still go
    /// by `host`.
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

impl Address {
    /// Reads `host1,host2`, `ip1,ip2` and `port1,port2`; one port stands for all.
    pub(super) fn list(hosts: Option<&str>, ips: Option<&str>, ports: &str) -> PgResult<Vec<Self>> {
        let ips = ips.map(|ips| ips.split(',').map(parse_ip).collect::<PgResult<Vec<_>>>()).transpose()?;
        let hosts: Vec<String> = match (hosts, &ips) {
            (Some(hosts), _) => hosts.split(',').map(ToOwned::to_owned).collect(),
            (None, Some(ips)) => ips.iter().map(|ip| ip.map_or_else(String::new, |ip| ip.to_string())).collect(),
            (None, None) => vec![String::new()],
        };
        let ports: Vec<&str> = ports.split(',').collect();
        if ips.as_ref().is_some_and(|ips| ips.len() != hosts.len()) {
            return Err(invalid("hostaddr", "has a different number of addresses than of hosts"));
        }
        if ports.len() != 1 && ports.len() != hosts.len() {
            return Err(invalid("port", "has a different number of ports than of hosts"));
        }
        let address = |(at, host): (usize, String)| {
            let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or_default();
            Ok(Self {
                host: if host.is_empty() { default_host() } else { host },
                ip: ips.as_ref().and_then(|ips| ips.get(at).copied().flatten()),
                port: parse_port(port)?,
            })
        };
        hosts.into_iter().enumerate().map(address).collect()
    }

    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Whether no network lies between.
    pub(super) fn is_local(&self) -> bool {
        let ip = self.ip.or_else(|| self.host.parse().ok());
        self.is_socket() || ip.map_or(self.host == "localhost", |ip| ip.is_loopback())
    }

    /// Where the name leads: several addresses may be behind one, and several servers. A socket has none.
    pub(super) async fn ips(&self) -> std::io::Result<Vec<Option<IpAddr>>> {
        if self.is_socket() || self.ip.is_some() {
            return Ok(vec![self.ip]);
        }
        let mut ips: Vec<Option<IpAddr>> = Vec::new();
        for found in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            if !ips.contains(&Some(found.ip())) {
                ips.push(Some(found.ip()));
            }
        }
        if ips.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(ips)
    }

    /// Opens a connection to the socket, or to `ip`, where `peer` names the user that the server behind a socket must be.
    pub(super) async fn open(&self, ip: Option<IpAddr>, peer: Option<&str>) -> std::io::Result<RawSocket> {
        if self.is_socket() {
            let path = Path::new(&self.host).join(format!(".s.PGSQL.{}", self.port));
            let stream = UnixStream::connect(path).await?;
            if let Some(peer) = peer {
                refuse_other_peer(peer, stream.peer_cred()?.uid())?;
            }
            return Ok(Either::Right(stream));
        }
        let stream = match ip {
            Some(ip) => TcpStream::connect((ip, self.port)).await?,
            None => TcpStream::connect((self.host.as_str(), self.port)).await?,
        };
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
        rustix::net::sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_EVERY)?;
        rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MAX_MS)?;
        Ok(Either::Left(stream))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// libpq's `requirepeer`.
fn refuse_other_peer(wanted: &str, uid: u32) -> std::io::Result<()> {
    let name = user_of(uid).unwrap_or_else(|| uid.to_string());
    if name == wanted {
        return Ok(());
    }
    let what = format!("the server behind the socket runs as `{name}`, but requirepeer wants `{wanted}`");
    Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, what))
}

fn parse_ip(text: &str) -> PgResult<Option<IpAddr>> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| invalid("hostaddr", "is not a numeric address")),
    }
}

/// The text is not repeated: in a URL it may be the rest of a password with an unescaped `:` or `/` in it.
fn parse_port(text: &str) -> PgResult<u16> {
    match text {
        "" => Ok(PORT_DEFAULT),
        text => text
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| invalid("port", "is not a number from 1 to 65535 (write `/`, `:` and `@` in a URL's password as `%2F`, `%3A` and `%40`)")),
    }
}

/// As libpq on Debian: the local socket if there is one, else the loopback.
fn default_host() -> String {
    let socket = "/var/run/postgresql";
    if Path::new(socket).is_dir() { socket.to_owned() } else { "localhost".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &str, ips: Option<&str>, ports: &str) -> PgResult<Vec<String>> {
        let hosts = Some(hosts).filter(|hosts| !hosts.is_empty());
        Ok(Address::list(hosts, ips, ports)?.iter().map(|address| format!("{address} {:?}", address.ip)).collect())
    }

    #[test]
    fn hosts_addresses_and_ports_belong_together_by_their_place() {
        assert_eq!(list("a,b", None, "").unwrap(), ["a:5432 None", "b:5432 None"]);
        assert_eq!(list("a,b", None, "1").unwrap(), ["a:1 None", "b:1 None"]);
        assert_eq!(list("a,b", Some(",::1"), "1,").unwrap(), ["a:1 None", "b:5432 Some(::1)"]);
        assert_eq!(list("", Some("10.0.0.1"), "").unwrap(), ["10.0.0.1:5432 Some(10.0.0.1)"]);
        for (hosts, ips, ports) in [("a", Some("1.1.1.1,2.2.2.2"), ""), ("a,b,c", None, "1,2"), ("a", None, "0")] {
            list(hosts, ips, ports).unwrap_err();
        }
        let error = list("a", None, "hush").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }

    #[test]
    fn a_server_of_another_user_is_no_peer() {
        let me = rustix::process::geteuid().as_raw();
        let name = user_of(me).unwrap();
        refuse_other_peer(&name, me).unwrap();
        let error = refuse_other_peer("somebody", me).unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains("somebody"), "{error}");
    }

    #[test]
    fn loopbacks_and_sockets_are_local() {
        for (host, local) in
            [("/tmp", true), ("localhost", true), ("127.3.2.1", true), ("::1", true), ("10.0.0.1", false)]
        {
            assert_eq!(Address { host: host.into(), ip: None, port: 1 }.is_local(), local, "{host}");
        }
        // A name that points at the loopback through hostaddr, as for a tunnel.
        assert!(Address { host: "db".into(), ip: "127.0.0.1".parse().ok(), port: 1 }.is_local());
        assert!(!Address { host: "localhost".into(), ip: "10.0.0.1".parse().ok(), port: 1 }.is_local());
    }
}
