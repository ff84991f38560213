//! Throwaway Postgres clusters: a real server in a temporary folder that ends when its owner does.

mod binaries;
mod error;
mod folder;
mod installs;
mod options;
mod postmaster;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::binaries::{ServerUser, find_programs};
use self::folder::{Folder, random_hex};
use self::postmaster::{Postmaster, Start};

pub use self::error::ClusterError;
pub use self::installs::{Install, Programs};
pub use self::options::{ClusterOptions, Shutdown};

/// The address of every cluster: nothing outside this machine can reach one.
const HOST: &str = "127.0.0.1";

/// The bootstrap superuser of every cluster.
const SUPERUSER: &str = "postgres";

/// How long a client waits for a connection: the server is local, so longer means it is hung.
const CONNECT_TIMEOUT_S: &str = "20";

/// Whether the port can still be changed, because nobody has been told it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Free,
    Fixed(u16),
}

/// A running Postgres server of its own, stopped and removed on drop.
///
/// Connections over TCP need the password; the socket folder is private, and connections through it need none.
#[derive(Debug)]
pub struct Cluster {
    postmaster: Mutex<Option<Postmaster>>,
    port: u16,
    password: String,
    user: ServerUser,
    programs: Programs,
    // After the postmaster: fields are dropped in order, and a server must not lose its folder while it runs.
    folder: Folder,
}

