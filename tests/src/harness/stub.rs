//! Programs that stand in for `pg_dump` and `pg_restore` and fail in the way a row wants.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::failure::{Failure, RowResult};
use super::world::World;

/// Every program of a `--pg-bin` folder.
const PROGRAMS: [&str; 3] = ["pg_dump", "pg_restore", "psql"];

/// File in a folder of versioned stubs that records what they were asked to do.
const CALLS: &str = "calls";

/// First major version whose `pg_restore` sets `transaction_timeout`.
const TRANSACTION_TIMEOUT_MAJOR: u32 = 17;

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
    write(&path, &text)?;
    Ok(folder)
}

/// The program that says its version, and what a stub of it does.
fn script(folder: &Path, program: &str, real: &Path, major: u32) -> String {
    // `pg_restore` of 17 and newer sets a parameter in each session, and counts the server's refusal among its errors.
    let sends = if program == "pg_restore" && major >= TRANSACTION_TIMEOUT_MAJOR { "yes" } else { "no" };
    format!(
        r#"#!/bin/sh
PATH=/usr/bin:/bin
case "$1" in --version|-V) echo '{program} (PostgreSQL) {major}.3'; exit;; esac
echo "{program} $*" >> '{calls}'
database=; for word in "$@"; do case "$word" in --dbname=*) database=${{word#--dbname=}};; esac; done
if [ {sends} = no ] || [ -z "$database" ]; then exec '{real}' "$@"; fi
said=$('{psql}' -X -q -d "$database" -c 'SET transaction_timeout = 0' 2>&1) && exec '{real}' "$@"
echo "{program}: error: could not execute query: $said" >&2
echo 'Command was: SET transaction_timeout = 0;' >&2
'{real}' "$@" 2> '{words}'; code=$?
ignored=$(sed -n 's/^{program}: warning: errors ignored on restore: //p' '{words}')
grep -v 'errors ignored on restore' '{words}' >&2
[ "$code" -le 1 ] || exit "$code"
echo "{program}: warning: errors ignored on restore: $((${{ignored:-0}} + 1))" >&2
exit 1
"#,
        calls = folder.join(CALLS).display(),
        words = folder.join("words").display(),
        psql = real.with_file_name("psql").display(),
        real = real.display(),
    )
}

/// Makes a folder for `--pg-bin` whose programs say they are of version `major`, and otherwise are the real ones.
///
/// # Errors
/// If the folder cannot be written.
pub fn versioned(world: &World, major: u32) -> RowResult<PathBuf> {
    let folder = world.folder().join(format!("bin-{major}-{}", uuid::Uuid::now_v7().simple()));
    fs::create_dir(&folder)?;
    for program in PROGRAMS {
        let real = world.cluster().bin_dir().join(program);
        write(&folder.join(program), &script(&folder, program, &real, major))?;
    }
    Ok(folder)
}

/// Makes one program of such a folder say another version.
///
/// # Errors
/// If it cannot be written.
pub fn change_version(folder: &Path, program: &str, major: u32) -> RowResult {
    let path = folder.join(program);
    let said = format!("echo '{program} (PostgreSQL) ");
    let text = fs::read_to_string(&path)?;
    let rest = text.split_once(&said).and_then(|(begin, rest)| Some((begin, rest.split_once('.')?.1)));
    let (begin, rest) = rest.ok_or_else(|| Failure::new(format!("{} says no version", path.display())))?;
    write(&path, &format!("{begin}{said}{major}.{rest}"))
}

/// What programs of such a folder were asked to do: a line each, the program first; not their version.
///
/// # Errors
/// If the record cannot be read.
pub fn calls(folder: &Path) -> RowResult<Vec<String>> {
    match fs::read_to_string(folder.join(CALLS)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn write(path: &Path, text: &str) -> RowResult {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
