//! Finds the dump, inspects the target, and plans the restore; changes nothing.

use std::sync::Arc;

use backup_core::failure::Setting;
use backup_core::key::Key;
use backup_core::remedy;
use backup_core::store::SharedStore;
use jiff::Timestamp;
use tracing::Instrument;

use crate::adapters::connection::{Server, Session};
use crate::adapters::sql;
use crate::error::{Obstacle, PgResult, Problem};
use crate::hook::RESTORE_POINTS;
use crate::live;
use crate::live::local;
use crate::live::recover;
use crate::options::RestoreOptions;
use crate::restore::carry;
use crate::restore::data_only;
use crate::restore::dependents;
use crate::restore::extensions;
use crate::restore::messages::MANAGED_ROLES;
use crate::restore::plan::{RestorePlan, Source};
use crate::restore::prepared::Restore;
use crate::restore::problem::{Replaced, name_problem, quoted};
use crate::restore::select;
use crate::run::Run;
use crate::standing::{Undertaking, locale_problem};
use crate::stored::detail::DumpDetail;
use crate::stored::list::{self, Found, Wanted};
use crate::stored::lists;
use crate::stored::sizes::Sizes;

impl Restore {
    /// Finds out what restoring `options.wanted` would do; changes nothing.
    ///
    /// # Errors
    /// [`PgError::NoDump`](crate::PgError::NoDump), store, format and connection errors.
    pub async fn prepare(server: &Server, store: &SharedStore, options: RestoreOptions, run: &Run) -> PgResult<Self> {
        options.check()?;
        let span = tracing::info_span!("plan", wanted = %options.wanted);
        let looking = Box::pin(look(server, store, &options, run).instrument(span));
        let plan = run.or_cancelled(looking).await?;
        Ok(Self { server: server.clone(), store: Arc::clone(store), options, run: run.clone(), plan })
    }
}

