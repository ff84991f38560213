//! Finds the dump, inspects the target, and plans the restore; changes nothing.

use backup_core::key::Key;
use backup_core::source::Identity;
use backup_core::store::SharedStore;
use backup_core::units;
use jiff::Timestamp;
use serde::Serialize;

use crate::adapters;
use crate::adapters::connection::{Server, Session};
use crate::config::RestoreOptions;
use crate::error::{PgError, PgResult};
use crate::hook::{PlannedHook, RESTORE_POINTS};
use crate::live::local::{self, CopyChange, NAME_BYTES_MAX};
use crate::live::recover;
use crate::restore::data_only::{self, DataPlan};
use crate::restore::extensions;
use crate::restore::messages::MANAGED_ROLES;
use crate::restore::select;
use crate::restore::selection::Chosen;
use crate::run::Run;
use crate::standing::{Undertaking, locale_problem};
use crate::stored::detail::DumpDetail;
use crate::stored::list::{self, Found, Wanted};

/// What a restore would do: what `--dry-run` prints.
#[derive(Clone, Debug, Serialize)]
pub struct RestorePlan {
    /// The dump's key.
    pub key: String,
    /// When the source was as the dump has it.
    pub created_at: Timestamp,
    /// The cluster the dump is of; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Identity>,
    /// Whether that is the cluster to restore on; absent where the dump does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_cluster: Option<bool>,
    /// Whether nothing was left out of the dump.
    pub complete: bool,
    /// What was left out of it, a line each, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Newer dumps that were passed over, since something is left out of them or they are damaged; the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
    /// The server to restore on, without secrets.
    pub server: String,
    /// Its major version.
    pub server_major: u32,
    /// The database to restore into.
    pub target: String,
    /// The live database of that name, if there is one.
    pub replaces: Option<Replaced>,
    /// Tables in the dump; unknown (0) for a single-file dump of django-pgclone.
    pub tables: u64,
    /// Rows in the dump; unknown (0) likewise.
    pub rows: u64,
    /// Stored bytes to read.
    pub stored_bytes: u64,
    /// Bytes of rows and schema.
    pub content_bytes: u64,
    /// What runs on the copy and after the switch, in order.
    pub hooks: Vec<PlannedHook>,
    /// Copies of the target that appear, change or vanish.
    pub copies: Vec<CopyChange>,
    /// The part of the dump that is restored, if not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Chosen>,
    /// What is done to the live database, if only rows are put into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_only: Option<DataPlan>,
    /// What stands against it: empty when the restore can go on.
    pub problems: Vec<Problem>,
    /// How many of the problems, from the first, are about the target and not about the dump.
    #[serde(skip)]
    of_target: usize,
    #[serde(skip)]
    source: Source,
}

/// A live database that would be replaced.
#[derive(Clone, Debug, Serialize)]
pub struct Replaced {
    /// Its size on the server.
    pub bytes: u64,
    /// Sessions that would be disconnected.
    pub sessions: u64,
}

/// Something that stands against a restore.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// What.
    pub what: String,
    /// What to do.
    pub help: String,
}

#[derive(Clone, Debug)]
enum Source {
    Ours(Box<backup_core::manifest::Manifest<DumpDetail>>),
    Legacy(Key),
}

impl RestorePlan {
    pub(crate) fn manifest(&self) -> Option<&backup_core::manifest::Manifest<DumpDetail>> {
        match &self.source {
            Source::Ours(manifest) => Some(manifest),
            Source::Legacy(_) => None,
        }
    }

    pub(crate) fn legacy_object(&self) -> PgResult<&Key> {
        match &self.source {
            Source::Legacy(key) => Ok(key),
            Source::Ours(_) => Err(PgError::Refused {
                what: format!("`{}` is not a single-file dump", self.key),
                help: "this is unexpected: please report it".to_owned(),
            }),
        }
    }

    pub(crate) fn refuse_problems(&self) -> PgResult<()> {
        match self.problems.first() {
            None => Ok(()),
            Some(problem) => Err(self.refusal(problem)),
        }
    }

    /// [`RestorePlan::refuse_problems`], for a copy that takes nobody's name.
    pub(crate) fn refuse_problems_of_the_dump(&self) -> PgResult<()> {
        self.problems.get(self.of_target).map_or(Ok(()), |problem| Err(self.refusal(problem)))
    }

