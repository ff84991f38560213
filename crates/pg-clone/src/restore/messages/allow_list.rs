//! The written allow-list: the only messages that do not stop a restore.
//!
//! A rule allows a message when both what the server said and the statement it said it of match. Whoever adds one says
//! why nothing of the user's is lost.

use std::sync::LazyLock;

use regex_lite::{Regex, RegexBuilder};
use serde::Serialize;

use super::expectations::Expectations;
use super::identifier::{identifier, qualified};
use super::parse::{Message, Severity};
use crate::stored::detail::ForeignKey;

/// Why a message is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The comment of an extension that belongs to somebody else.
    ExtensionComment,
    /// The schema `public`, which every database has.
    PublicSchemaExists,
    /// A schema that a post-create hook may have made.
    HooksSchemaExists,
    /// The comment of the schema `public` when that belongs to somebody else.
    PublicSchemaComment,
    /// The language or extension `plpgsql`, which every database has.
    PlpgsqlExists,
    /// Owner or privilege of a role that only a managed service has.
    ManagedRole,
    /// On a managed server: an owner or privileges that only another role may set.
    OthersOwner,
    /// On a managed server: an event trigger, which only a superuser may make.
    SuperusersEventTrigger,
    /// On a managed server: a language, which only a superuser may make.
    SuperusersLanguage,
    /// A foreign key to a table that was left out of the dump on request.
    ExcludedForeignKey,
    /// A foreign key that rows need which were left out of the dump on request.
    BrokenForeignKey,
    /// Tables whose foreign keys form a circle.
    CircularForeignKeys,
    /// A parameter that `pg_restore` sets and the server is too old for.
    UnknownSetting,
    /// A warning of the server's.
    ServersWarning,
}

impl Reason {
    /// Whether it is harmless only where somebody said that the server is a managed one.
    fn is_of_managed_server(self) -> bool {
        matches!(self, Self::OthersOwner | Self::SuperusersEventTrigger | Self::SuperusersLanguage)
    }

    /// Why nothing is lost, as the rule says.
    #[must_use]
    pub fn why(self) -> &'static str {
        ALLOW_LIST.iter().find(|rule| rule.reason == self).map_or("", |rule| rule.why)
    }
}

/// A rule of the allow-list.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// Its name.
    pub reason: Reason,
    /// What the server, or the program, says: a regular expression for the whole of its first line.
    pub says: &'static str,
    /// Of which statement: a regular expression for its beginning; empty if the message has no statement.
    pub of: &'static str,
    /// Why nothing is lost.
    pub why: &'static str,
}

