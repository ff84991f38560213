//! A real server: what it keeps, whom it lets in, and that nothing of it stays.

use std::path::Path;

use super::*;

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[test]
fn a_cluster_keeps_its_data_over_restarts_and_a_crash_and_leaves_nothing() {
    let options = ClusterOptions { conf: vec!["work_mem = '5MB'".into()], ..ClusterOptions::default() };
    let cluster = Cluster::start(options).unwrap();
    let first = cluster.postmaster_pid().unwrap();
    assert_ne!(cluster.server_uid(), 0);
    let shown =
        cluster.psql("postgres", "SHOW work_mem; SHOW fsync; SHOW server_encoding; SHOW max_connections").unwrap();
    assert_eq!(shown, "5MB\noff\nUTF8\n100");

    let name = "a \"b\" = :c\\d é";
    cluster.create_database(name).unwrap();
    cluster.psql(name, "CREATE TABLE t AS SELECT 7 AS a, 'x' AS b").unwrap();
    cluster.restart(Shutdown::Fast).unwrap();
    cluster.restart(Shutdown::Immediate).unwrap();
    cluster.restart(Shutdown::Smart).unwrap();
    cluster.kill().unwrap();
    assert_eq!(cluster.postmaster_pid(), None);
    assert_eq!(postmaster::processes_in(cluster.data_dir()), []);
    assert!(cluster.psql("postgres", "SELECT 1").is_err());
    cluster.start_again().unwrap();
    assert_eq!(cluster.psql(name, "SELECT * FROM t").unwrap(), "7|x");
    assert!(cluster.log().contains("automatic recovery in progress"));

    let (last, folder) = (cluster.postmaster_pid().unwrap(), cluster.folder.path().to_owned());
    assert!(is_alive(last) && !is_alive(first));
    assert!(
        !postmaster::processes_in(cluster.data_dir()).is_empty(),
        "else the look after the drop finds nothing ever"
    );
    let data_dir = cluster.data_dir().to_owned();
    drop(cluster);
    assert!(!is_alive(last));
    assert_eq!(postmaster::processes_in(&data_dir), []);
    assert!(!folder.exists());
}

#[test]
fn tcp_needs_the_password_and_the_socket_does_not() {
    let cluster = Cluster::shared();
    let connect = |host: &str, password: &str| {
        let mut command = Command::new(cluster.bin_dir().join("psql"));
        command.args(["-X", "-A", "-t", "-w", "-c", "SELECT 1", "-h", host, "-p", &cluster.port().to_string()]);
        without_environment(&mut command)
            .env("PGUSER", cluster.superuser())
            .env("PGDATABASE", "postgres")
            .env("PGPASSFILE", "/dev/null")
            .env("PGPASSWORD", password);
        run(command, "")
    };
    assert_eq!(connect(cluster.host(), cluster.password()).unwrap(), "1\n");
    let refused = connect(cluster.host(), "wrong").unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert_eq!(connect(&cluster.socket_dir().display().to_string(), "wrong").unwrap(), "1\n");
}

#[test]
fn a_shared_cluster_outlives_the_thread_that_started_it() {
    let pid = thread_result(|| Cluster::shared().postmaster_pid());
    // The thread is gone; were it the parent, the server would have got its signal by now.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(Cluster::shared().postmaster_pid(), pid);
    assert_eq!(Cluster::shared().psql("postgres", "SELECT 1").unwrap(), "1");

    let own = thread_result(|| Cluster::start(ClusterOptions::default()).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(own.psql("postgres", "SELECT 2").unwrap(), "2");
}

fn thread_result<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().unwrap()
}

#[test]
fn the_first_failing_statement_ends_a_script() {
    let cluster = Cluster::shared();
    let error = cluster.psql("postgres", "SELECT 1;\nSELECT no_such_thing;\nSELECT 3;").unwrap_err().to_string();
    assert!(error.contains("no_such_thing") && !error.contains(cluster.password()), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "\\set x 5\nSELECT :x;\n").unwrap();
    assert_eq!(cluster.psql_file("postgres", file.path()).unwrap(), "5");
    // More than pipes hold in both directions at once.
    let long = "SELECT repeat('x', 1000);\n".repeat(5_000);
    assert_eq!(cluster.psql("postgres", &long).unwrap().lines().count(), 5_000);
}

#[test]
fn a_setting_the_server_refuses_is_shown_with_its_log() {
    let options = ClusterOptions { conf: vec!["no_such_setting = 1".into()], ..ClusterOptions::default() };
    let error = Cluster::start(options).unwrap_err();
    assert!(matches!(error, ClusterError::Ended { .. }));
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn the_passfile_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(Cluster::shared().passfile()), 0o600);
    assert_eq!(mode(Cluster::shared().socket_dir()), 0o700);
    assert!(!Cluster::shared().env().iter().any(|(_, value)| value.contains(Cluster::shared().password())));
}
