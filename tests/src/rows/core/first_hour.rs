//! Q-quiet, Q-bare, Q-words, Q-connect: the first hour of somebody new.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::harness::{Failure, Output, RowResult, World};
use crate::{ensure, ensure_eq};

const USAGE: i32 = 2;
const UNREACHABLE: i32 = 21;

const GUIDE: &str = include_str!("../../../../docs/guides/postgres.md");

/// Q-quiet: with `-q` nothing is printed when all is well, and everything that is not well.
pub(super) async fn quiet(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let copy = world.name("copy");
    std::fs::create_dir(world.folder().join("records"))?;
    std::fs::write(world.folder().join("records/User--users.json"), "{\"id\": \"1\"}\n")?;
    for command in [
        &["pg", "dump", &shop][..],
        &["pg", "dump", &shop],
        &["pg", "verify", &shop, "--read", "all"],
        &["pg", "verify", "--all"],
        &["pg", "restore", &shop, "--into", &copy],
        &["pg", "copy", &copy, "spare"],
        &["pg", "drop-local", "spare"],
        &["pg", "recover"],
        &["pg", "tag", "add", &shop, "keep"],
        &["pg", "prune", &shop, "--keep-last", "1", "--yes"],
        &["pg", "hooks", "test", &shop, "--pre-swap-sql", "empty"],
        &["app", "backup", "--source", "ndjson:records"],
        &["app", "verify"],
        &["app", "restore", "--to", "ndjson:back"],
        &["app", "prune", "--keep-last", "1", "--yes"],
        &["init"],
        &["doctor", &shop],
    ] {
        let output = world.lastgood(["-q"]).args(command.iter().copied()).ok().await?;
        let said = format!("{}{}", output.stdout, output.stderr);
        ensure_eq!(said, String::new(), "what `{}` prints", output.line);
    }
    // What was asked for is shown all the same.
    world.lastgood(["-q", "pg", "ls"]).ok().await?.says("good")?;
    ensure!(
        world.lastgood(["-q", "pg", "dump", &shop, "--json"]).ok().await?.json()?["key"].is_string(),
        "no document"
    );
    world.lastgood(["-q", "pg", "dump", &shop, "-n"]).ok().await?.says("Would dump")?;
    world.lastgood(["-q", "pg", "dump", "nobody"]).run().await?.says("error")?;
    let partial = world.lastgood(["-q", "pg", "dump", &shop, "--exclude-table-data", "*"]).ok().await?;
    partial.says("never counts as the last good dump")?;
    Ok(())
}

/// Q-help: options of every command are shown once, and names that were given can be listed.
pub(super) async fn pages(world: &World) -> RowResult {
    let page = async |arguments: &[&str]| RowResult::Ok(world.lastgood(arguments.iter().copied()).ok().await?.stdout);
    let (short, long) = (page(&["pg", "restore", "--help"]).await?, page(&["pg", "restore", "--help-all"]).await?);
    ensure!(!short.contains("--limit-upload") && short.contains("--help-all"), "{short}");
    ensure!(short.contains("Exit codes:") && short.lines().count() <= 130, "{} lines of help", short.lines().count());
    ensure!(long.contains("--limit-upload") && long.contains("--into"), "{long}");
    ensure!(page(&["--help"]).await?.contains("--limit-upload"), "the first page has the options of every command");
    // A location in the environment is no command.
    for group in [&[][..], &["pg"], &["pg", "tag"]] {
        let shown = world.lastgood(group.iter().copied()).env("LASTGOOD_REPO", "./backups").fails(USAGE).await?;
        shown.says("Usage: lastgood")?.says("Examples:")?.never_says("reference")?;
    }
    let file = "repo = 'here'\n[pg.configs.nightly]\njobs = 1\n[profile.staging]\nrepo = 's3://acme/staging'\n";
    std::fs::write(world.folder().join("lastgood.toml"), file)?;
    let names = world.lastgood(["config", "ls"]).ok().await?.says("--config nightly")?.says("-P staging")?;
    names.says("s3://acme/staging")?;
    let names = world.lastgood(["config", "ls", "--json"]).ok().await?.json()?;
    ensure_eq!(names[0]["kind"].as_str(), Some("configuration"), "the first name");
    ensure_eq!(names[1]["repo"].as_str(), Some("s3://acme/staging"), "the location of the second");
    Ok(())
}

