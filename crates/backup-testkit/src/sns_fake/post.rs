//! Posts a message as SNS does.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long SNS waits for an answer ("Amazon SNS message delivery retries").
const TIMEOUT: Duration = Duration::from_secs(15);

/// Posts `body` to `url`, and returns the status of the answer.
pub(super) fn post(url: &str, kind: &str, body: &str) -> io::Result<u16> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("`{url}` {what}"));
    let rest = url.strip_prefix("http://").ok_or_else(|| wrong("does not begin with `http://`"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: Amazon Simple Notification Service Agent\r\n\
         x-amz-sns-message-type: {kind}\r\ncontent-type: text/plain; charset=UTF-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| wrong("did not answer in HTTP"))
}
