//! Restores single-file archives, which are read from a pipe.

use std::process::{ExitStatus, Stdio};

use backup_core::key::Key;
use backup_core::store::StoreRead;
use bytes::Bytes;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Tool, last_lines, read_stderr, serverless};
use crate::error::{PgError, PgResult};
use crate::options::RestoreOptions;
use crate::restore::failed_entry::failed_statements;
use crate::restore::messages;
use crate::restore::pg_restore::{common_arguments, expected, failure, memory, session_options, told};
use crate::restore::unrestored::Unrestored;

/// Reads a whole single-file archive without restoring it: a cut or damaged one fails here, before anything is created.
pub(crate) async fn check_stream(tool: &Tool, store: &dyn StoreRead, key: &Key) -> PgResult<()> {
    let mut command = serverless(&tool.path);
    command.arg("--file=-");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (status, said) = feed(tool, command, store, key).await?;
    if status.success() {
        return Ok(());
    }
    Err(PgError::Integrity { dump: key.to_string(), what: format!("pg_restore cannot read it: {}", last_lines(&said)) })
}

/// Restores a whole single-file archive from a pipe; returns what is told, and what the server refused.
pub(crate) async fn restore_stream(
    tool: &Tool,
    store: &dyn StoreRead,
    key: &Key,
    server: &Server,
    database: &str,
    options: &RestoreOptions,
) -> PgResult<(Vec<String>, Vec<Unrestored>)> {
    let environment = server.child_environment(database)?;
    let mut command = tool.command(&environment);
    common_arguments(&mut command, options);
    command.env("PGOPTIONS", session_options(server, 1));
    command.arg(format!("--dbname={database}"));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let (status, said) = feed(tool, command, store, key).await?;
    let classified = messages::classify(&said, &expected(tool, options));
    let mut failed = Vec::new();
    if !classified.accepts(status.code()) {
        let refused = classified.only_refused(status.code()).then(|| failed_statements(&classified.fatal)).flatten();
        failed = refused.ok_or_else(|| failure(tool, status, &said, &classified))?;
    }
    Ok((told(classified).filter_map(|harmless| harmless.told()).collect(), failed))
}

async fn feed(tool: &Tool, mut command: Command, store: &dyn StoreRead, key: &Key) -> PgResult<(ExitStatus, String)> {
    let mut child = tool.spawn(&mut command)?;
    let stdin = child.stdin.take();
    let write = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        let mut body = store.get(key, None).await?;
        while let Some(chunk) = body.try_next().await? {
            let chunk: Bytes = chunk;
            if stdin.write_all(&chunk).await.is_err() {
                break; // it ended early: its exit code and messages say why
            }
        }
        let _ = stdin.shutdown().await;
        Ok::<(), PgError>(())
    };
    let stderr = child.stderr.take();
    let (written, said) = tokio::join!(write, read_stderr(stderr));
    written?;
    let status = child.wait().await.map_err(memory)?;
    Ok((status, said))
}
