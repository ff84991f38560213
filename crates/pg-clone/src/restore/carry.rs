//! Tables of the live database that a restore carries over: which, and how the copy comes to have them.
//!
//! Rows follow once the live database takes no connections, so that none is written after them: see [`rows`].

pub(crate) mod rows;
pub(crate) mod table;

use std::collections::{BTreeMap, BTreeSet};

use backup_core::failure::{Remedy, Setting};
use backup_core::remedy;

use crate::adapters::connection::{Server, Session};
use crate::adapters::pg_tools::{Need, Tool};
use crate::adapters::sql::carried::{self, Found};
use crate::adapters::sql::databases;
use crate::adapters::sql::event_triggers::{self, Quiet};
use crate::dump::schema;
use crate::error::{Obstacle, PgError, PgResult, Problem};
use crate::ident::QualifiedName;
use crate::live::target_lock::TargetLock;
use crate::live::temporary::Temporary;
use crate::restore::carry::rows::CarryOver;
use crate::restore::carry::table::CarriedTable;
use crate::restore::load_unit;
use crate::restore::prepared::Restore;
use crate::restore::tools::{Restored, SchemaArchive, Section};
use crate::restore::unrestored::incomplete;
use crate::stored::detail::RowText;

/// Which of these tables a database has, for whoever carries over what is there; none if there is no such database.
///
/// # Errors
/// Connection errors.
pub async fn present(server: &Server, database: &str, names: &[QualifiedName]) -> PgResult<Vec<QualifiedName>> {
    let admin = server.connect_admin().await?;
    if databases::named(&admin, database).await?.is_none() {
        return Ok(Vec::new());
    }
    let session = server.connect(database).await?;
    carried::prepare(&session).await?;
    Ok(carried::read(&session, names).await?.into_iter().flatten().map(|found| found.name).collect())
}

/// Looks at the live database: what would be carried over, and what stands against it.
pub(super) async fn look(
    server: &Server,
    live: &str,
    names: &[QualifiedName],
) -> PgResult<(Vec<CarriedTable>, Vec<Problem>)> {
    let session = server.connect(live).await?;
    carried::prepare(&session).await?;
    let found = carried::read(&session, names).await?;
    let problems = found.iter().flatten().filter_map(problem).collect();
    let tables = names.iter().zip(&found);
    let tables = tables.map(|(name, found)| CarriedTable { table: name.label(), in_live: found.is_some() });
    Ok((tables.collect(), problems))
}

/// Why a relation cannot be carried over.
fn problem(table: &Found) -> Option<Problem> {
    let name = table.name.label();
    let refused = |obstacle, why: String, help: Remedy| {
        Some(Problem::new(obstacle, format!("`{name}` cannot be carried over: {why}"), help))
    };
    let what = match table.kind.as_str() {
        "r" if !table.has_relatives => None,
        "r" => Some("is a partition, or inherits, or is inherited from"),
        "p" => Some("is partitioned"),
        "v" | "m" => Some("is a view"),
        _ => Some("is no table"),
    };
    if let Some(what) = what {
        return refused(Obstacle::DoesNotFit, format!("it {what}"), "only ordinary tables can be carried over".into());
    }
    if !table.readable {
        let help = "let the restoring role read it".into();
        return refused(Obstacle::MissingPrivilege, "the role may not read it".to_owned(), help);
    }
    let (first, others) = table.referring.split_first()?;
    let first = remedy!["carry over all of them, with ", Setting::CarryOver.with(first.clone())];
    let help = others.iter().fold(first, |help, other| help.and(" ").and(Setting::CarryOver.with(other.clone())));
    let refer = if others.is_empty() { "refers" } else { "refer" };
    refused(Obstacle::Referenced, format!("`{}` {refer} to it", table.referring.join("`, `")), help)
}

