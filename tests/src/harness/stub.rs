//! Programs that stand in for `pg_dump` and `pg_restore` and fail in the way a row wants.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::failure::RowResult;
use super::world::World;

/// Every program of a `--pg-bin` folder.
const PROGRAMS: [&str; 3] = ["pg_dump", "pg_restore", "psql"];

/// Makes a folder for `--pg-bin` in which `program` is a shell script. `$real` is the real program; questions for the
/// version are answered by it.
///
/// # Errors
/// If the folder cannot be written.
pub fn pg_bin(world: &World, program: &str, script: &str) -> RowResult<PathBuf> {
    let folder = world.folder().join(format!("bin-{}", uuid::Uuid::now_v7().simple()));
    fs::create_dir(&folder)?;
    for name in PROGRAMS.into_iter().filter(|name| *name != program) {
        symlink(world.cluster().bin_dir().join(name), folder.join(name))?;
    }
    let real = world.cluster().bin_dir().join(program);
    let text = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\nreal='{}'\ncase \"$1\" in --version|-V) exec \"$real\" \"$@\";; esac\n{script}\n",
        real.display()
    );
    let path = folder.join(program);
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}
