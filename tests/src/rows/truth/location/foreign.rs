//! What others wrote, and locations in one another.

use super::{NO_LOCATION, beside};
use crate::harness::failure::Within as _;
use crate::harness::{Place, RowResult, World};
use crate::{ensure, ensure_eq};

/// Repositories of others, by what lies in them, and how a refusal calls them.
const REPOSITORIES: [(&str, &[&str], &str); 7] = [
    ("restic", &["config", "keys/1f", "data/00/00aa", "snapshots/77", "index/12"], "a repository of restic or rustic"),
    // As `init` leaves it: its other folders hold nothing yet.
    ("fresh", &["config", "keys/1f"], "a repository of restic or rustic"),
    ("borg", &["README", "config", "data/0/1", "hints.1", "index.1", "integrity.1"], "a repository of Borg"),
    ("kopia", &["kopia.repository.f", "kopia.blobcfg.f", "p00/1.f"], "a repository of kopia"),
    ("pgbackrest", &["archive/main/archive.info", "backup/main/backup.info"], "a repository of pgBackRest"),
    ("postgres", &["PG_VERSION", "base/1/112", "global/pg_control"], "the data of a PostgreSQL server"),
    ("photos", &["2026/summer/beach.jpg", "readme.txt"], "files that are not backups, such as `readme.txt`"),
];

/// W11-foreign.
pub(super) async fn refused(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    for (name, keys, called) in REPOSITORIES {
        let place = beside(world, name);
        for key in keys {
            place.write(key, b"theirs").await?;
        }
        let before = place.picture().await?;
        let commands = [
            &["init"][..],
            &["init", "-n"],
            &["pg", "dump", &shop, "--init"],
            &["pg", "dump", &shop, "--init", "-n"],
            &["pg", "dump", &shop],
            &["pg", "ls"],
            &["pg", "prune", "--keep-last", "1", "--yes"],
            &["pg", "prune", "--incomplete", "--grace", "0s"],
            &["dict", "prune", "--incomplete", "--grace", "0s"],
        ];
        for command in commands {
            let output = world.lastgood(command.iter().copied()).args(["-r", &place.url()]).fails(NO_LOCATION).await;
            let output = output.within(&format!("{command:?} in what {name} wrote"))?;
            output.says(called)?.says("nothing was written")?.never_says("lastgood init -r")?;
        }
        ensure_eq!(place.picture().await?, before, "what {name} wrote");
    }
    // Ours and theirs side by side, which an older version made of a name that was mistyped: it has its marker.
    let place = beside(world, "restic");
    place.write("lastgood.json", &world.place().read("lastgood.json").await?).await?;
    world.lastgood(["pg", "ls", "-r", &place.url()]).ok().await?;
    Ok(())
}

/// W11-nested.
pub(super) async fn nested(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let before = world.place().picture().await?;
    let outer = world.place().url();
    for below in ["inner", "pg", "deeper/still"] {
        let inner = format!("{outer}/{below}");
        let output = world.lastgood(["init", "-r", &inner]).fails(NO_LOCATION).await?;
        output.says("another location")?.says(&format!("`{outer}`"))?;
        world.lastgood(["pg", "dump", &shop, "--init", "-r", &inner]).fails(NO_LOCATION).await?;
        if !below.contains('/') {
            world
                .lastgood(["pg", "ls", "-r", &inner])
                .fails(NO_LOCATION)
                .await?
                .says(&format!("there is `{outer}`"))?;
        }
    }
    ensure_eq!(world.place().picture().await?, before, "the outer location");
    let around = match world.place() {
        Place::Folder(root) => root.parent().map(|parent| parent.display().to_string()).unwrap_or_default(),
        Place::S3 { .. } => "s3://backups".to_owned(),
    };
    let output = world.lastgood(["init", "-r", &around]).fails(NO_LOCATION).await?;
    ensure!(output.stderr.contains("it holds "), "it should say what is there:\n{}", output.stderr);
    Ok(())
}