    /// The error that `problem` is.
    pub(crate) fn refusal(&self, problem: &Problem) -> PgError {
        PgError::Refused {
            what: format!("`{}` cannot be restored: {}", self.key, problem.what),
            help: format!("{}; nothing was changed", problem.help),
        }
    }

    /// Whether only rows are put into a live database.
    pub(crate) fn is_data_only(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.data_only)
    }

    /// Whether a live database is changed, so that its name must be typed.
    #[must_use]
    pub fn changes_a_database(&self) -> bool {
        self.replaces.is_some() || self.data_only.is_some()
    }

    /// Nobody's live database is replaced, or given rows, unless its name was typed.
    pub(crate) fn refuse_unconfirmed(&self, options: &RestoreOptions) -> PgResult<()> {
        let Some(plan) = &self.data_only else {
            return refuse_unconfirmed(&self.target, &self.server, self.replaces.as_ref(), options);
        };
        if options.confirm.as_deref() == Some(&self.target) {
            return Ok(());
        }
        let emptied = plan.tables.iter().filter(|table| table.truncated).count();
        let emptied = match emptied {
            0 => String::new(),
            tables => format!(", and deletes the existing rows of {tables} of them"),
        };
        Err(PgError::Confirm {
            what: format!(
                "this loads {} into {} of the live database `{}` on {}{emptied}",
                units::counted(self.rows, "row", "rows"),
                units::counted(self.tables, "table", "tables"),
                self.target,
                self.server
            ),
            help: format!("nothing was changed. Confirm with --confirm-database {}", self.target),
        })
    }
}

/// Nobody's live database is replaced unless its name was typed.
pub(crate) fn refuse_unconfirmed(
    target: &str,
    server: &str,
    replaces: Option<&Replaced>,
    options: &RestoreOptions,
) -> PgResult<()> {
    let Some(replaced) = replaces else { return Ok(()) };
    if options.confirm.as_deref() == Some(target) {
        return Ok(());
    }
    let wrong = options.confirm.as_ref().map_or(String::new(), |given| format!(", and `{given}` was confirmed"));
    let part = match options.selection.is_partial() {
        true => " with a part of the dump, and everything else in it will be gone",
        false => "",
    };
    Err(PgError::Confirm {
        what: format!(
            "this replaces the live database `{target}` on {server} ({}, {}){part}{wrong}",
            units::bytes(replaced.bytes),
            units::counted(replaced.sessions, "session", "sessions")
        ),
        help: format!(
            "nothing was changed. Confirm with --confirm-database {target}, or restore into another database with \
             --into NAME"
        ),
    })
}

/// Finds out what restoring `options.wanted` would do.
///
/// # Errors
/// [`PgError::NoDump`], store, format and connection errors.
pub async fn prepare(
    server: &Server,
    store: &SharedStore,
    options: &RestoreOptions,
    run: &Run,
) -> PgResult<RestorePlan> {
    options.check()?;
    run.or_cancelled(Box::pin(look(server, store, options, run))).await
}

async fn look(server: &Server, store: &SharedStore, options: &RestoreOptions, run: &Run) -> PgResult<RestorePlan> {
    let mut admin = server.connect_admin().await?;
    let here = server.identity_by(&admin).await?;
    let wanted = Wanted {
        text: &options.wanted,
        cluster: options.cluster.as_deref(),
        here: Some(&here),
        config: options.config.as_deref(),
        config_may_be_missing: options.config_for_restores,
    };
    let found = list::find(&**store, wanted).await?;
    let target = options.into.clone().unwrap_or_else(|| found.database().to_owned());
    server.refuse_if_guarded(&target)?;
    if target == "postgres" {
        // The session that is open may be in the very database that is to be renamed.
        admin = server.connect_admin_for(&target).await?;
    }
    let server_major = major(&admin).await?;
    let standing = adapters::standing::read(&admin, &[&target]).await?;
    let replaces = replaced(&admin, &target).await?;
    let databases = recover::look(&admin).await?;
    let seen = Seen { admin, server_major, target, replaces };
    let mut plan = match found {
        Found::Ours { key, manifest, passed_over } => {
            let same = manifest.identity.as_ref().map(|of| of.id == here.id);
            let plan = ours(server, store, options, run, seen, key, manifest).await?;
            RestorePlan { passed_over, same_cluster: same, ..plan }
        }
        Found::Legacy { key, object, created_at, bytes, .. } => {
            legacy(server, options, seen, key, object, (created_at, bytes))
        }
    };
    if !plan.is_data_only() {
        plan.copies = local::changes(&databases, &plan.target, options.reversible);
        plan.problems.extend(local::collisions(&databases, &plan.target, &plan.copies));
    }
    let undertaking =
        Undertaking { target: &plan.target, replaces: !plan.is_data_only(), source: None, force: options.force };
    let first = name_problem(&plan.target).into_iter().chain(standing.problems(&plan.server, undertaking));
    let first: Vec<Problem> = first.collect();
    plan.of_target = first.len();
    plan.problems.splice(0..0, first);
    Ok(plan)
}

