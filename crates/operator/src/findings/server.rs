//! Whether a server can be dumped and restored to, and whether the programs for it are there.

use std::path::Path;
use std::sync::Arc;

use backup_core::progress::{SharedProgress, Silent};
use pg_clone::Server;
use pg_clone::inspect::{self, ServerFacts};
use pg_clone::live::recover;

use crate::findings::{Finding, Found, Subject};

/// Looks at `server`, its `database` if one is named, and the programs for it in `bin_dir` or wherever they are installed.
pub async fn server(server: &Server, database: Option<&str>, bin_dir: Option<&Path>) -> Vec<Finding> {
    let facts = match inspect::server(server, database).await {
        Ok(facts) => facts,
        Err(error) => return vec![Finding::of(Subject::Server, Err(error))],
    };
    let mut findings = vec![Finding::new(Subject::Server, Found::Answers(facts.clone()))];
    match database {
        Some(database) => findings.extend(rights(server, &facts, database).await),
        // Whoever only dumps need not create databases.
        None if !facts.may_create_databases => {
            let role = facts.role.clone();
            findings.push(Finding::new(Subject::Server, Found::CannotCreateDatabases { role }));
        }
        None => {}
    }
    let incremental = inspect::incremental(server, database).await.map(Found::Incremental);
    findings.push(Finding::of(Subject::Server, incremental));
    for name in ["pg_dump", "pg_restore"] {
        let program = inspect::program(name, facts.major, bin_dir).await.map(Found::Program);
        findings.push(Finding::of(Subject::Programs, program));
    }
    // Its warnings speak of what was done, and nothing is.
    let silent: SharedProgress = Arc::new(Silent);
    let left = recover::plan(server, &silent).await;
    findings.push(Finding::of(Subject::Server, left.map(|left| Found::Left(left.actions))));
    findings
}

/// Whether the role may read what a dump reads, and do what a restore does.
async fn rights(server: &Server, facts: &ServerFacts, database: &str) -> Vec<Finding> {
    let readable = inspect::dumpable(server, database).await.map(|tables| Found::Readable {
        role: facts.role.clone(),
        database: database.to_owned(),
        tables,
    });
    let mut findings = vec![Finding::of(Subject::Database, readable)];
    let unrestorable =
        |problem| Finding::new(Subject::Database, Found::Unrestorable { database: database.to_owned(), problem });
    match inspect::restorable(server, database).await {
        Ok(problems) => findings.extend(problems.into_iter().map(unrestorable)),
        Err(error) => findings.push(Finding::of(Subject::Database, Err(error))),
    }
    findings
}
