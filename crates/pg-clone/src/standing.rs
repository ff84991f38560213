//! What the role is allowed to do on a server, and the state of the databases involved: checked before anything is created,
//! by a plan and by the run alike, so that both end the same way. Pure decisions; [`crate::adapters::sql::standing`] does the
//! I/O.

use crate::error::{Obstacle, PgResult, Problem};
use crate::ident::quote_ident;
use crate::stored::database_settings::DatabaseSettings;
use backup_core::failure::{Operation, Setting};
use backup_core::remedy;
use backup_core::units::counted;

/// Databases that every server has for its own upkeep, and that programs connect to first.
const MAINTENANCE: [&str; 3] = ["postgres", "template0", "template1"];

/// What the server says of us and of some databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The role we are.
    pub(crate) role: String,
    pub(crate) is_superuser: bool,
    /// CREATEDB, which renaming takes as well.
    pub(crate) may_create: bool,
    /// In recovery, where nothing can be changed.
    pub(crate) is_standby: bool,
    pub(crate) databases: Vec<Known>,
}

/// A database that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) owner: String,
    /// Whether we have its owner's rights.
    pub(crate) is_ours: bool,
    pub(crate) is_template: bool,
    /// Whether a `DROP DATABASE` of it was interrupted.
    pub(crate) is_invalid: bool,
    pub(crate) replication: Replication,
    /// Prepared transactions, which keep it from being renamed.
    pub(crate) prepared: u64,
}

/// Logical replication that is bound to a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replication {
    pub(crate) slots: u64,
    pub(crate) subscriptions: u64,
}

/// What is to be done with databases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undertaking<'a> {
    /// The database that is made, renamed or filled; not there yet where it is new.
    pub(crate) target: &'a str,
    /// Whether the target is replaced or made, and not only filled.
    pub(crate) replaces: bool,
    /// A database of the server that is copied or renamed.
    pub(crate) source: Option<&'a str>,
    /// Whether replication that is bound to the target may break.
    pub(crate) force: bool,
}

impl Standing {
    fn known(&self, name: &str) -> Option<&Known> {
        self.databases.iter().find(|known| known.name == name)
    }

    /// What stands against an undertaking.
    pub(crate) fn problems(&self, server: &str, what: Undertaking<'_>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = maintenance(what.target).into_iter().collect();
        if self.is_standby {
            problems.push(Problem::new(Obstacle::Standby, format!("{server} is a standby"), "restore on its primary"));
        }
        if !what.replaces {
            return problems;
        }
        if !self.may_create && !self.is_superuser {
            problems.push(Problem {
                obstacle: Obstacle::MissingPrivilege,
                what: format!("the role `{}` cannot create databases", self.role),
                help: format!("run `ALTER ROLE {} CREATEDB`, or connect as another role", quote_ident(&self.role))
                    .into(),
            });
        }
        let involved = || [Some(what.target), what.source].into_iter().flatten().filter_map(|name| self.known(name));
        problems.extend(involved().filter(|known| known.is_invalid).map(|known| invalid(&known.name)));
        for known in involved().filter(|known| !known.is_ours) {
            problems.push(Problem {
                obstacle: Obstacle::MissingPrivilege,
                what: format!(
                    "`{}` is owned by `{}`, and the role `{}` is not a member of it",
                    known.name, known.owner, self.role
                ),
                help: format!(
                    "run `GRANT {} TO {}`, or connect as its owner",
                    quote_ident(&known.owner),
                    quote_ident(&self.role)
                )
                .into(),
            });
        }
        let Some(target) = self.known(what.target) else { return problems };
        if target.is_template && maintenance(what.target).is_none() {
            problems.push(Problem::new(
                Obstacle::SystemDatabase,
                format!("`{}` is a template database", target.name),
                remedy!["choose another database with ", Setting::Into],
            ));
        }
        if target.prepared > 0 {
            problems.push(Problem {
                obstacle: Obstacle::PreparedTransactions,
                what: prepared(&target.name, target.prepared),
                help: END_PREPARED.into(),
            });
        }
        if target.replication != Replication::default() && !what.force {
            let Replication { slots, subscriptions } = target.replication;
            problems.push(Problem {
                obstacle: Obstacle::Replication,
                what: bound(&target.name, slots, subscriptions),
                help: remedy!["drop the slots and subscriptions, or use ", Setting::Force],
            });
        }
        problems
    }

    /// What an undertaking breaks because somebody said so, a line each.
    pub(crate) fn breaks(&self, what: Undertaking<'_>) -> Vec<String> {
        let target = self.known(what.target).filter(|_| what.force && what.replaces);
        let replication = target.map(|target| target.replication).filter(|bound| *bound != Replication::default());
        let said = replication.map(|Replication { slots, subscriptions }| {
            format!("{}, and ends with the replaced database", bound(what.target, slots, subscriptions))
        });
        said.into_iter().collect()
    }