/// Has the server read its settings again, from its folder.
const RELOAD: &str = "kill -HUP $(head -1 postmaster.pid) && sleep 1";

/// A block of the guide in this language.
fn block(language: &str) -> RowResult<&'static str> {
    let begin = format!("```{language}\n");
    let (_, rest) = GUIDE.split_once(&begin).ok_or_else(|| Failure::new(format!("the guide has no {language}")))?;
    Ok(rest.split("```").next().unwrap_or_default())
}

/// What stands for the guide's server and location here. Everything else is as the guide has it.
fn here(world: &World, (name, value): (&str, &str)) -> RowResult<(String, String)> {
    let cluster = world.cluster();
    let value = match name {
        "PATH" => {
            let folder = world.folder().join("bin");
            ensure!(
                value.split(':').next() == Some("/usr/local/bin"),
                "the guide's PATH has another place for lastgood"
            );
            format!("{}:{}:{value}", folder.display(), cluster.bin_dir().display())
        }
        "PGHOST" => cluster.host().to_owned(),
        "PGUSER" => cluster.superuser().to_owned(),
        "LASTGOOD_REPO" => world.place().url(),
        _ => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

/// Runs a line of a shell with these variables and nothing else, as cron and systemd do.
fn bare(world: &World, variables: &BTreeMap<String, String>, line: &str) -> RowResult {
    let home = world.folder().join("home");
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .env_clear()
        .env("HOME", &home)
        .env("LOGNAME", "backup")
        .env("SHELL", "/bin/sh")
        .envs(variables)
        // The port of a test's server is not the usual one.
        .env("PGPORT", world.cluster().port().to_string())
        .current_dir(&home)
        .stdin(Stdio::null())
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "`{line}` ended with {}: {said}", output.status);
    ensure_eq!(said, String::new(), "what `{line}` would mail");
    Ok(())
}

/// Q-bare: the lines for cron and for systemd in the guide, from a bare environment.
pub(super) async fn bare_environment(world: &World) -> RowResult {
    let shop = "shop";
    world.psql("postgres", &format!("CREATE DATABASE {shop} TEMPLATE template0"))?;
    world.psql(shop, "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 10) g")?;
    let home = world.folder().join("home");
    std::fs::create_dir_all(&home)?;
    std::fs::create_dir(world.folder().join("bin"))?;
    symlink(world.lastgood_binary(), world.folder().join("bin/lastgood"))?;
    std::fs::copy(world.cluster().passfile(), home.join(".pgpass"))?;
    std::fs::set_permissions(home.join(".pgpass"), std::fs::Permissions::from_mode(0o600))?;

    let (mut variables, mut lines) = (BTreeMap::new(), Vec::new());
    for line in block("crontab")?.lines().filter(|line| !line.is_empty()) {
        match line
            .split_once('=')
            .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        {
            Some(variable) => variables.extend([here(world, variable)?]),
            None => lines.push(line.splitn(6, ' ').last().unwrap_or_default().trim().to_owned()),
        }
    }
    ensure_eq!(lines.len(), 1, "lines of the crontab");
    ensure!(!lines[0].contains(['%', '\\']), "cron cannot read `{}`", lines[0]);
    for _ in 0..2 {
        bare(world, &variables, &lines[0])?;
    }
    ensure_eq!(world.keys(shop).await?.len(), 1, "dumps of one day after two nights and their prunes");

    let unit = block("systemd")?;
    let mut variables = BTreeMap::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        for variable in line.split(' ').filter_map(|word| word.split_once('=')) {
            variables.extend([here(world, variable)?]);
        }
    }
    let commands: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/")).collect();
    ensure_eq!(commands.len(), 2, "commands of the unit");
    for command in commands {
        bare(world, &variables, command)?;
    }
    Ok(())
}