/// What is known of the server whatever the dump is.
struct Seen {
    admin: Session,
    server_major: u32,
    target: String,
    replaces: Option<Replaced>,
}

async fn ours(
    server: &Server,
    store: &SharedStore,
    options: &RestoreOptions,
    run: &Run,
    seen: Seen,
    key: String,
    mut manifest: Box<backup_core::manifest::Manifest<DumpDetail>>,
) -> PgResult<RestorePlan> {
    let Seen { admin, server_major, target, mut replaces } = seen;
    let part = match options.selection.is_partial() {
        true => Some(select::narrow(&**store, &key, &mut manifest, &options.selection).await?),
        false => None,
    };
    let (data_only, problems) = match (options.selection.data_only, replaces.is_some()) {
        (false, _) => {
            for told in extensions::versions(&admin, &manifest.detail.extensions).await? {
                run.progress.warn(told);
            }
            (None, problems(&admin, server_major, &manifest.detail, options).await?)
        }
        (true, false) => (None, vec![data_only::no_database(&server.describe(), &target)]),
        (true, true) => {
            // It is not replaced: its rows are.
            replaces = None;
            let unselected = part.as_ref().map(|part| part.emptied.as_slice()).unwrap_or_default();
            let (plan, problems) = data_only::look(server, &target, &manifest.detail, options, unselected).await?;
            (Some(plan), problems)
        }
    };
    let rows = manifest.detail.tables.iter().map(|table| table.data.rows).sum();
    let (stored_bytes, content_bytes) = bytes_to_read(&manifest, part.is_some());
    Ok(RestorePlan {
        key,
        created_at: manifest.created_at,
        cluster: manifest.identity.clone(),
        same_cluster: None,
        complete: manifest.is_complete(),
        missing: manifest.detail.filters.missing(),
        passed_over: Vec::new(),
        server: server.describe(),
        server_major,
        target,
        replaces,
        tables: manifest.detail.tables.len() as u64,
        rows,
        stored_bytes,
        content_bytes,
        hooks: options.hooks.plan(&RESTORE_POINTS),
        copies: Vec::new(),
        part,
        data_only,
        problems,
        of_target: 0,
        source: Source::Ours(manifest),
    })
}

fn legacy(
    server: &Server,
    options: &RestoreOptions,
    seen: Seen,
    key: String,
    object: Key,
    (created_at, bytes): (Timestamp, u64),
) -> RestorePlan {
    RestorePlan {
        key,
        created_at,
        cluster: None,
        same_cluster: None,
        complete: true,
        missing: Vec::new(),
        passed_over: Vec::new(),
        server: server.describe(),
        server_major: seen.server_major,
        target: seen.target,
        replaces: seen.replaces,
        tables: 0,
        rows: 0,
        stored_bytes: bytes,
        content_bytes: bytes,
        hooks: options.hooks.plan(&RESTORE_POINTS),
        copies: Vec::new(),
        part: None,
        data_only: None,
        problems: if options.selection.is_partial() { vec![data_only::legacy()] } else { Vec::new() },
        of_target: 0,
        source: Source::Legacy(object),
    }
}