    /// Why a database cannot be dropped, nothing if it can.
    pub(crate) fn refuse_drop(&self, server: &str, name: &str) -> PgResult<()> {
        let by_hand =
            |what: String| Err(Problem::new(Obstacle::SystemDatabase, what, "drop it by hand if you must").refusal());
        if let Some(problem) = maintenance(name) {
            return by_hand(problem.what);
        }
        if self.known(name).is_some_and(|known| known.is_template) {
            return by_hand(format!("`{name}` is a template database"));
        }
        self.refuse_change(server, name)
    }

    /// Why a database cannot be renamed, opened or dropped, nothing if it can.
    pub(crate) fn refuse_change(&self, server: &str, name: &str) -> PgResult<()> {
        let problem = match self.known(name) {
            _ if self.is_standby => {
                Problem::new(Obstacle::Standby, format!("{server} is a standby"), "go to its primary")
            }
            Some(known) if !known.is_ours => Problem::new(
                Obstacle::MissingPrivilege,
                format!("`{name}` is owned by `{}`, and the role `{}` is not a member of it", known.owner, self.role),
                "connect as its owner",
            ),
            _ => return Ok(()),
        };
        Err(problem.refusal())
    }
}

/// That a database is half dropped. It was live, or is taken for it: dropping it has to be confirmed.
pub(crate) fn invalid(name: &str) -> Problem {
    Problem::new(
        Obstacle::InvalidDatabase,
        format!("`{name}` is invalid, since a DROP DATABASE of it was interrupted: it can only be dropped"),
        remedy!["drop it: ", Operation::DropDatabase.on(name.to_owned()).with(Setting::Confirm.with(name.to_owned()))],
    )
}

/// How to end prepared transactions.
pub(crate) const END_PREPARED: &str =
    "end them with COMMIT PREPARED or ROLLBACK PREPARED; `SELECT gid, database FROM pg_prepared_xacts` lists them";

/// That prepared transactions are in the way.
pub(crate) fn prepared(target: &str, count: u64) -> String {
    let transactions = counted(count, "prepared transaction", "prepared transactions");
    format!("`{target}` has {transactions}, which would keep it from being renamed")
}

/// That logical replication is bound to a database.
pub(crate) fn bound(target: &str, slots: u64, subscriptions: u64) -> String {
    let parts = [(slots, "slot", "slots"), (subscriptions, "subscription", "subscriptions")];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(count, one, many));
    format!("logical replication is bound to `{target}` ({})", parts.collect::<Vec<_>>().join(", "))
}

/// Restores and copies leave these alone, always: everybody's programs, ours among them, connect to them.
fn maintenance(name: &str) -> Option<Problem> {
    MAINTENANCE.contains(&name).then(|| Problem {
        obstacle: Obstacle::SystemDatabase,
        what: format!("`{name}` is a maintenance database, which programs connect to first"),
        help: remedy!["choose another database with ", Setting::Into],
    })
}

/// What a server has of encodings and locales.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locales {
    /// Whether it knows the encoding.
    pub(crate) encoding: bool,
    /// Locales of its system that are missing.
    pub(crate) missing: Vec<String>,
    /// Whether databases can go by ICU: it was built with it, and is of PostgreSQL 15 or newer.
    pub(crate) icu: bool,
    /// Whether it has locales of its own: PostgreSQL 17 or newer.
    pub(crate) builtin: bool,
}

/// Why no database with these settings can be created.
pub(crate) fn locale_problem(settings: &DatabaseSettings, there: &Locales) -> Option<Problem> {
    let what = if !there.encoding {
        format!("the server does not know the encoding {}", settings.encoding)
    } else if settings.locale_provider.as_deref() == Some("i") && !there.icu {
        "its locale needs ICU, but the server was built without it, or is of PostgreSQL 14 or older".to_owned()
    } else if settings.locale_provider.as_deref() == Some("b") && !there.builtin {
        "its locale is one of the server's own, which PostgreSQL has since version 17".to_owned()
    } else if !there.missing.is_empty() {
        let names: Vec<String> = there.missing.iter().map(|name| format!("`{name}`")).collect();
        format!("the server's operating system has no locale {}", names.join(", "))
    } else {
        return None;
    };
    let help = remedy![
        "install it there, restore on a server that has it, or choose another for the restored database with ",
        Setting::Locale,
        " and ",
        Setting::LocaleProvider,
        ": text is then sorted by that one"
    ];
    Some(Problem::new(Obstacle::MissingOnServer, what, help))
}

#[cfg(test)]
mod tests {
    use backup_core::Failure;

    use super::*;

    fn standing() -> Standing {
        let known = |name: &str, is_ours| Known { name: name.into(), owner: "app".into(), is_ours, ..Known::default() };
        Standing {
            role: "keeper".into(),
            may_create: true,
            databases: vec![known("shop", true), known("theirs", false)],
            ..Standing::default()
        }
    }

    const UNDERTAKING: Undertaking<'static> =
        Undertaking { target: "shop", replaces: true, source: None, force: false };