/// Q-words: what people type who know other programs.
pub(super) async fn words(world: &World) -> RowResult {
    for (typed, named) in [
        (&["snapshots"][..], "`lastgood pg ls`"),
        (&["ls"], "`lastgood pg ls`"),
        (&["dump", "shop"], "`lastgood pg dump DATABASE`"),
        (&["backup", "shop"], "`lastgood pg dump DATABASE`"),
        (&["pg", "backup", "shop"], "`lastgood pg dump DATABASE`"),
        (&["forget", "--keep-last", "3"], "`lastgood pg prune"),
        (&["app", "forget"], "`lastgood app prune"),
        (&["check"], "`lastgood pg verify"),
        (&["stats"], "`lastgood pg show KEY`"),
        (&["find", "x"], "`lastgood pg ls DATABASE`"),
        (&["mount", "/mnt"], "`lastgood pg restore KEY --into NAME`"),
        (&["unlock"], "`lastgood pg recover`"),
        (&["latest"], "`lastgood pg show DATABASE`"),
        (&["pg", "restore", "shop", "--latest"], "`lastgood pg restore DATABASE`"),
        (&["pg", "restore", "shop", "--target", "x"], "--into DATABASE`"),
        (&["show", "shop"], "`lastgood pg show KEY`"),
        (&["verify", "shop"], "`lastgood pg verify DATABASE"),
        (&["prune"], "`lastgood pg prune"),
        (&["copy", "a", "b"], "`lastgood pg copy`"),
        (&["compact"], "`lastgood dict compact`"),
        (&["rm", "x"], "`lastgood pg prune"),
        (&["pg", "remove", "x"], "`lastgood pg prune"),
        (&["pg", "init"], "`lastgood init`"),
        (&["pg", "tag", "shop", "keep"], "`lastgood pg tag add KEY TAG`"),
        (&["ec2", "prune"], "`lastgood ec2 trim`"),
        (&["pg", "dump", "shop", "-Fc"], "FORMAT.md"),
        (&["pg", "dump", "shop", "-t", "orders"], "`--exclude-table`"),
        (&["pg", "restore", "shop", "--clean"], "swaps that in"),
        (&["pg", "verify", "shop", "--read-data"], "--read all`"),
    ] {
        let refused = world.lastgood(typed.iter().copied()).fails(USAGE).await?;
        let refused = refused.says(named)?.never_says("a similar")?;
        ensure!(!refused.stderr.contains("tip:"), "a guess: {}", refused.stderr);
        let document = world.lastgood(["--json"]).args(typed.iter().copied()).fails(USAGE).await?;
        ensure!(document.stderr.contains("\"code\":\"cli::usage\""), "{}", document.stderr);
    }
    for wanted in ["show", "verify", "restore"] {
        world.lastgood(["pg", wanted, "latest"]).fails(1).await?.says("`lastgood pg show DATABASE`")?;
    }
    let shop = world.sample("shop")?;
    let keys = [world.dump(&shop).await?, world.dump(&shop).await?];
    let several = world.lastgood(["pg", "verify", &keys[0], &keys[1], "--read", "all"]).ok().await?;
    several.says(&keys[0])?.says(&keys[1])?;
    let all = world.lastgood(["pg", "verify", "--all", "--json"]).ok().await?.json()?;
    ensure_eq!(all.as_array().map(Vec::len), Some(2), "reports of --all");
    world.lastgood(["pg", "dump", &shop, "--lock-timeout", "5"]).fails(USAGE).await?.says("write 5s or 5m")?;
    world.lastgood(["pg", "dump", &shop, "--config", "nightly"]).ok().await?.never_says("was `")?;
    world.lastgood(["pg", "dump", &shop, "--config", "nigthly"]).ok().await?.says("was `nightly` meant?")?;
    units(world, &shop).await?;
    let long = "x".repeat(64);
    world.lastgood(["pg", "restore", &keys[0], "--into", &long]).fails(USAGE).await?.says("has 64 bytes")?;
    world.lastgood(["pg", "dump", "template0"]).run().await?.says("accepts no connections")?;
    std::fs::create_dir(world.folder().join("records"))?;
    std::fs::write(world.folder().join("records/User--users.json"), "{\"id\": \"1\"}\n")?;
    world.lastgood(["app", "backup", "--source", "ndjson:records", "--name", "nightly"]).ok().await?;
    world.lastgood(["app", "show", "--name", "nigthly"]).fails(1).await?.says("backups there are named `nightly`")?;
    not_utf8(world, &shop)
}

