//! The server that is meant is the one that is dumped: rows W10.

mod ways;

use crate::harness::failure::Within as _;
use crate::harness::{Area, Locations, Row, RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit code for what cannot be used.
const USAGE: i32 = 2;

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    let (truth, both) = (Area::Truth, Locations::Both);
    vec![
        Row::new("W10", "each way of naming one of two servers reaches that one", truth, both, |world| {
            Box::pin(ways::each_reaches_the_server_that_is_meant(world))
        }),
        Row::new("W10b", "what libpq has and we cannot do is refused by name", truth, both, |world| {
            Box::pin(refused_by_name(world))
        }),
        Row::new("W10c", "`-h` is a host as for psql, and never help by mistake", truth, both, |world| {
            Box::pin(never_help_by_mistake(world))
        }),
        Row::new("W10d", "PGOPTIONS reaches sessions, programs and hooks", truth, both, |world| {
            Box::pin(options_are_passed_on(world))
        }),
    ]
}

/// Settings with a variable, and values that would matter.
const REFUSED: [(&str, &str, &str); 20] = [
    ("gssencmode", "PGGSSENCMODE", "require"),
    ("requiressl", "PGREQUIRESSL", "1"),
    ("sslnegotiation", "PGSSLNEGOTIATION", "direct"),
    ("sslcert", "PGSSLCERT", "/hush"),
    ("sslkey", "PGSSLKEY", "/hush"),
    ("sslcertmode", "PGSSLCERTMODE", "require"),
    ("sslcrl", "PGSSLCRL", "/hush"),
    ("sslcrldir", "PGSSLCRLDIR", "/hush"),
    ("sslsni", "PGSSLSNI", "0"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "TLSv1.3"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", "TLSv1.2"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", "3.2"),
    ("krbsrvname", "PGKRBSRVNAME", "hush"),
    ("gssdelegation", "PGGSSDELEGATION", "1"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", "random"),
    // Honoured, but not with such values.
    ("service", "PGSERVICE", "nowhere"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", "writable"),
    ("require_auth", "PGREQUIREAUTH", "scram"),
    ("options", "PGOPTIONS", "--hush"),
    ("channel_binding", "PGCHANNELBINDING", "perhaps"),
];

/// Settings that only a connection string has.
const WITHOUT_VARIABLE: [(&str, &str); 8] = [
    ("replication", "database"),
    ("sslkeylogfile", "/hush"),
    ("sslpassword", "hush"),
    ("scram_client_key", "hush"),
    ("scram_server_key", "hush"),
    ("oauth_issuer", "https://hush"),
    ("oauth_client_id", "hush"),
    ("oauth_client_secret", "hush"),
];

/// Arguments, variables, and what the refusal names.
type Case<'a> = (Vec<String>, Vec<(&'a str, String)>, &'a str);

async fn refused_by_name(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let (location, databases) = (world.place().picture().await?, world.databases()?);
    let url = |login: &str, query: &str| format!("postgresql://{login}{}/{shop}?{query}", world.cluster().host());
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (keyword, variable, value) in REFUSED {
        cases.push((vec![shop.clone()], vec![(variable, value.to_owned())], keyword));
    }
    let all = REFUSED.iter().map(|(keyword, _, value)| (*keyword, *value)).chain(WITHOUT_VARIABLE);
    for (keyword, value) in all {
        let pair = format!("{keyword}={value}");
        cases.push((vec![format!("dbname={shop} {pair}")], vec![], keyword));
        cases.push((vec![], vec![("LASTGOOD_PG_URL", url("", &pair))], keyword));
        cases.push((vec![], vec![("DATABASE_URL", url("", &format!("schema=public&{pair}")))], keyword));
    }
    for (scheme, text) in
        [("mysql", "mysql://u:hush@h/d"), ("sqlite", "sqlite:hush.db"), ("jdbc", "jdbc:postgresql://h/hush")]
    {
        cases.push((vec![text.to_owned()], vec![], scheme));
        cases.push((vec![shop.clone()], vec![("LASTGOOD_PG_URL", text.to_owned())], scheme));
        cases.push((vec![shop.clone()], vec![("DATABASE_URL", text.to_owned())], scheme));
    }
    for (arguments, environment, name) in &cases {
        for words in [["pg", "dump"], ["pg", "restore"]] {
            // Without a database a restore would miss that first.
            if words[1] == "restore" && arguments.is_empty() {
                continue;
            }
            let command = world.lastgood(words).args(arguments.clone());
            let command = environment.iter().fold(command, |command, (name, value)| command.env(*name, value));
            let refused = command.fails(USAGE).await.within(&format!("{arguments:?} {environment:?}"))?;
            refused.says(&format!("`{name}`"))?.never_says("hush")?;
        }
    }
    ensure_eq!(world.place().picture().await?, location, "the location after what was refused");
    ensure_eq!(world.databases()?, databases, "databases after what was refused");
    Ok(())
}

async fn never_help_by_mistake(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let (host, port) = (world.cluster().host(), world.cluster().port().to_string());
    let lost =
        |words: &[&str]| world.lastgood(words.iter().copied()).env("PGHOST", "nowhere.invalid").env("PGPORT", "1");
    let login = ["-h", host, "-p", &port, "-U", "postgres"];
    let with = |words: &[&str]| lost(&[words, &login].concat()).env("PGUSER", "nobody");
    for words in [vec!["pg", "dump", &shop], vec!["pg", "dump", "-d", &shop], vec!["pg", "ls", "--local", "-w"]] {
        with(&words).ok().await?.never_says("Usage:")?;
    }
    ensure_eq!(world.keys(&shop).await?.len(), 2, "dumps made with -h, -p, -U and -d");
    let copies = [world.name("restored"), world.name("copied")];
    with(&["pg", "restore", &shop, "--into", &copies[0]]).ok().await?;
    with(&["pg", "copy", &copies[0], &copies[1]]).ok().await?;
    ensure_eq!(world.checksum(&copies[1])?, world.checksum(&shop)?, "the copy");
    for copy in &copies {
        with(&["pg", "drop-local", copy, "--confirm-database", copy]).ok().await?;
    }
    with(&["pg", "recover"]).ok().await?;
    with(&["pg", "hooks", "test", "--pre-swap-hook", "psql -c 'SELECT 1'"]).ok().await?;
    with(&["doctor", &shop]).ok().await?.says(&format!(" on {host}:{port} as `"))?;
    let location = world.place().picture().await?;
    for words in
        [vec!["pg", "dump", "-h"], vec!["pg", "dump", &shop, "-h"], vec!["pg", "restore", "-h"], vec!["doctor", "-h"]]
    {
        world.lastgood(words).fails(USAGE).await?.says("use `--help` for help")?;
    }
    let conninfo = format!("host={host} dbname={shop}");
    for (words, said) in [
        (vec!["app", "backup", "-h", host, "--source", "postgres:shop"], "here `-h` prints help"),
        (vec!["pg", "prune", "-hdb1"], "here `-h` prints help"),
        (vec!["pg", "dump", "-h", "other.invalid", &conninfo], "give different values for `host`"),
        (vec!["pg", "dump", "-d", &shop, &shop], "with `-d`"),
        (vec!["pg", "dump", "-W", &shop], "~/.pgpass"),
        (vec!["pg", "ls", "-h", host], "--local"),
    ] {
        world.lastgood(words).fails(USAGE).await?.says(said)?;
    }
    for words in
        [vec!["pg", "dump", "--help"], vec!["doctor", "-?"], vec!["-h"], vec!["pg", "-h"], vec!["pg", "prune", "-h"]]
    {
        world.lastgood(words).ok().await?.says("Usage:")?;
    }
    ensure_eq!(world.place().picture().await?, location, "the location after help and usage errors");
    Ok(())
}

async fn options_are_passed_on(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let reader = world.name("reader");
    world.psql("postgres", &format!("CREATE ROLE {reader}"))?;
    let with = |words: &[&str], options: &str| world.lastgood(words.iter().copied()).env("PGOPTIONS", options);
    let role = format!("-c role={reader}");
    let refused = with(&["pg", "dump", &shop], &role).fails(1).await?.says("no permission to read")?;
    ensure!(refused.stderr.contains("public.customers"), "our own session had another role");
    world.psql(&shop, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"))?;
    world.psql(&shop, &format!("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {reader}"))?;
    world.psql(&shop, &format!("GRANT SELECT ON LARGE OBJECT 777 TO {reader}"))?;
    let hook = "test \"$(psql -Atc 'SELECT current_user')\" = \"$EXPECTED\"";
    let dump = ["pg", "dump", &shop, "--pre-dump-hook", hook];
    with(&dump, &role).env("EXPECTED", &reader).ok().await?;
    // What a session sets itself wins: a limit of the user's would end the dump half-way.
    with(&["pg", "dump", &shop], "-c statement_timeout=300 -c default_transaction_read_only=on").ok().await?;
    let copy = world.name("copy");
    let restore = ["pg", "restore", &shop, "--into", &copy];
    with(&restore, "-c statement_timeout=300 -c default_transaction_read_only=on").ok().await?;
    ensure_eq!(world.checksum(&copy)?, world.checksum(&shop)?, "the copy");
    for database in [&shop, &copy] {
        world.psql(database, &format!("DROP OWNED BY {reader}"))?;
    }
    world.psql("postgres", &format!("DROP ROLE {reader}"))?;
    Ok(())
}
