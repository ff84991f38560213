//! Parses a location as a user wrote it, with errors that repeat no secrets.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::place::Location;
use crate::key::KEY_BYTES_MAX;

/// Longest object name S3 takes, in bytes (AWS, "Naming Amazon S3 objects").
const S3_NAME_BYTES_MAX: usize = 1024;

/// Longest prefix in bytes, so that the longest key and the `/` between them still fit.
const PREFIX_BYTES_MAX: usize = S3_NAME_BYTES_MAX - KEY_BYTES_MAX - 1;

const FORMS: &str = "use `s3://bucket/prefix`, a path, or `file:///path`";

/// How other programs begin the URL of an S3 server.
const SERVERS: [&str; 4] = ["s3", "S3", "http", "https"];
const ENDPOINT: &str = ". The address of an S3 server is set by AWS_ENDPOINT_URL_S3";

const FROM_ENVIRONMENT: &str = "set AWS_ENDPOINT_URL_S3, AWS_REGION and AWS_PROFILE instead";

pub(super) fn parse(text: &str) -> Result<Location, String> {
    if text.is_empty() {
        return Err(format!("the location is empty; {FORMS}"));
    }
    if let Some(position) = text.find(char::is_control) {
        return Err(format!("the location has a control character at byte {position}; {FORMS}"));
    }
    if text == "mem:" {
        return Ok(Location::Memory);
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        return s3(rest);
    }
    if let Some(rest) = text.strip_prefix("file://") {
        return file(rest);
    }
    if let Some(scheme) = scheme(text) {
        let elsewhere = if SERVERS.contains(&scheme) { ENDPOINT } else { "" };
        return Err(format!("a location cannot begin with `{scheme}:`; {FORMS}{elsewhere}"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(format!(
            "`~` is the home directory only where a shell says so, and no shell read `{text}`: write it out, or `./{text}` for a \
             folder of that name"
        ));
    }
    Ok(Location::File(PathBuf::from(text)))
}

/// The scheme of what looks like a URL, or like restic's `s3:host/bucket`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let shaped = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let known = ["s3", "file", "mem", "http", "https", "sftp", "ssh", "gs", "azure", "b2", "rclone"];
    (shaped && (rest.starts_with("//") || known.contains(&scheme.to_ascii_lowercase().as_str()))).then_some(scheme)
}

fn s3(rest: &str) -> Result<Location, String> {
    if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
        return Err(format!("an S3 location cannot contain credentials; {FROM_ENVIRONMENT}"));
    }
    if let Some(position) = rest.find(['?', '#']) {
        let position = position + "s3://".len();
        return Err(format!("an S3 location cannot have a query or fragment (byte {position}); {FROM_ENVIRONMENT}"));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains(':') || bucket.ends_with(".amazonaws.com") || bucket == "localhost" {
        return Err(format!(
            "`{bucket}` is an endpoint, but an S3 location begins with the bucket; {FROM_ENVIRONMENT}"
        ));
    }
    if let Some(fault) = bucket_fault(bucket) {
        return Err(format!("`{bucket}` is not a valid bucket name: {fault} (`s3://bucket/prefix`)"));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(format!("the prefix is {} bytes long, more than the limit of {PREFIX_BYTES_MAX}", prefix.len()));
    }
    let bad = |segment: &str| matches!(segment, "" | "." | "..");
    if !prefix.is_empty()
        && let Some(segment) = prefix.split('/').find(|segment| bad(segment))
    {
        return Err(format!("the prefix `{prefix}` has the segment `{segment}`, which S3 would take literally"));
    }
    Ok(Location::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// What AWS's rules for general purpose buckets forbid (AWS, "General purpose bucket naming rules").
fn bucket_fault(bucket: &str) -> Option<&'static str> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !(3..=63).contains(&bucket.len()) {
        Some("it must have 3 to 63 characters")
    } else if !bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-') {
        Some("only lower-case letters, digits, `.` and `-` are allowed")
    } else if !edge(bucket.chars().next()) || !edge(bucket.chars().next_back()) {
        Some("it must begin and end with a letter or a digit")
    } else if bucket.contains("..") {
        Some("two dots may not follow each other")
    } else if bucket.parse::<Ipv4Addr>().is_ok() {
        Some("it may not look like an IP address")
    } else {
        None
    }
}