/// Values without their unit, and names that are slightly wrong.
async fn units(world: &World, shop: &str) -> RowResult {
    let dump = |option: &'static str, value: &'static str| world.lastgood(["pg", "dump", shop, option, value]);
    dump("--limit-upload", "1024").fails(USAGE).await?.says("`1024` has no unit: write 1024KiB or 1024MiB")?;
    dump("--max-shrink", "30%").fails(USAGE).await?.says("write a whole number")?;
    let slip = dump("--lock-timout", "5s").fails(USAGE).await?;
    slip.says("--lock-timeout")?;
    let letters = world.lastgood(["pg", "prune", "--keep-daily", "a"]).fails(USAGE).await?;
    letters.says("write a whole number")?.never_says("invalid digit")?;
    let unknown = world.lastgood(["pg", "show", "nobody"]).fails(1).await?;
    unknown.says(&format!("dumps there are of `{shop}`"))?;
    let twice = world.lastgood(["dict", "restore", "latest", "-r", "./there", "--to", "x.json"]).fails(USAGE).await?;
    twice.says("are two locations")?.never_says("lastgood init")?;
    let restics = world.lastgood(["-r", "s3:https://minio:9000/backups", "pg", "ls"]).fails(USAGE).await?;
    restics.says("AWS_ENDPOINT_URL_S3")?;
    Ok(())
}

/// A variable whose value is no text.
fn not_utf8(world: &World, shop: &str) -> RowResult {
    let mut name = shop.as_bytes().to_vec();
    name.push(0xff);
    let mut command = Command::new(world.lastgood_binary());
    command.args(["pg", "dump"]).env_clear().envs(world.environment()).current_dir(world.folder());
    let output = command.env("PGDATABASE", std::ffi::OsStr::from_bytes(&name)).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(USAGE) && said.contains("`PGDATABASE` is not UTF-8"), "{said}");
    Ok(())
}

/// Q-connect: what stands between somebody and the server or the store, told as what it is.
pub(super) async fn connections(world: &World) -> RowResult {
    let aws = |command: Vec<&str>| {
        let command = world.lastgood(command).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "").env("AWS_SESSION_TOKEN", "")
    };
    let none = aws(vec!["-r", "s3://nobodys-bucket/x", "pg", "ls"]).fails(12).await?;
    none.says("no AWS credentials were found")?.says("AWS_PROFILE")?.never_says("IMDS")?;
    let half = aws(vec!["-r", "s3://nobodys-bucket/x", "pg", "ls"]).env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    half.fails(12).await?.says("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")?;
    let mistyped = aws(vec!["-r", "s3://nobodys-bucket/x", "pg", "ls"]).env("AWS_PROFILE", "bakcup");
    mistyped.fails(12).await?.says("AWS_PROFILE is `bakcup`, and there is no such profile")?;
    let keyed = |command: Vec<&'static str>| {
        world
            .lastgood(command)
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-real-secret")
    };
    let list = || keyed(vec!["-r", "s3://nobodys-bucket/x", "pg", "ls"]);
    let refused = list().env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9").fails(UNREACHABLE).await?;
    refused.says("http://127.0.0.1:9 (from AWS_ENDPOINT_URL_S3)")?;
    for endpoint in ["http://127.0.0.1:9/?token=abcdefghij", "http://me:abcdefghij@127.0.0.1:9"] {
        list().env("AWS_ENDPOINT_URL", endpoint).run().await?.never_says("abcdefghij")?;
    }
    Ok(())
}

