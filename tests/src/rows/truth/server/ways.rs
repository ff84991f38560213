//! Two servers with a database of one name: each way of naming one of them reaches it, with all programs and hooks.

use backup_testkit::postgres::{Cluster, ClusterOptions};

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// A way of naming the second server.
struct Way {
    what: &'static str,
    /// What stands in place of the database.
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

pub(super) async fn each_reaches_the_server_that_is_meant(world: &World) -> RowResult {
    let other = Cluster::start(ClusterOptions::default())?;
    let shop = world.create("shop")?;
    other.create_database(&shop)?;
    for (cluster, name, rows) in [(&**world.cluster(), "a", 1), (&other, "b", 2)] {
        let fill = format!(
            "CREATE TABLE only_{name} (id int); INSERT INTO only_{name} SELECT generate_series(1, {rows}); \
             CREATE TABLE visits (id int)"
        );
        cluster.psql(&shop, &fill)?;
    }
    let passwords = world.folder().join("passwords");
    let line = |cluster: &Cluster| format!("*:{}:*:postgres:{}\n", cluster.port(), cluster.password());
    std::fs::write(&passwords, line(world.cluster()) + &line(&other))?;
    std::fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    for (at, way) in ways(world, &other, &shop)?.into_iter().enumerate() {
        reaches(world, &other, &shop, &way, at).await.within(way.what)?;
    }
    Ok(())
}

/// Dumps and restores that way: rows, definitions, hooks and the copy are all on the other server.
async fn reaches(world: &World, other: &Cluster, shop: &str, way: &Way, at: usize) -> RowResult {
    let visits = |cluster: &Cluster| cluster.psql(shop, "SELECT count(*) FROM visits");
    let before = (visits(world.cluster())?, visits(other)?);
    let run = |words: &[&str], arguments: &[String]| {
        let command = world.lastgood(words.iter().copied()).args(arguments.to_vec());
        // The environment leads to the first server, but for what the way says.
        let command = command.env("PGPASSFILE", world.folder().join("passwords").display().to_string());
        way.environment.iter().fold(command, |command, (name, value)| command.env(*name, value))
    };
    let hook = "psql -Atqc 'INSERT INTO visits VALUES (1)'";
    let dump = run(&["pg", "dump", "--json", "--pre-dump-hook", hook], &way.arguments).ok().await?;
    let key = dump.json()?["key"].as_str().map(str::to_owned).ok_or_else(|| dump.fault("it names no key"))?;
    ensure!(visits(world.cluster())? == before.0, "the hook visited the first server");
    ensure!(visits(other)? != before.1, "the hook did not visit the second server");
    let copy = format!("{shop}_{at}");
    // A restore names its dump, and the server as before.
    let (mut words, mut arguments) = (vec!["pg", "restore", "--into", &copy], way.arguments.clone());
    match arguments.iter().position(|argument| argument == "-d" || argument == shop) {
        Some(named) if arguments[named] == "-d" => drop(arguments.splice(named..named + 2, [key])),
        Some(named) => arguments[named] = key,
        None if arguments.is_empty() => arguments.push(key),
        // The string names the server and the database; its latest dump is this one.
        None => {}
    }
    words.push("--post-create-hook");
    let hook = "psql -Atqc 'COMMENT ON SCHEMA public IS $$seen$$'";
    words.push(hook);
    run(&words, &arguments).ok().await?;
    let names = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relname <> 'visits' \
                 AND relnamespace = 'public'::regnamespace";
    ensure_eq!(other.psql(&copy, names)?, "only_b", "tables of the copy");
    ensure_eq!(other.psql(&copy, "SELECT count(*) FROM only_b")?, "2", "rows of the copy");
    ensure!(!world.databases()?.contains(&copy), "the copy is on the first server");
    other.psql("postgres", &format!("DROP DATABASE {copy}"))?;
    Ok(())
}

fn ways(world: &World, other: &Cluster, shop: &str) -> RowResult<Vec<Way>> {
    let (host, port, socket) = (other.host(), other.port().to_string(), other.socket_dir().display().to_string());
    let services = format!(
        "# servers\n[first]\nhost=nowhere.invalid\n\n[second]\nhost={host}\nport={port}\nuser=postgres\ndbname={shop}\npassword={}\n",
        other.password()
    );
    let write = |path: &str, text: &str| -> RowResult<String> {
        let path = world.folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(world.folder()))?;
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let file = write("services", &services)?;
    write("home/.pg_service.conf", &services)?;
    let system = write("etc/pg_service.conf", &services)?.trim_end_matches("/pg_service.conf").to_owned();
    let by_url = write("by-url.toml", &format!("[pg]\nurl = \"postgresql://postgres@{host}:{port}/{shop}\"\n"))?;
    let by_service = write("by-service.toml", "[pg]\nurl = \"service=second\"\n")?;
    let url = format!("postgresql://postgres@{host}:{port}/{shop}");
    let way = |what, arguments: &[&str], environment: &[(&'static str, &str)]| Way {
        what,
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment: environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    };
    // What the environment of every row names, and libpq lets a service win over.
    let nothing = [("PGHOST", ""), ("PGPORT", ""), ("PGUSER", "")];
    let without = |more: &[(&'static str, &'static str)]| [&nothing[..], more].concat();
    let named = format!("host=nowhere.invalid hostaddr={host} port={port} user=postgres dbname={shop}");
    let second = format!("127.0.0.1,{host}");
    let ports = format!("1,{port}");
    let mut ways = vec![
        way("PGSERVICE", &[], &[("PGSERVICE", "second"), ("PGSERVICEFILE", &file), ("PGPASSFILE", "/nonexistent")]),
        way("service= and ~/.pg_service.conf", &["service=second"], &[]),
        way(
            "service= in a URL",
            &[],
            &[("LASTGOOD_PG_URL", "postgresql:///?service=second"), ("PGSYSCONFDIR", &system)],
        ),
        way("PGHOSTADDR", &[shop], &[("PGHOST", "nowhere.invalid"), ("PGHOSTADDR", host), ("PGPORT", &port)]),
        way("hostaddr=", &[&named], &[]),
        way("-h, -p, -U and -d", &["-h", host, "-p", &port, "-U", "postgres", "-d", shop], &[("PGUSER", "nobody")]),
        way("-h of a socket", &["-h", &socket, "-p", &port, shop], &[]),
        way("PGHOST and PGPORT", &[shop], &[("PGHOST", host), ("PGPORT", &port)]),
        way("a second host", &[shop], &[("PGHOST", &second), ("PGPORT", &ports)]),
        way("a URL", &[&url], &[]),
        way("LASTGOOD_PG_URL", &[], &[("LASTGOOD_PG_URL", &url), ("DATABASE_URL", "mysql://h/d")]),
        way("DATABASE_URL", &[], &[("DATABASE_URL", &url.replace("postgresql://", "postgresql+psycopg://"))]),
    ];
    let mut of_file = |what, path: &str| {
        let mut way = way(what, &[], &without(&[]));
        way.environment.push(("LASTGOOD_CONFIG_FILE", path.to_owned()));
        ways.push(way);
    };
    of_file("the configuration file's URL", &by_url);
    of_file("the configuration file's service", &by_service);
    Ok(ways)
}
