//! Several writers of one key: exactly one wins, whoever they are.

use backup_core::StoreError;
use backup_core::digest::Sha256Digest;
use backup_core::key::Key;
use backup_core::store::s3::S3Store;
use backup_core::store::{Bytes, PutMode, PutOptions, StoreRead as _, StoreResult, StoreWrite as _};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};

use super::{OneWins, Scene};
use crate::harness::paused::Paused;
use crate::harness::{Failure, RowResult};
use crate::rows::core::craft::sealed;
use crate::{ensure, ensure_eq};

/// Writers of one key, by what each writes, and keys.
const WRITERS: &[u8] = b"abcdefgh";
const KEYS: usize = 6;

/// Bytes of what each writes.
const BYTES: usize = 64 * 1024;

const BACKUP: [&str; 6] = ["app", "backup", "--source", "ndjson:records", "--name", "race"];

pub(super) async fn between_writers(scene: &Scene<'_>) -> RowResult {
    for number in 0..KEYS {
        // The second half in parts.
        let in_parts = number >= KEYS / 2;
        let key = Key::new(format!("race/{number}"))?;
        let (winners, stored) = many(&scene.store, &key, in_parts).await?;
        let of_winner = winners.iter().any(|letter| stored == vec![*letter; BYTES]);
        ensure!(of_winner, "`{key}` is not what a winner wrote");
        let one = match scene.kind.one_wins {
            OneWins::Always => true,
            OneWins::Whole => !in_parts,
            OneWins::AfterAPause => false,
        };
        if one {
            ensure_eq!(winners.len(), 1, "writers that created `{key}`");
        }
    }
    two_of_ours(scene).await
}

/// Who created `key`, and what is there then.
async fn many(store: &S3Store, key: &Key, in_parts: bool) -> RowResult<(Vec<u8>, Vec<u8>)> {
    let begun = WRITERS.iter().map(|letter| {
        let (store, key, body) = (store.clone(), key.clone(), Bytes::from(vec![*letter; BYTES]));
        let task = tokio::spawn(async move {
            if in_parts { parts(&store, &key, body).await } else { whole(&store, &key, body).await }
        });
        (*letter, task)
    });
    let (mut winners, begun) = (Vec::new(), begun.collect::<Vec<_>>());
    for (letter, task) in begun {
        match task.await? {
            Ok(()) => winners.push(letter),
            // A server may also say that somebody else is at it: 409.
            Err(StoreError::AlreadyExists { .. } | StoreError::Busy { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stored: Vec<Bytes> = store.get(key, None).await?.try_collect().await?;
    Ok((winners, stored.concat()))
}

async fn whole(store: &S3Store, key: &Key, body: Bytes) -> StoreResult<()> {
    store.put(key, body, &PutOptions::new(PutMode::Create)).await
}

async fn parts(store: &S3Store, key: &Key, body: Bytes) -> StoreResult<()> {
    let upload = store.multipart(key, &PutOptions::new(PutMode::Create)).await?;
    let (digest, bytes) = (Sha256Digest::of(&body), body.len() as u64);
    upload.part(1, body).await?;
    let done = upload.complete(1, &digest, bytes).await;
    if done.is_err() {
        // Some servers have given it up themselves.
        let _ = upload.abort().await;
    }
    done
}

/// A run is about to publish its manifest while another writer publishes one of that name.
async fn two_of_ours(scene: &Scene<'_>) -> RowResult {
    let first = scene.run(&BACKUP).args(["--json"]).ok().await?.json()?;
    let first = first["key"].as_str().unwrap_or_default().to_owned();
    let read = async |key: &Key| -> RowResult<Vec<u8>> {
        let body: Vec<Bytes> = scene.store.get(key, None).await?.try_collect().await?;
        Ok(body.concat())
    };
    let mut rival: Map<String, Value> =
        serde_json::from_slice(&read(&Key::new(format!("app/{first}.manifest.json"))?).await?)?;

    let ours = Paused::at("app.manifest", scene.run(&BACKUP), scene.world).await?;
    let there = backup_core::store::list_all(&scene.store, "app/race/").await?;
    let tarballs = there.iter().map(|object| object.key.as_str()).filter(|key| key.ends_with(".tar.gz"));
    let tarball = tarballs.max().ok_or_else(|| Failure::new("the run has stored nothing"))?.to_owned();
    rival.insert("id".to_owned(), uuid::Uuid::now_v7().to_string().into());
    rival["tool"]["writer"] = "rival/4711".into();
    rival["parts"][0]["key"] = tarball.as_str().into();
    let (key, rival) = (Key::new(format!("{tarball}.manifest.json"))?, sealed(rival)?);
    scene.store.put(&key, rival.clone().into(), &PutOptions::new(PutMode::Create)).await?;
    ours.goes_on()?.finish().await?.expect_code(1)?.says("rival/4711")?;
    ensure!(read(&key).await? == rival, "the rival's manifest was changed");
    scene.run(&["app", "verify", "--name", "race"]).ok().await?;
    Ok(())
}