/// A server's certificate for db9.example.org that an authority signed.
const SIGNED: &str = "{ openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=corp
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=db9.example.org
printf 'subjectAltName=DNS:db9.example.org\\nbasicConstraints=CA:FALSE\\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.crt -extfile extensions; } 2>&1 \
&& chmod 600 server.key && chown --reference=postgresql.conf server.key server.crt";

/// The same, signed by itself.
const SELF_SIGNED: &str = "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 2 -subj /CN=db9.example.org \
-addext subjectAltName=DNS:db9.example.org 2>&1 && chmod 600 server.key && chown --reference=postgresql.conf server.key server.crt";

/// A password file for any host.
fn passfile(world: &World) -> RowResult<String> {
    let lines = std::fs::read_to_string(world.cluster().passfile())?;
    let any: Vec<String> = lines.lines().filter_map(|line| Some(format!("*:{}", line.split_once(':')?.1))).collect();
    let path = world.folder().join("any-host");
    std::fs::write(&path, any.join("\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(path.display().to_string())
}

/// Q-tls: a certificate that nobody here trusts, and a list of who may connect that does not have us.
pub(super) async fn kept_out(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let folder = world.psql("postgres", "SHOW data_directory")?;
    let folder = std::path::PathBuf::from(folder.trim());
    let as_server = |script: &str| -> RowResult {
        let made = Command::new("sh").args(["-c", script]).current_dir(&folder).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    };
    as_server(SIGNED)?;
    world.psql("postgres", "ALTER SYSTEM SET ssl = on")?;
    as_server(RELOAD)?;
    let dump = |mode: &str| world.lastgood(["pg", "dump", &shop]).env("PGHOST", "127.0.0.1").env("PGSSLMODE", mode);
    let by_name = || dump("verify-full").env("PGHOST", "db9.example.org").env("PGHOSTADDR", "127.0.0.1");
    let unverified = by_name().fails(UNREACHABLE).await?;
    unverified.says("Remote connections use verify-full by default")?.says("global-bundle.pem")?;
    dump("require").ok().await?;
    let authority = folder.join("ca.pem").display().to_string();
    let other_name = dump("verify-full").env("PGSSLROOTCERT", &authority).fails(UNREACHABLE).await?;
    other_name.says("the certificate is for another name")?;

    // What `openssl req -x509` makes is an authority as well, and psql takes it for a server's.
    as_server(SELF_SIGNED)?;
    as_server(RELOAD)?;
    by_name().fails(UNREACHABLE).await?.says("the server's certificate is self-signed")?;
    let its_own = folder.join("server.crt").display().to_string();
    by_name().env("PGSSLROOTCERT", &its_own).env("PGPASSFILE", passfile(world)?).ok().await?;
    let other_name = dump("verify-full").env("PGSSLROOTCERT", &its_own).fails(UNREACHABLE).await?;
    other_name.says("the certificate is for another name")?;

    let before = std::fs::read(folder.join("pg_hba.conf"))?;
    let mut rules = b"host all all 127.0.0.1/32 reject\nhost all all ::1/128 reject\n".to_vec();
    rules.extend(&before);
    std::fs::write(folder.join("pg_hba.conf"), rules)?;
    as_server(RELOAD)?;
    let listed: Output = dump("disable").fails(UNREACHABLE).await?;
    listed.says("pg_hba.conf does not let this user connect")?.never_says("~/.pgpass")?;
    // What connects to `postgres` first is told the same.
    let databases = world.lastgood(["pg", "ls", "--local"]).env("PGHOST", "127.0.0.1").env("PGSSLMODE", "disable");
    let listed = databases.fails(UNREACHABLE).await?;
    listed.says("pg_hba.conf does not let this user connect")?.never_says("neither of the databases")?;
    std::fs::write(folder.join("pg_hba.conf"), before)?;
    as_server(RELOAD)
}