/// Stored bytes, and their content, of all of a dump or of what is left of it.
fn bytes_to_read(manifest: &backup_core::manifest::Manifest<DumpDetail>, is_partial: bool) -> (u64, u64) {
    if !is_partial {
        return (manifest.stored_bytes(), manifest.content_bytes());
    }
    let content_bytes = manifest.detail.tables.iter().map(|table| table.data.content_bytes).sum();
    (select::stored_bytes(manifest), content_bytes)
}

/// The server would silently cut a longer name and hit another database.
pub(crate) fn name_problem(target: &str) -> Option<Problem> {
    (target.len() > NAME_BYTES_MAX || target.is_empty()).then(|| Problem {
        what: format!("the name `{target}` has {} bytes; it must have 1 to {NAME_BYTES_MAX}", target.len()),
        help: "choose a shorter name with --into".to_owned(),
    })
}

/// The server's major version.
async fn major(admin: &Session) -> PgResult<u32> {
    let row = admin
        .query_one("SELECT current_setting('server_version_num')::int / 10000", &[])
        .await
        .map_err(|error| PgError::sql("reading the server's version", error))?;
    Ok(row.get::<_, i32>(0).unsigned_abs())
}

async fn replaced(admin: &Session, target: &str) -> PgResult<Option<Replaced>> {
    let row = admin
        .query_opt(
            "SELECT CASE WHEN has_database_privilege(d.oid, 'CONNECT') \
                THEN pg_catalog.pg_database_size(d.oid) ELSE 0 END, \
               (SELECT count(*) FROM pg_catalog.pg_stat_activity a \
                WHERE a.datid = d.oid AND a.pid <> pg_catalog.pg_backend_pid()) \
             FROM pg_catalog.pg_database d WHERE d.datname::text = $1",
            &[&target],
        )
        .await
        .map_err(|error| PgError::sql("looking for the target database", error))?;
    Ok(row.map(|row| Replaced {
        bytes: row.get::<_, i64>(0).unsigned_abs(),
        sessions: row.get::<_, i64>(1).unsigned_abs(),
    }))
}

/// What would make the restore fail half-way: better known before.
async fn problems(
    admin: &Session,
    server_major: u32,
    detail: &DumpDetail,
    options: &RestoreOptions,
) -> PgResult<Vec<Problem>> {
    let mut problems = Vec::new();
    if server_major < detail.server.major() {
        problems.push(Problem {
            what: format!(
                "it was taken from PostgreSQL {}, but the server has PostgreSQL {server_major}",
                detail.server.major()
            ),
            help: "restore on a server of the same or a newer version".to_owned(),
        });
    }
    let locales = adapters::standing::locales(admin, &detail.database).await?;
    problems.extend(locale_problem(&detail.database, &locales));
    let extensions: Vec<&str> = detail.extensions.iter().map(|extension| extension.name.as_str()).collect();
    let missing = missing(
        admin,
        "SELECT wanted FROM unnest($1::text[]) wanted \
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted)",
        &extensions,
    )
    .await?;
    if !missing.is_empty() {
        problems.push(Problem {
            what: format!("the server does not offer the extensions {}", missing.join(", ")),
            help: "install their packages on the server".to_owned(),
        });
    }
    if !(options.no_owner && options.no_acl) {
        // Those of a managed service are nowhere else, and what they own or may do is left out.
        let roles: Vec<&str> =
            detail.roles.iter().map(String::as_str).filter(|role| !MANAGED_ROLES.contains(role)).collect();
        let missing = missing_roles(admin, &roles).await?;
        if !missing.is_empty() {
            problems.push(Problem {
                what: format!("the roles {} do not exist on the server", missing.join(", ")),
                help: "create them (`CREATE ROLE name`), or skip owners and privileges with --no-owner --no-acl"
                    .to_owned(),
            });
        }
    }
    Ok(problems)
}

async fn missing_roles(admin: &Session, roles: &[&str]) -> PgResult<Vec<String>> {
    let statement = "SELECT wanted FROM unnest($1::text[]) wanted \
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted)";
    missing(admin, statement, roles).await
}

async fn missing(admin: &Session, statement: &str, wanted: &[&str]) -> PgResult<Vec<String>> {
    let rows = admin
        .query(statement, &[&wanted])
        .await
        .map_err(|error| PgError::sql("checking what the dump needs", error))?;
    Ok(rows.iter().map(|row| format!("`{}`", row.get::<_, String>(0))).collect())
}