/// Makes sure that the copy has the tables as the live database defines them. Returns what is to be copied once nobody
/// writes to that any more; nothing if there is no live database, or none of the tables in it.
pub(super) async fn definitions(
    restore: &Restore,
    lock: &TargetLock,
    temporary: &Temporary,
) -> PgResult<Option<CarryOver>> {
    let Restore { server, options, run, plan, .. } = restore;
    if options.carry_over.is_empty() || databases::named(lock.session(), &plan.target).await?.is_none() {
        return Ok(None);
    }
    run.step("restore.carry", &plan.target);
    let live = server.connect(&plan.target).await?;
    carried::prepare(&live).await?;
    let found = carried::read(&live, &options.carry_over).await?;
    drop(live);
    let found: Vec<Found> = found.into_iter().flatten().collect();
    if let Some(problem) = found.iter().find_map(problem) {
        return Err(problem.refusal());
    }
    if found.is_empty() {
        return Ok(None);
    }
    let copy = load_unit::connect(server, temporary.name(), RowText::default()).await?;
    // Event triggers of the dump are there by now.
    let quiet = event_triggers::quiet(&copy, plan.server_major).await?;
    if let Some(quiet) = quiet {
        event_triggers::silence(&copy, quiet).await?;
    }
    let names: Vec<QualifiedName> = found.iter().map(|table| table.name.clone()).collect();
    let there = carried::read(&copy, &names).await?;
    if !same(&found, &there) {
        // All of them: their foreign keys may be among each other.
        let old: Vec<QualifiedName> = there.into_iter().flatten().map(|table| table.name).collect();
        carried::drop_tables(&copy, &old).await.map_err(rows::failed)?;
        make(restore, &copy, temporary.name(), &found, quiet).await?;
        if !same(&found, &carried::read(&copy, &names).await?) {
            return Err(PgError::CarryOver {
                what: "the tables to carry over are defined otherwise in the restored database".to_owned(),
                help: rows::SAFE.into(),
            });
        }
    }
    Ok(Some(CarryOver::new(found)))
}

fn same(found: &[Found], there: &[Option<Found>]) -> bool {
    let mut pairs = found.iter().zip(there);
    pairs.all(|(found, there)| there.as_ref().is_some_and(|there| there.definition == found.definition))
}

/// Makes the tables in the copy, as PostgreSQL's own programs take them from the live database.
async fn make(
    restore: &Restore,
    session: &Session,
    copy: &str,
    tables: &[Found],
    quiet: Option<Quiet>,
) -> PgResult<()> {
    let Restore { server, options, run, plan, .. } = restore;
    let pg_bin = options.pg_bin.as_deref();
    let need = Need::server(plan.server_major);
    let dumper = Tool::find("pg_dump", need, pg_bin).await?;
    let reader = Tool::find("pg_restore", need.reading(&dumper.version), pg_bin).await?;
    run.step("restore.carry_definitions", copy);
    let request = schema::Request {
        tool: dumper,
        reader: reader.clone(),
        server: server.clone(),
        database: plan.target.clone(),
        excluded: Vec::new(),
        only: tables.iter().map(|table| table.name.quoted()).collect(),
    };
    let archive = request.dump_now().await?;
    let schemas: BTreeMap<&str, &str> =
        tables.iter().map(|table| (table.name.schema.as_str(), table.schema_owner.as_str())).collect();
    for (schema, owner) in schemas {
        carried::create_schema(session, schema, (!options.no_owner).then_some(owner)).await.map_err(rows::failed)?;
    }
    let archive = SchemaArchive::open(reader, &archive, &plan.target, &[]).await?;
    if let Some(quiet) = quiet {
        archive.quieten(quiet.option());
    }
    let mut told = BTreeSet::new();
    for section in [Section::PreData, Section::IndexesApart, Section::PostData] {
        let Restored { told: said, failed } = archive.restore(section, server, copy, options).await?;
        let failed: Vec<_> = failed.into_iter().map(|entry| entry.object).collect();
        if !failed.is_empty() {
            return Err(incomplete(&plan.target, &failed));
        }
        told.extend(said);
    }
    told.into_iter().for_each(|message| run.progress.warn(message));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tables_that_refer_to_a_carried_one_are_named_as_what_to_type() {
        let referred = |referring: &[&str]| {
            let found = Found {
                name: QualifiedName::new("public", "products"),
                kind: "r".to_owned(),
                has_relatives: false,
                readable: true,
                schema_owner: "postgres".to_owned(),
                columns: Vec::new(),
                definition: String::new(),
                sequences: Vec::new(),
                referring: referring.iter().map(ToString::to_string).collect(),
            };
            problem(&found).map(|problem| (problem.what, problem.help.to_string()))
        };
        assert_eq!(referred(&[]), None);
        let (one, _) = referred(&["public.rates"]).unwrap();
        assert!(one.contains("`public.rates` refers to it"), "{one}");
        let (two, help) = referred(&["public.rates", "public.filters"]).unwrap();
        assert!(two.contains("`public.rates`, `public.filters` refer to it"), "{two}");
        assert!(help.contains("public.rates") && help.contains("public.filters"), "{help}");
    }
}
