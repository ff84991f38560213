//! An extension with configuration tables: their definition is the extension's, their rows are the user's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::compare_copy;
use crate::ensure_eq;
use crate::harness::{Failure, RowResult, World};

/// Tables that refer to each other against the order of their names; one row of the extension's own among the user's.
const SCRIPT: &str = r"
CREATE TABLE z_settings (key text PRIMARY KEY, value text, builtin boolean DEFAULT false);
INSERT INTO z_settings VALUES ('shipped', 'with the extension', true);
CREATE TABLE a_links (id serial PRIMARY KEY, key text REFERENCES z_settings, parent integer REFERENCES a_links);
CREATE TABLE not_dumped (id integer);
SELECT pg_catalog.pg_extension_config_dump('z_settings', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('a_links', '');
SELECT pg_catalog.pg_extension_config_dump('a_links_id_seq', '');
";

/// Rows of the user's, and a table of the user's that refers to one of the extension's.
const ROWS: &str = r"
INSERT INTO ext.z_settings SELECT 'k' || g, E'v\t' || g FROM generate_series(1, 50) g;
INSERT INTO ext.a_links (key) SELECT 'k' || g FROM generate_series(1, 50) g;
UPDATE ext.a_links SET parent = id - 1 WHERE id > 1;
CREATE TABLE uses (id integer PRIMARY KEY, key text REFERENCES ext.z_settings);
INSERT INTO uses VALUES (1, 'k1'), (2, 'shipped');
";

/// Files of an extension in the server's own folder, gone on drop.
struct Installed {
    name: String,
    files: Vec<PathBuf>,
}

impl Installed {
    fn new(folder: &Path) -> std::io::Result<Self> {
        let name = format!("lastgood_acceptance_{}", std::process::id());
        let mut installed = Self { name: name.clone(), files: Vec::new() };
        let control = "default_version = '1.0'\nrelocatable = false\n";
        for (suffix, text) in [(".control", control), ("--1.0.sql", SCRIPT)] {
            installed.put(folder, suffix, text)?;
        }
        Ok(installed)
    }

    fn put(&mut self, folder: &Path, suffix: &str, text: &str) -> std::io::Result<()> {
        let file = folder.join(format!("{}{suffix}", self.name));
        fs::write(&file, text)?;
        self.files.push(file);
        Ok(())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        for file in &self.files {
            // Best effort: what is left is a file of an extension that nobody creates.
            let _ = fs::remove_file(file);
        }
    }
}

/// The server's folder of extensions with ours in it.
fn install(world: &World) -> RowResult<(PathBuf, Installed)> {
    let output = Command::new(world.cluster().bin_dir().join("pg_config")).arg("--sharedir").output()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim()).join("extension");
    let installed = Installed::new(&folder)
        .map_err(|error| Failure::Skipped(format!("no extension can be put into {}: {error}", folder.display())))?;
    Ok((folder, installed))
}

/// The target's default is older than the source's version, then newer, then there is none at all.
pub(super) async fn other_version(world: &World) -> RowResult {
    let (folder, mut installed) = install(world)?;
    let name = installed.name.clone();
    installed.put(&folder, "--1.0--1.1.sql", "CREATE TABLE since_1_1 (id integer);")?;
    let version =
        |database: &str| world.psql(database, &format!("SELECT extversion FROM pg_extension WHERE extname = '{name}'"));
    let source = world.create("source")?;
    world.psql(
        &source,
        &format!("CREATE EXTENSION {name} VERSION '1.1'; CREATE TABLE t (id integer); INSERT INTO t VALUES (1)"),
    )?;
    world.lastgood(["pg", "dump", &source]).ok().await?;

    let older = world.name("older");
    let plan = world.lastgood(["pg", "restore", &source, "--into", &older, "-n"]).ok().await?;
    plan.says(&format!("`{name}` is 1.1 in the dump and will be 1.0 in the copy; "))?;
    world.lastgood(["pg", "restore", &source, "--into", &older]).ok().await?;
    ensure_eq!(version(&older)?, "1.0", "the version in a copy");
    let kept = world.name("kept");
    let file = world.folder().join("extensions.sql");
    fs::write(&file, format!("CREATE EXTENSION {name} VERSION '1.1'"))?;
    let file = file.display().to_string();
    world.lastgood(["pg", "restore", &source, "--into", &kept, "--post-create-sql", &file]).ok().await?;
    ensure_eq!(version(&kept)?, "1.1", "the version that a hook made");

    fs::remove_file(folder.join(format!("{name}--1.0--1.1.sql")))?;
    let gone = world.name("gone");
    let restored = world.lastgood(["pg", "restore", &source, "--into", &gone]).ok().await?;
    restored.says("will be 1.0 in the copy: the server does not offer 1.1")?;
    ensure_eq!(world.psql(&gone, "SELECT id FROM t")?, "1", "rows beside an extension of another version");

    fs::remove_file(folder.join(format!("{name}.control")))?;
    let before = world.databases()?;
    let refused = world.lastgood(["pg", "restore", &source, "--into", "nowhere"]).fails(1).await?;
    refused.says(&format!("the server does not offer the extensions `{name}`"))?.says("install")?;
    ensure_eq!(world.databases()?, before, "databases after the refusal");
    Ok(())
}

/// Its rows come back, once, in an order that its foreign keys allow.
pub(super) async fn configuration_rows(world: &World) -> RowResult {
    let (_folder, installed) = install(world)?;
    let source = world.create("source")?;
    let name = &installed.name;
    world.psql(&source, &format!("CREATE SCHEMA ext; CREATE EXTENSION {name} SCHEMA ext; {ROWS}"))?;
    compare_copy(world, &source).await?;
    // The extension's own row is there once, as the extension made it.
    let shipped = world.psql(&world.name("copy"), "SELECT count(*) FROM ext.z_settings WHERE builtin")?;
    ensure_eq!(shipped, "1", "rows that the extension itself brings");
    Ok(())
}