/// The rules. `{role}` stands for one of [`MANAGED_ROLES`]; [`Reason::ManagedRole`] must hold for every statement of an
/// entry, since the server undoes them together, and so must [`Reason::OthersOwner`]. [`Reason::ExcludedForeignKey`] holds only for the foreign keys that the
/// dump's manifest lists, [`Reason::BrokenForeignKey`] only in the run that makes nothing but doubtful ones.
pub const ALLOW_LIST: &[Rule] = &[
    Rule {
        reason: Reason::ExtensionComment,
        says: "must be owner of extension .+",
        of: "COMMENT ON EXTENSION .+ IS ",
        why: "the extension is installed; its comment is the one it comes with",
    },
    Rule {
        reason: Reason::PublicSchemaExists,
        says: "schema \"public\" already exists",
        of: "CREATE SCHEMA public;$",
        why: "every new database has it; its owner and privileges are set by statements of their own",
    },
    Rule {
        reason: Reason::HooksSchemaExists,
        says: "schema \".+\" already exists",
        of: "CREATE SCHEMA [^;]+;$",
        why: "a post-create hook made it, as for an extension; its owner and privileges are set by statements of their own",
    },
    Rule {
        reason: Reason::PublicSchemaComment,
        says: "must be owner of schema public",
        of: "COMMENT ON SCHEMA public IS ",
        why: "a comment on a schema that belongs to the service",
    },
    Rule {
        reason: Reason::PlpgsqlExists,
        says: "(language|extension) \"plpgsql\" already exists",
        of: "CREATE (OR REPLACE )?(PROCEDURAL )?(LANGUAGE|EXTENSION) plpgsql",
        why: "every new database has it",
    },
    Rule {
        reason: Reason::ManagedRole,
        says: "role \"{role}\" does not exist|must be member of role \"{role}\"|must be able to SET ROLE \"{role}\"|\
               permission denied to change default privileges",
        of: "(ALTER [^;]+ OWNER TO {role}|GRANT [^;]+ TO {role}( WITH GRANT OPTION)?|REVOKE [^;]+ FROM {role}|\
             ALTER DEFAULT PRIVILEGES FOR ROLE {role} [^;]+|ALTER DEFAULT PRIVILEGES FOR ROLE [^;]+ (TO|FROM) {role}|\
             SET SESSION AUTHORIZATION {role}|RESET SESSION AUTHORIZATION)$",
        why: "the role belongs to the managed service that the dump comes from; the restoring role now owns its objects",
    },
    Rule {
        reason: Reason::OthersOwner,
        says: "must be member of role \".+\"|must be able to SET ROLE \".+\"|permission denied for schema .+|\
               permission denied to change default privileges|permission denied to set session authorization.*",
        of: "(ALTER [^;]+ OWNER TO [^;]+|ALTER DEFAULT PRIVILEGES FOR ROLE [^;]+|\
             SET SESSION AUTHORIZATION [^;]+|RESET SESSION AUTHORIZATION|(GRANT|REVOKE) [^;]+)$",
        why: "the server is managed: the restoring role owns it, or it keeps the privileges that this role can set",
    },
    Rule {
        reason: Reason::SuperusersEventTrigger,
        says: "permission denied to create event trigger \".+\"|must be owner of event trigger .+|\
               permission denied to change owner of event trigger \".+\"|event trigger \".+\" does not exist",
        of: "(CREATE|ALTER|COMMENT ON) EVENT TRIGGER ",
        why: "the server is managed: only its superuser can create event triggers",
    },
    Rule {
        reason: Reason::SuperusersLanguage,
        says: "must be superuser to create custom procedural language|permission denied to create language \".+\"|\
               must be owner of language .+|language \".+\" does not exist",
        of: "(CREATE (OR REPLACE )?(TRUSTED )?(PROCEDURAL )?LANGUAGE|ALTER (PROCEDURAL )?LANGUAGE|\
             COMMENT ON (PROCEDURAL )?LANGUAGE|(GRANT|REVOKE) [^;]+ ON LANGUAGE) ",
        why: "the server is managed: only its superuser can create languages",
    },
    Rule {
        reason: Reason::ExcludedForeignKey,
        says: "relation \".+\" does not exist|constraint \".+\" for table \".+\" does not exist",
        of: "(ALTER TABLE|COMMENT ON CONSTRAINT) ",
        why: "the table it refers to was left out on request; the manifest lists the foreign key",
    },
    Rule {
        reason: Reason::BrokenForeignKey,
        says: "insert or update on table \".+\" violates foreign key constraint \".+\"|\
               constraint \".+\" for table \".+\" does not exist",
        of: "(ALTER TABLE|COMMENT ON CONSTRAINT) ",
        why: "the rows it needs were left out of the dump on request; it is told",
    },
    Rule {
        reason: Reason::CircularForeignKeys,
        says: "there are circular foreign-key constraints (on this table|among these tables):",
        of: "",
        why: "foreign keys are created after all rows are loaded",
    },
    Rule {
        reason: Reason::UnknownSetting,
        says: "unrecognized configuration parameter \"transaction_timeout\"",
        of: "SET transaction_timeout = 0;?$",
        why: "a limit that would be off anyway, and that servers before 17 do not have",
    },
    Rule {
        reason: Reason::ServersWarning,
        says: "WARNING:  .+",
        of: "",
        why: "the server did what it was told, and warned; versions 15 and newer of `pg_restore` keep it to themselves",
    },
];

/// Roles of managed services: Amazon RDS and Aurora, Google Cloud SQL, Azure Database for PostgreSQL.
pub const MANAGED_ROLES: &[&str] = &[
    "rdsadmin",
    "rds_superuser",
    "rds_replication",
    "rds_password",
    "rds_iam",
    "rds_ad",
    "rdsrepladmin",
    "rdstopmgr",
    "cloudsqladmin",
    "cloudsqlsuperuser",
    "azuresu",
    "azure_superuser",
    "azure_pg_admin",
];

struct Compiled {
    rule: &'static Rule,
    says: Regex,
    of: Option<Regex>,
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| ALLOW_LIST.iter().filter_map(compile).collect());

fn compile(rule: &'static Rule) -> Option<Compiled> {
    let roles = format!("({})", MANAGED_ROLES.join("|"));
    let build =
        |text: String| RegexBuilder::new(&text.replace("{role}", &roles)).dot_matches_new_line(true).build().ok();
    let says = build(format!("^(?:{})$", rule.says))?;
    let of = if rule.of.is_empty() { None } else { Some(build(format!("^(?:{})", rule.of))?) };
    Some(Compiled { rule, says, of })
}