impl Cluster {
    /// Makes a cluster and waits until it accepts connections.
    ///
    /// # Errors
    /// If there are no server binaries, `initdb` fails, or the server does not come up; the error holds its log.
    pub fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let programs = match &options.programs {
            Some(programs) => programs.clone(),
            None => find_programs()?,
        };
        let user = ServerUser::find()?;
        folder::sweep();
        let folder = Folder::create(&user)?;
        let password = random_hex(24)?;
        init(&programs.server, &user, &folder, &password, &options)?;
        let (postmaster, port) = launch(&programs.server, &user, &folder, Port::Free)?;
        let cluster = Self { postmaster: Mutex::new(Some(postmaster)), port, password, user, programs, folder };
        cluster.write_passfile()?;
        Ok(cluster)
    }

    /// One cluster with default options for the whole process, started by whoever asks first.
    ///
    /// It ends with the process; its folder goes when a later cluster starts.
    ///
    /// # Panics
    /// If it cannot be started: no test of the process could go on.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            Self::start(ClusterOptions::default()).unwrap_or_else(|error| panic!("no shared cluster: {error}"))
        })
    }

    /// The host to connect to.
    pub fn host(&self) -> &str {
        HOST
    }

    /// The TCP port, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the unix socket; it can be used as a host.
    pub fn socket_dir(&self) -> &Path {
        self.folder.socket_dir()
    }

    /// The name of the superuser.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The superuser's password, needed over TCP.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A password file for libpq with mode 0600.
    pub fn passfile(&self) -> &Path {
        self.folder.passfile()
    }

    /// The folder of `psql`, `pg_dump` and the others: of the server's version, unless it came without them.
    pub fn bin_dir(&self) -> &Path {
        &self.programs.client
    }

    /// The folder of `postgres`, `initdb` and `pg_ctl`: often the same.
    pub fn server_dir(&self) -> &Path {
        &self.programs.server
    }

    /// The data folder, which belongs to [`server_uid`](Self::server_uid).
    pub fn data_dir(&self) -> &Path {
        self.folder.data_dir()
    }

    /// The user id the server runs as: never root's.
    pub fn server_uid(&self) -> u32 {
        self.user.uid
    }

    /// The process id of the postmaster; none while stopped.
    pub fn postmaster_pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Postmaster::id)
    }

    /// What the server has written to its log so far, over all restarts.
    pub fn log(&self) -> String {
        self.folder.log()
    }

    /// The variables with which libpq programs and lastgood find this cluster as its superuser, without a secret.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("PGHOST", HOST.to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", SUPERUSER.to_owned()),
            ("PGPASSFILE", self.passfile().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Runs SQL in a database over TCP and returns the rows: unaligned, `|` between columns, no last line end.
    ///
    /// # Errors
    /// If `psql` cannot be run, or at the first statement that fails.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, ClusterError> {
        self.run_psql(database, &[], sql)
    }

    /// Runs a file of SQL and `psql` commands; like [`psql`](Self::psql) otherwise.
    ///
    /// # Errors
    /// As [`psql`](Self::psql), and if the file cannot be read.
    pub fn psql_file(&self, database: &str, file: &Path) -> Result<String, ClusterError> {
        self.run_psql(database, &[OsStr::new("-f"), file.as_os_str()], "")
    }

    /// Makes an empty database of exactly this name, whatever characters it has.
    ///
    /// # Errors
    /// If the server refuses, for example because the database exists.
    pub fn create_database(&self, name: &str) -> Result<(), ClusterError> {
        // `template0`: unlike `template1`, nobody can be connected to it, so tests may do this at the same time.
        self.psql("postgres", &format!("CREATE DATABASE {} TEMPLATE template0", quote_identifier(name))).map(drop)
    }

    /// Stops the server; nothing happens if it is stopped.
    ///
    /// # Errors
    /// If it does not end in time; a smart shutdown waits for clients. It then still runs.
    pub fn stop(&self, how: Shutdown) -> Result<(), ClusterError> {
        let mut postmaster = self.lock();
        if let Some(running) = postmaster.as_mut() {
            running.stop(how)?;
            *postmaster = None;
        }
        Ok(())
    }

    /// Starts the stopped or killed server on the same data and port; nothing happens if it runs.
    ///
    /// # Errors
    /// If it does not come up; the error holds its log.
    pub fn start_again(&self) -> Result<(), ClusterError> {
        let mut postmaster = self.lock();
        if postmaster.as_mut().is_some_and(Postmaster::is_running) {
            return Ok(());
        }
        *postmaster = None;
        *postmaster = Some(launch(&self.programs.server, &self.user, &self.folder, Port::Fixed(self.port))?.0);
        Ok(())
    }

    /// Stops the server and starts it again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start_again`](Self::start_again).
    pub fn restart(&self, how: Shutdown) -> Result<(), ClusterError> {
        self.stop(how)?;
        self.start_again()
    }

    /// Kills the postmaster with SIGKILL and waits until its children have noticed: a crash.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn kill(&self) -> Result<(), ClusterError> {
        match self.lock().take() {
            Some(running) => running.kill(),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Postmaster>> {
        // A test that panicked while it held this says nothing about the server.
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_passfile(&self) -> Result<(), ClusterError> {
        let (port, password) = (self.port, &self.password);
        let lines = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{port}:*:{SUPERUSER}:{password}\n"));
        folder::write_private(self.passfile(), &lines.concat())
    }

    fn run_psql(&self, database: &str, arguments: &[&OsStr], stdin: &str) -> Result<String, ClusterError> {
        let mut command = Command::new(self.bin_dir().join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(arguments);
        // Without the caller's PG* variables, which could lead to another server. The name goes in as a variable:
        // as an argument, one with `=` in it would be read as a connection string.
        without_environment(&mut command)
            .envs(self.env())
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT_S);
        let rows = run(command, stdin)?;
        Ok(rows.strip_suffix('\n').map(str::to_owned).unwrap_or(rows))
    }
}

/// An SQL identifier that means exactly this name.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs `initdb` and appends the settings.
fn init(
    bin_dir: &Path,
    user: &ServerUser,
    folder: &Folder,
    password: &str,
    options: &ClusterOptions,
) -> Result<(), ClusterError> {
    let password_file = folder.path().join("initdb-password");
    folder::write_private(&password_file, password)?;
    user.own(&password_file)?;
    let mut arguments: Vec<OsString> = [
        "--auth-host=scram-sha-256",
        "--auth-local=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--username",
        SUPERUSER,
        "--pwfile",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.extend([password_file.clone().into_os_string(), "-D".into(), folder.data_dir().into()]);
    if !options.fsync {
        arguments.push("--no-sync".into());
    }
    arguments.extend(options.initdb.iter().map(OsString::from));
    let mut command = user.command(&bin_dir.join("initdb"));
    with_own_libraries(without_environment(command.args(arguments)), bin_dir);
    run(command, "")?;
    fs::remove_file(&password_file).map_err(ClusterError::io("remove", &password_file))?;

    let conf = folder.data_dir().join("postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(&conf).map_err(ClusterError::io("open", &conf))?;
    file.write_all(options.settings(HOST, folder.socket_dir()).as_bytes()).map_err(ClusterError::io("write", &conf))
}

/// Starts the postmaster; a port that somebody took in the meantime is replaced unless it is fixed.
fn launch(bin_dir: &Path, user: &ServerUser, folder: &Folder, wanted: Port) -> Result<(Postmaster, u16), ClusterError> {
    let mut attempt = 1;
    loop {
        let port = match wanted {
            Port::Free => postmaster::free_port()?,
            Port::Fixed(port) => port,
        };
        match Postmaster::start(bin_dir, user, folder, port)? {
            Start::Ready(postmaster) => return Ok((postmaster, port)),
            Start::PortTaken if attempt < postmaster::PORT_ATTEMPTS => attempt += 1,
            Start::PortTaken => return Err(ClusterError::NoPort { attempts: attempt, log: folder.log() }),
        }
    }
}

/// Leaves only what a program needs to be found, and fixes the time zone and language of what it writes.
fn without_environment(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    command.env_clear().env("PATH", path).env("TZ", "UTC").env("LC_ALL", "C.UTF-8")
}

/// Lets programs that were not installed by the distribution find the libraries that came with them.
fn with_own_libraries<'c>(command: &'c mut Command, bin_dir: &Path) -> &'c mut Command {
    if let Some(folder) = installs::libraries(bin_dir) {
        command.env("LD_LIBRARY_PATH", folder);
    }
    command
}

/// Runs a program to its end with this input, and returns its output.
fn run(mut command: Command, stdin: &str) -> Result<String, ClusterError> {
    let program = PathBuf::from(command.get_program());
    let failed = ClusterError::io("run", &program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Err(failed(error)),
    };
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading says why by its status and on stderr; a broken pipe adds nothing.
            let _ = input.map(|mut pipe| pipe.write_all(stdin.as_bytes()));
        });
        child.wait_with_output()
    })
    .map_err(failed)?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(ClusterError::Program { program, status: output.status, stderr })
}

#[cfg(test)]
mod tests;