async fn look(server: &Server, store: &SharedStore, options: &RestoreOptions, run: &Run) -> PgResult<RestorePlan> {
    let mut admin = server.connect_admin().await?;
    let here = server.identity_by(&admin).await?;
    let wanted = Wanted::new(options.wanted.clone())
        .cluster(options.cluster.clone())
        .here(here.clone())
        .config(options.config.clone(), options.config_for_restores)
        .allow_older(options.allow_older);
    let found = list::find(&**store, wanted).await?;
    let dumped_as = found.database().to_owned();
    let target = options.into.clone().unwrap_or_else(|| dumped_as.clone());
    server.refuse_if_guarded(&target)?;
    if target == "postgres" {
        // The session that is open may be in the very database that is to be renamed.
        admin = server.connect_admin_for(&target).await?;
    }
    let server_major = sql::server::major(&admin).await?;
    let standing = sql::standing::read(&admin, &[&target]).await?;
    let replaces = replaced(&admin, &target).await?;
    let there = recover::look(&admin).await?;
    let seen = Seen { admin, server_major, target, replaces };
    let mut plan = match found {
        Found::Ours { key, manifest, passed_over, unreadable } => {
            let same = manifest.identity.as_ref().map(|of| of.id == here.id);
            let plan = ours(server, store, options, run, seen, key, manifest).await?;
            RestorePlan { passed_over, unreadable, same_cluster: same, ..plan }
        }
        Found::Legacy { key, object, created_at, bytes, .. } => {
            legacy(server, options, seen, key, object, (created_at, bytes))
        }
    };
    if !plan.is_data_only() {
        plan.copies = local::changes(&there, &plan.target, options.reversible);
        plan.problems.extend(local::collisions(&there, &plan.target, &plan.copies));
    }
    if plan.replaces.is_some() && !options.carry_over.is_empty() {
        let (tables, problems) = carry::look(server, &plan.target, &options.carry_over).await?;
        plan.carry_over = tables;
        plan.problems.extend(problems);
    }
    let undertaking =
        Undertaking { target: &plan.target, replaces: !plan.is_data_only(), source: None, force: options.force };
    plan.breaks = standing.breaks(undertaking);
    plan.superuser = standing.is_superuser.then(|| standing.role.clone());
    let is_copy = |there: &live::state::Found| there.state.as_ref().is_some_and(|state| state.target() != there.name);
    let is_of_ours = there.iter().any(|there| there.name == plan.target && is_copy(there));
    let known = plan.is_data_only() || (dumped_as == plan.target && !is_of_ours);
    let names = name_problem(&plan.target).into_iter().chain(local::reserved_name(&plan.target, known));
    let first: Vec<Problem> = names.chain(standing.problems(&plan.server, undertaking)).collect();
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
    lists::read_tables(&**store, &mut manifest).await.map_err(|fault| fault.of(&key))?;
    let database = manifest.detail.database.clone();
    manifest.detail.database = database.with_locale(options.locale.as_deref(), options.locale_provider);
    let part = match options.selection.is_partial() {
        true => Some(select::narrow(&**store, &key, &mut manifest, &options.selection).await?),
        false => None,
    };
    lists::read_frames(&**store, &mut manifest).await.map_err(|fault| fault.of(&key))?;
    let (data_only, problems) = match (options.selection.data_only, replaces.is_some()) {
        (false, _) => {
            let hooks_run = !options.hooks.post_create.is_empty();
            for told in extensions::doubts(&admin, &manifest.detail.extensions, hooks_run).await? {
                run.progress.warn(told);
            }
            (None, problems(&admin, server_major, &manifest.detail, &target, options).await?)
        }
        (true, false) => (None, vec![data_only::no_database(&server.describe(), &target)]),
        (true, true) => {
            // It is not replaced: its rows are.
            replaces = None;
            let unselected = part.as_ref().map(|part| part.emptied.as_slice()).unwrap_or_default();
            let mut looked = data_only::look(server, &target, &manifest.detail, options, unselected).await?;
            let room = data_only::lock_room::look(server, &**store, &target, &key, &manifest, options);
            looked.problems.extend(Box::pin(room).await?);
            (Some(looked.plan), looked.problems)
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
        unreadable: Vec::new(),
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
        carry_over: Vec::new(),
        part,
        data_only,
        breaks: Vec::new(),
        problems,
        of_target: 0,
        superuser: None,
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
        unreadable: Vec::new(),
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
        carry_over: Vec::new(),
        part: None,
        data_only: None,
        breaks: Vec::new(),
        problems: problems_of_legacy(options),
        of_target: 0,
        superuser: None,
        source: Source::Legacy(object),
    }
}

/// Of a single-file dump nobody knows where whose rows are, nor what its database was like.
fn problems_of_legacy(options: &RestoreOptions) -> Vec<Problem> {
    let part = options.selection.is_partial().then(data_only::legacy);
    let locale = (options.locale.is_some() || options.locale_provider.is_some()).then(|| {
        Problem::new(
            Obstacle::NotInDump,
            "a single-file dump of django-pgclone does not say the encoding and locale of its database",
            remedy!["omit ", Setting::Locale, " and ", Setting::LocaleProvider],
        )
    });
    part.into_iter().chain(locale).collect()
}

/// Stored bytes, and their content, of all of a dump or of what is left of it.
fn bytes_to_read(manifest: &backup_core::manifest::Manifest<DumpDetail>, is_partial: bool) -> (u64, u64) {
    if !is_partial {
        let sizes = Sizes::of(manifest);
        return (sizes.stored(), sizes.content);
    }
    let content_bytes = manifest.detail.tables.iter().map(|table| table.data.content_bytes).sum();
    (select::stored_bytes(manifest), content_bytes)
}

async fn replaced(admin: &Session, target: &str) -> PgResult<Option<Replaced>> {
    let usage = sql::databases::usage_of(admin, target).await?;
    Ok(usage.map(|usage| Replaced { bytes: usage.bytes.unwrap_or_default(), sessions: usage.sessions }))
}

/// What would make the restore fail half-way: better known before.
async fn problems(
    admin: &Session,
    server_major: u32,
    detail: &DumpDetail,
    target: &str,
    options: &RestoreOptions,
) -> PgResult<Vec<Problem>> {
    let mut problems = Vec::new();
    if server_major < detail.server.major() {
        problems.push(Problem {
            obstacle: Obstacle::OlderServer,
            what: format!(
                "it was taken from PostgreSQL {}, but the server has PostgreSQL {server_major}",
                detail.server.major()
            ),
            help: "restore on a server of the same or a newer version".into(),
        });
    }
    let locales = sql::standing::locales(admin, &detail.database).await?;
    problems.extend(locale_problem(&detail.database, &locales));
    let extensions: Vec<&str> = detail.extensions.iter().map(|extension| extension.name.as_str()).collect();
    let missing = sql::extensions::missing(admin, &extensions).await?;
    if !missing.is_empty() {
        problems.push(Problem {
            obstacle: Obstacle::MissingOnServer,
            what: format!("the server does not offer the extensions {}", quoted(&missing)),
            help: remedy![
                "install their packages on the server, or leave them out with ",
                Setting::ExcludeExtension.with("EXTENSION")
            ],
        });
    }
    for bound in dependents::bound(detail) {
        let database = sql::extensions::parameter(admin, bound.parameter).await?;
        problems.extend(dependents::not_there(bound, target, database.as_deref()));
    }
    problems.extend(missing_roles(admin, detail, options).await?);
    Ok(problems)
}

/// Roles that are not there: of owners and grants as long as these are restored, and in any case those that policies name.
async fn missing_roles(admin: &Session, detail: &DumpDetail, options: &RestoreOptions) -> PgResult<Option<Problem>> {
    let all = if options.no_owner && options.no_acl { &detail.policy_roles } else { &detail.roles };
    // Those of a managed service are nowhere else, and what they own or may do is left out.
    let wanted: Vec<&str> = all.iter().map(String::as_str).filter(|role| !MANAGED_ROLES.contains(role)).collect();
    let missing = sql::roles::missing(admin, &wanted).await?;
    if missing.is_empty() {
        return Ok(None);
    }
    let of_policies: Vec<String> = missing.iter().filter(|role| detail.policy_roles.contains(role)).cloned().collect();
    let help = match (of_policies.len(), missing.len()) {
        (0, _) => remedy![
            "create them (`CREATE ROLE name`), or skip owners and privileges with ",
            Setting::NoOwner,
            " and ",
            Setting::NoAcl
        ],
        (some, all) if some == all => {
            "create them (`CREATE ROLE name`): policies name them, and are not left out".into()
        }
        _ => remedy![
            "create them (`CREATE ROLE name`); ",
            Setting::NoOwner,
            " and ",
            Setting::NoAcl,
            format!(" skip owners and privileges, but not policies, which name {}", quoted(&of_policies))
        ],
    };
    Ok(Some(Problem {
        obstacle: Obstacle::MissingOnServer,
        what: format!("the roles {} do not exist on the server", quoted(&missing)),
        help,
    }))
}