/// The rule that allows `message`.
pub(super) fn reason(message: &Message, expectations: &Expectations) -> Option<Reason> {
    let allows = |compiled: &&Compiled| match (&compiled.of, &message.command) {
        (None, None) => {
            let first_line = message.text.lines().next().unwrap_or_default();
            message.severity == Severity::Warning && compiled.says.is_match(first_line)
        }
        (Some(of), Some(command)) => {
            message.server_error().is_some_and(|error| compiled.says.is_match(error))
                && (expectations.managed || !compiled.rule.reason.is_of_managed_server())
                && match compiled.rule.reason {
                    Reason::HooksSchemaExists => expectations.hooks_ran && of.is_match(command),
                    Reason::UnknownSetting => expectations.unknown_setting && of.is_match(command),
                    Reason::ManagedRole | Reason::OthersOwner => {
                        !message.is_cut && statements(command).all(|statement| of.is_match(statement))
                    }
                    Reason::ExcludedForeignKey => of.is_match(command) && is_expected(command, expectations),
                    Reason::BrokenForeignKey => {
                        expectations.doubtful_foreign_keys && of.is_match(command) && foreign_key(command).is_some()
                    }
                    _ => of.is_match(command),
                }
        }
        _ => false,
    };
    COMPILED.iter().find(allows).map(|compiled| compiled.rule.reason)
}

/// The statements of an archive entry. One with a `;` at the end of a line inside is cut in two that match no rule.
fn statements(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(";\n")
        .map(|statement| statement.trim().trim_end_matches(';'))
        .filter(|statement| !statement.is_empty())
}

fn is_expected(command: &str, expectations: &Expectations) -> bool {
    foreign_key(command).is_some_and(|found| expectations.excluded_foreign_keys.contains(&found))
}

/// The foreign key that `command` makes or comments on.
fn foreign_key(command: &str) -> Option<ForeignKey> {
    if let Some(rest) = command.strip_prefix("ALTER TABLE ") {
        let ((schema, table), rest) = qualified(rest.strip_prefix("ONLY ").unwrap_or(rest))?;
        let (name, rest) = identifier(rest.trim_start().strip_prefix("ADD CONSTRAINT ")?)?;
        return rest.starts_with(" FOREIGN KEY ").then_some(ForeignKey { schema, table, name });
    }
    let (name, rest) = identifier(command.strip_prefix("COMMENT ON CONSTRAINT ")?)?;
    let ((schema, table), rest) = qualified(rest.strip_prefix(" ON ")?)?;
    rest.starts_with(" IS ").then_some(ForeignKey { schema, table, name })
}

/// The foreign key that `command` makes.
pub(super) fn key_made_by(command: &str) -> Option<ForeignKey> {
    foreign_key(command).filter(|_| command.starts_with("ALTER TABLE "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_and_names_its_own_reason() {
        assert_eq!(COMPILED.len(), ALLOW_LIST.len());
        let reasons: std::collections::BTreeSet<_> = ALLOW_LIST.iter().map(|rule| rule.reason).collect();
        assert_eq!(reasons.len(), ALLOW_LIST.len());
        assert!(ALLOW_LIST.iter().all(|rule| !rule.why.is_empty()));
    }

    #[test]
    fn foreign_keys_are_read_from_statements() {
        let key = |schema: &str, table: &str, name: &str| {
            Some(ForeignKey { schema: schema.into(), table: table.into(), name: name.into() })
        };
        let statement = "ALTER TABLE ONLY \"Odd\"\"s\".\"Ch.ild\"\n    ADD CONSTRAINT \"F k\" FOREIGN KEY (pid) REFERENCES public.parent(id);";
        assert_eq!(foreign_key(statement), key("Odd\"s", "Ch.ild", "F k"));
        let partitioned = "ALTER TABLE public.parts\n    ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public.x(id);";
        assert_eq!(foreign_key(partitioned), key("public", "parts", "fk"));
        assert_eq!(foreign_key("COMMENT ON CONSTRAINT fk ON public.t IS 'x';"), key("public", "t", "fk"));
        assert_eq!(foreign_key("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT pk PRIMARY KEY (id);"), None);
        assert_eq!(foreign_key("ALTER TABLE public.t OWNER TO x;"), None);
    }
}