fn file(rest: &str) -> Result<Location, String> {
    if !rest.starts_with('/') {
        return Err("a file URL needs three slashes, `file:///path`, and cannot name a host".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("a file URL cannot have a query or fragment; encode `?` and `#` as `%3F` and `%23`".to_owned());
    }
    percent_decode(rest).map(|path| Location::File(PathBuf::from(path)))
}

fn percent_decode(text: &str) -> Result<String, String> {
    let wrong = || "a `%` in a file URL must be followed by two hexadecimal digits of UTF-8 text".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &tail[2..];
    }
    if bytes.contains(&0) {
        return Err("a path cannot contain a NUL byte".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).expect_err(text)
    }

    #[test]
    fn every_form_is_read_and_shown_again() {
        for (text, shown) in [
            ("s3://my-bucket", "s3://my-bucket"),
            ("s3://my-bucket/", "s3://my-bucket"),
            ("s3://my.bucket/a/b c/", "s3://my.bucket/a/b c"),
            ("/srv/backups", "/srv/backups"),
            ("backups/here", "backups/here"),
            ("./a:b", "./a:b"),
            ("C:drive", "C:drive"),
            ("../up", "../up"),
            ("./~/here", "./~/here"),
            ("~old", "~old"),
            ("file:///srv/my%20backups", "/srv/my backups"),
            ("mem:", "mem:"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), shown);
            assert_eq!(shown.parse::<Location>().unwrap(), location, "{shown} reads back");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = refused("s3://AKIA123:hunter2@bucket/x");
        assert!(error.contains("AWS_PROFILE"), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("AKIA123"), "{error}");
    }

    #[test]
    fn endpoints_queries_and_dots_are_refused_with_the_remedy() {
        for (text, expected) in [
            ("s3://localhost:9000/bucket", "AWS_ENDPOINT_URL_S3"),
            ("s3://s3.eu-west-1.amazonaws.com/bucket", "is an endpoint"),
            ("s3://bucket/a?region=x", "byte 13"),
            ("s3://bucket/a#b", "byte 13"),
            ("s3://bucket/a/../b", "`..`"),
            ("s3://bucket//a", "segment ``"),
            ("s3://bucket/./a", "`.`"),
            ("s3:host/bucket", "cannot begin with `s3:`"),
            ("s3:https://minio:9000/bucket", "is set by AWS_ENDPOINT_URL_S3"),
            ("https://bucket.example/x", "cannot begin with `https:`"),
            ("file://host/path", "cannot name a host"),
            ("file:relative", "cannot begin with `file:`"),
            ("~/backups", "`./~/backups`"),
            ("~", "home directory"),
            ("file:///a%2", "hexadecimal"),
            ("file:///a%00", "NUL"),
            ("", "empty"),
            ("/a\r\nb", "byte 2"),
        ] {
            let error = refused(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let long = format!("s3://bucket/{}", "x".repeat(PREFIX_BYTES_MAX + 1));
        assert!(refused(&long).contains("limit of 123"));
    }

    #[test]
    fn bucket_names_follow_the_published_rules() {
        for bucket in ["ab", "Bucket", "a_b", "-abc", "abc-", "a..b", "192.168.0.1", "", &"a".repeat(64)] {
            refused(&format!("s3://{bucket}/x"));
        }
        for bucket in ["abc", "a.b", "1-2", &"a".repeat(63)] {
            parse(&format!("s3://{bucket}")).unwrap();
        }
    }
}
