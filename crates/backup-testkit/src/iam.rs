//! Policies of IAM, as far as fakes need them: which actions they allow.
//!
//! Resources and conditions are read and not evaluated: a fake tells whether an action is allowed at all.

use serde::Deserialize;

/// The only version of the language there is (IAM User Guide, "IAM JSON policy elements: Version").
const VERSION: &str = "2012-10-17";

/// A policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Document")]
pub struct Policy(Vec<Statement>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(default)]
    sid: String,
    effect: Effect,
    action: Texts,
    resource: Texts,
    #[serde(default)]
    condition: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

impl TryFrom<Document> for Policy {
    type Error = String;

    fn try_from(document: Document) -> Result<Self, String> {
        if document.version == VERSION { Ok(Self(document.statement)) } else { Err(format!("not version {VERSION}")) }
    }
}

impl Policy {
    /// What several policies of one role allow together.
    #[must_use]
    pub fn together(policies: impl IntoIterator<Item = Self>) -> Self {
        Self(policies.into_iter().flat_map(|policy| policy.0).collect())
    }

    /// Whether `action`, such as `ec2:CreateSnapshots`, is allowed: by some statement, and denied by none (IAM User Guide,
    /// "Policy evaluation logic").
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        let any = |effect: Effect| {
            let own = self.0.iter().filter(|statement| statement.effect == effect);
            own.flat_map(|statement| statement.action.iter()).any(|pattern| matches(pattern, action))
        };
        any(Effect::Allow) && !any(Effect::Deny)
    }

    /// Every action that is named in it, in order.
    #[must_use]
    pub fn actions(&self) -> Vec<String> {
        let mut actions: Vec<String> =
            self.0.iter().flat_map(|statement| statement.action.iter()).map(str::to_owned).collect();
        actions.sort();
        actions.dedup();
        actions
    }
}

/// Actions are compared without case; `*` stands for any text (IAM User Guide, "IAM JSON policy elements: Action").
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    match pattern.split_once('*') {
        None => pattern == action,
        Some((begin, rest)) => action.strip_prefix(begin).is_some_and(|left| {
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| matches(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IAM User Guide, "Policy evaluation logic".
    #[test]
    fn an_action_is_allowed_by_one_and_denied_by_none() {
        let policy: Policy = serde_json::from_str(
            r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:CreateSnapshots"], "Resource": "*"},
                {"Effect": "Deny", "Action": "ec2:DescribeVolumes", "Resource": ["*"]}]}"#,
        )
        .unwrap();
        for (action, allowed) in [
            ("ec2:DescribeSnapshots", true),
            ("ec2:describesnapshots", true),
            ("ec2:DescribeVolumes", false),
            ("ec2:CreateSnapshots", true),
            ("ec2:CreateSnapshot", false),
            ("ebs:ListSnapshotBlocks", false),
        ] {
            assert_eq!(policy.allows(action), allowed, "{action}");
        }
        assert!(serde_json::from_str::<Policy>(r#"{"Version": "2008-10-17", "Statement": []}"#).is_err());
    }
}
