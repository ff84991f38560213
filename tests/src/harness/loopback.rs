//! Plain requests to servers on this machine, and which of a server's ports others could reach.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::time::Duration;

use super::RowResult;
use crate::ensure;

/// A server that is there answers a request without a body in less.
const ANSWER: Duration = Duration::from_secs(10);

/// How the kernel says that a socket listens.
const LISTENS: &str = "0A";

/// Puts a text, with one more header if need be; the status of the answer.
///
/// # Errors
/// If there is none.
pub fn put(port: u16, path: &str, header: &str, body: &str) -> RowResult<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let more = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
         {more}Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    ensure!(status.is_some(), "no answer of HTTP to {path}");
    Ok(status.unwrap_or_default())
}

/// The addresses on which a process listens that are not this machine's own.
///
/// # Errors
/// If the kernel does not say.
pub fn listening_elsewhere(pid: u32) -> RowResult<Vec<String>> {
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A file may be closed while it is looked at.
        if let Ok(target) = fs::read_link(entry?.path())
            && let Some(inode) = target.to_string_lossy().strip_prefix("socket:[")
        {
            sockets.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut open = Vec::new();
    for (table, is_own) in [("tcp", is_own_v4 as fn(&str) -> bool), ("tcp6", is_own_v6)] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..] else { continue };
            let address = local.split(':').next().unwrap_or_default();
            if state == LISTENS && sockets.contains(inode) && !is_own(address) {
                open.push(format!("{table} {local}"));
            }
        }
    }
    Ok(open)
}

/// An address as the kernel shows it: four bytes in the machine's order.
fn is_own_v4(address: &str) -> bool {
    u32::from_str_radix(address, 16).is_ok_and(|bits| Ipv4Addr::from(bits.to_ne_bytes()).is_loopback())
}

/// Four words, each in the machine's order.
fn is_own_v6(address: &str) -> bool {
    let mut bytes = [0; 16];
    for (at, word) in bytes.chunks_mut(4).enumerate() {
        let Some(Ok(bits)) = address.get(at * 8..at * 8 + 8).map(|hex| u32::from_str_radix(hex, 16)) else {
            return false;
        };
        word.copy_from_slice(&bits.to_ne_bytes());
    }
    let address = Ipv6Addr::from(bytes);
    address.is_loopback() || address.to_ipv4_mapped().is_some_and(|mapped| mapped.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_that_others_can_reach_is_found() {
        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let before = listening_elsewhere(std::process::id()).unwrap();
        let open = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let after = listening_elsewhere(std::process::id()).unwrap();
        let port = |listener: &TcpListener| format!(":{:04X}", listener.local_addr().unwrap().port());
        assert!(!before.iter().any(|at| at.ends_with(&port(&own))), "{before:?}");
        assert!(after.iter().any(|at| at.ends_with(&port(&open))), "{after:?}");
    }

    #[test]
    fn addresses_of_the_kernel_are_read() {
        assert!(is_own_v4("0100007F") && !is_own_v4("00000000"));
        assert!(is_own_v6("00000000000000000000000001000000") && !is_own_v6("00000000000000000000000000000000"));
        assert!(is_own_v6("0000000000000000FFFF00000100007F"));
    }
}
