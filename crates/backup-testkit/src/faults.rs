//! Scripts of faults for the peers: which call is harmed, and how.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What is done to a call. All of it happens on the wire, where the client cannot tell it from the real thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Not done; answered with this status and error code, such as 503 `SlowDown` or 403 `AccessDenied`.
    Status {
        /// HTTP status.
        status: u16,
        /// The service's error code.
        code: String,
    },
    /// Done, later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Not done; the connection is closed.
    DropBefore,
    /// Not done; the connection is closed after so many bytes of the request's body were read.
    DropMidBody {
        /// Bytes of the body.
        bytes: u64,
    },
    /// Done; the connection is closed instead of an answer.
    LoseResponse,
    /// The connection is closed at once, and it is done later: only by fakes of AWS.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// Done; the connection is closed after so many bytes of the answer's body.
    TruncateBody {
        /// Bytes of the body.
        bytes: u64,
    },
    /// Done; the last byte of the answer's body has one bit changed.
    FlipLastByte,
    /// Done as if `If-Match` and `If-None-Match` had not been sent.
    IgnoreConditions,
    /// Not done if it has a condition, as by servers that know none and say so; answered with this status and error code then.
    RefuseConditions {
        /// HTTP status.
        status: u16,
        /// The service's error code.
        code: String,
    },
    /// A listing without what was written less than this ago.
    HideNewerThan {
        /// Milliseconds.
        ms: u64,
    },
    /// A listing in pages of so many entries, and what is wrong with them.
    Listing {
        /// Entries of a page.
        entries: usize,
        /// What is wrong.
        fault: ListingFault,
    },
    /// A listing of objects folder by folder instead of by key, as SeaweedFS has it: `a/x` before `a-b`. What it begins after is
    /// meant in that order too.
    FolderByFolder,
    /// A listing of uploads that says of each that it began at this moment, as moto does.
    UploadsBegan {
        /// Seconds since 1970.
        second: u64,
    },
    /// Another writer was first: this text is stored under the key, then the call is handled.
    RivalPut {
        /// The other writer's object.
        body: String,
    },
}

/// What is wrong with the pages of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ListingFault {
    /// Nothing.
    None,
    /// Nothing either: before each page with entries comes an empty one with a token, as from S3 where it passed many
    /// deleted objects.
    EmptyFirst,
    /// It ends after its first page and says that there is more.
    Cut,
    /// As [`ListingFault::Cut`], and does not even say that.
    Unsaid,
    /// Its first page is followed by itself, with the token of before.
    Same,
    /// Its first two pages follow each other in turn: tokens A, B, A, B.
    Round,
    /// Its first page is followed by itself, each time with another token.
    Restarts,
    /// It has nothing but empty pages, each with another token.
    Empty,
    /// It shows everything there is, whatever prefix was asked for.
    Unasked,
}

/// One action and the calls it is done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The operation, such as `PutObject`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The HTTP method; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the key, or the prefix of a listing, contains; empty: any. In fakes of other services than S3: what the region
    /// and the ids of the call contain.
    #[serde(default)]
    pub key: String,
    /// Such calls that pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// Such calls harmed after that.
    #[serde(default = "always")]
    pub times: u64,
    /// What is done.
    pub action: Action,
}

fn always() -> u64 {
    u64::MAX
}

impl Rule {
    /// `action` to every call.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { op: None, method: None, key: String::new(), skip: 0, times: always(), action }
    }

    /// Only to calls of the operation `op`.
    #[must_use]
    pub fn on(mut self, op: &str) -> Self {
        self.op = Some(op.to_owned());
        self
    }

    /// Only where key or prefix contain `text`.
    #[must_use]
    pub fn where_key_contains(mut self, text: &str) -> Self {
        text.clone_into(&mut self.key);
        self
    }

    /// Only after `calls` such calls.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Only to so many such calls.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    fn fits(&self, op: &str, method: &str, key: &str) -> bool {
        self.op.as_deref().is_none_or(|own| own == op)
            && self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method))
            && key.contains(&self.key)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Script(Mutex<Vec<(Rule, u64)>>);

impl Script {
    /// Adds rules behind those in force.
    pub fn add(&self, rules: impl IntoIterator<Item = Rule>) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.extend(rules.into_iter().map(|rule| (rule, 0)));
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is done to this call: of the rules that fit it the first that acts. Rules behind that one do not count the
    /// call, so that two rules that act once each harm two calls, one after the other.
    pub fn action(&self, op: &str, method: &str, key: &str) -> Option<Action> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (rule, seen) in rules.iter_mut().filter(|(rule, _)| rule.fits(op, method, key)) {
            *seen += 1;
            if *seen > rule.skip && *seen - rule.skip <= rule.times {
                return Some(rule.action.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_the_calls_that_fit_them() {
        let script = Script::default();
        script.add([Rule::new(Action::DropBefore).on("PutObject").where_key_contains("m.json").skip(1).times(1)]);
        let calls = [("PutObject", "a"), ("PutObject", "m.json"), ("GetObject", "m.json"), ("PutObject", "x/m.json")];
        let harmed = calls.map(|(op, key)| script.action(op, "PUT", key).is_some());
        assert_eq!(harmed, [false, false, false, true]);
        assert_eq!(script.action("PutObject", "PUT", "m.json"), None);
    }

    #[test]
    fn rules_are_read_from_json_and_typing_errors_are_refused() {
        let rule: Rule =
            serde_json::from_str(r#"{"op":"GetObject","times":2,"action":{"kind":"truncate_body","bytes":5}}"#)
                .unwrap();
        assert_eq!(rule, Rule::new(Action::TruncateBody { bytes: 5 }).on("GetObject").times(2));
        assert!(serde_json::from_str::<Rule>(r#"{"tymes":2,"action":{"kind":"drop_before"}}"#).is_err());
    }
}
