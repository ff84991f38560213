//! The schema archive: `pg_dump -Fc --schema-only` on the dump's snapshot, straight into the store.

use std::sync::Arc;

use backup_core::key::Key;
use backup_core::manifest::{Codec, Part};
use backup_core::pipeline::{ObjectWriter, UploadBudget};
use backup_core::store::{PutMode, PutOptions, StoreWrite};
use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use crate::adapters::connection::Server;
use crate::adapters::pg_tools::{Tool, read_stderr};
use crate::config::DumpOptions;
use crate::detail::ROLE_SCHEMA;
use crate::dump::leader::Leader;
use crate::error::{PgError, PgResult};

/// Name of the archive inside a dump's folder.
pub(crate) const SCHEMA_NAME: &str = "schema.pgdump";

/// First bytes of every custom-format archive.
const MAGIC: &[u8] = b"PGDMP";

const READ_BYTES: usize = 64 * 1024;

/// Writes the archive and returns its part.
pub(crate) async fn write(
    tool: &Tool,
    server: &Server,
    leader: &Leader,
    options: &DumpOptions,
    store: Arc<dyn StoreWrite>,
    dump: &Key,
    budget: UploadBudget,
) -> PgResult<Part> {
    let environment = server.child_environment(&options.database)?;
    let mut command = tool.command(&environment);
    command.args(["--format=custom", "--compress=0", "--schema-only"]);
    command.arg(format!("--snapshot={}", leader.snapshot));
    command.arg(format!("--lock-wait-timeout={}", options.lock_timeout.as_millis()));
    for relation in &leader.selection.excluded {
        command.arg(format!("--exclude-table={}", relation.qualified()));
    }
    let mut child = tool.spawn(&mut command)?;
    let stderr = tokio::spawn(read_stderr(child.stderr.take()));
    let key = dump.join(SCHEMA_NAME)?;
    let mut writer = ObjectWriter::new(store, key.clone(), PutOptions::new(PutMode::Create), budget);
    let mut first = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        loop {
            let mut chunk = BytesMut::with_capacity(READ_BYTES);
            let count = stdout.read_buf(&mut chunk).await.map_err(|error| read_failed(tool, &error))?;
            if count == 0 {
                break;
            }
            if first.len() < MAGIC.len() {
                first.extend_from_slice(&chunk[..chunk.len().min(MAGIC.len())]);
            }
            writer.write(chunk.freeze()).await?;
        }
    }
    let status = child.wait().await.map_err(|error| read_failed(tool, &error))?;
    let said = stderr.await.unwrap_or_default();
    if !status.success() {
        writer.abort().await?;
        return Err(tool.failed(status, &said));
    }
    if !first.starts_with(MAGIC) {
        writer.abort().await?;
        return Err(PgError::Tool {
            program: tool.path.display().to_string(),
            how: "ended well and wrote no archive".to_owned(),
            help: "check that --pg-bin (LASTGOOD_PG_BIN) holds PostgreSQL's own programs; nothing was published".into(),
        });
    }
    let stored = writer.finish().await?;
    Ok(Part {
        key,
        role: ROLE_SCHEMA.to_owned(),
        content_sha256: Some(stored.sha256),
        content_bytes: stored.bytes,
        stored_sha256: stored.sha256,
        stored_bytes: stored.bytes,
        codec: Codec::None,
        offset: None,
        length: None,
    })
}

fn read_failed(tool: &Tool, error: &std::io::Error) -> PgError {
    PgError::Tool {
        program: tool.path.display().to_string(),
        how: format!("could not be read: {error}"),
        help: "nothing was published".to_owned(),
    }
}