    fn said(standing: &Standing, what: Undertaking<'_>) -> Vec<String> {
        standing.problems("h:1", what).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn nothing_stands_against_what_the_role_may_do() {
        assert_eq!(said(&standing(), UNDERTAKING), [""; 0]);
        assert_eq!(said(&standing(), Undertaking { target: "new", ..UNDERTAKING }), [""; 0]);
        let superuser = Standing { is_superuser: true, may_create: false, ..standing() };
        assert_eq!(said(&superuser, UNDERTAKING), [""; 0]);
    }

    #[test]
    fn each_obstacle_is_named_with_its_remedy() {
        let one = |standing: &Standing, what: Undertaking<'_>, expected: &str| {
            let said = said(standing, what);
            assert!(matches!(said.as_slice(), [only] if only.contains(expected)), "{said:?}, not {expected}");
        };
        for name in MAINTENANCE {
            one(&standing(), Undertaking { target: name, ..UNDERTAKING }, "maintenance database");
            one(&standing(), Undertaking { target: name, replaces: false, ..UNDERTAKING }, "maintenance database");
        }
        one(&Standing { is_standby: true, ..standing() }, UNDERTAKING, "standby");
        one(&Standing { may_create: false, ..standing() }, UNDERTAKING, "`keeper` cannot create databases");
        one(&standing(), Undertaking { target: "theirs", ..UNDERTAKING }, "is owned by `app`");
        one(&standing(), Undertaking { source: Some("theirs"), ..UNDERTAKING }, "`theirs` is owned by");
        let mut bound = standing();
        bound.databases[0].replication = Replication { slots: 1, subscriptions: 0 };
        one(&bound, UNDERTAKING, "bound to `shop` (1 slot)");
        assert_eq!(said(&bound, Undertaking { force: true, ..UNDERTAKING }), [""; 0]);
        let told = bound.breaks(Undertaking { force: true, ..UNDERTAKING });
        assert_eq!(told, ["logical replication is bound to `shop` (1 slot), and ends with the replaced database"]);
        assert_eq!(bound.breaks(UNDERTAKING), [""; 0]);
        let mut half_dropped = standing();
        half_dropped.databases[0].is_invalid = true;
        one(&half_dropped, UNDERTAKING, "`shop` is invalid");
        let mut doubtful = standing();
        doubtful.databases[0].prepared = 2;
        one(&doubtful, Undertaking { force: true, ..UNDERTAKING }, "2 prepared transactions");
        let mut template = standing();
        template.databases[0].is_template = true;
        one(&template, UNDERTAKING, "is a template database");
        // Rows alone take no right on databases.
        let weak = Standing { may_create: false, ..standing() };
        assert_eq!(said(&weak, Undertaking { target: "theirs", replaces: false, ..UNDERTAKING }), [""; 0]);
    }

    #[test]
    fn what_a_remedy_names_can_be_run() {
        let odd = Standing { role: "o\"dd".into(), may_create: false, ..standing() };
        let problems = odd.problems("h:1", Undertaking { target: "theirs", ..UNDERTAKING });
        let help: Vec<String> = problems.iter().map(|problem| problem.help.to_string()).collect();
        assert!(help[0].contains(r#"ALTER ROLE "o""dd" CREATEDB"#), "{help:?}");
        assert!(help[1].contains(r#"GRANT "app" TO "o""dd""#), "{help:?}");
    }

    #[test]
    fn only_what_may_be_dropped_is_dropped() {
        standing().refuse_drop("h:1", "shop").unwrap();
        standing().refuse_drop("h:1", "unknown").unwrap();
        for name in ["postgres", "template1", "theirs"] {
            assert!(standing().refuse_drop("h:1", name).is_err(), "{name}");
        }
        let standby = Standing { is_standby: true, ..standing() };
        assert_eq!(standby.refuse_drop("h:1", "shop").unwrap_err().code(), "pg::standby");
    }

    #[test]
    fn a_locale_that_is_not_there_is_known_before() {
        let settings = |provider: Option<&str>| DatabaseSettings {
            owner: "o".into(),
            grants: None,
            connection_limit: -1,
            parameters: Vec::new(),
            comment: None,
            encoding: "UTF8".into(),
            collate: "xx_XX".into(),
            ctype: "C".into(),
            locale_provider: provider.map(ToOwned::to_owned),
            icu_locale: None,
            icu_rules: None,
            tablespace: "pg_default".into(),
            allow_connections: true,
        };
        let there = Locales { encoding: true, missing: Vec::new(), icu: false, builtin: false };
        assert!(locale_problem(&settings(None), &there).is_none());
        assert!(locale_problem(&settings(Some("i")), &there).unwrap().what.contains("ICU"));
        assert!(locale_problem(&settings(Some("b")), &there).unwrap().what.contains("version 17"));
        let without = Locales { missing: vec!["xx_XX".into()], ..there.clone() };
        assert!(locale_problem(&settings(None), &without).unwrap().what.contains("`xx_XX`"));
        assert!(locale_problem(&settings(None), &Locales { encoding: false, ..there }).unwrap().what.contains("UTF8"));
    }
}
