//! Passwords with every odd sign, and servers that are not who they should be.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::harness::failure::Within as _;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Exit codes for what cannot be used and for a server that cannot be reached.
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 21;

/// The name the server's certificate should be for.
const NAME: &str = "db.example";

/// Passwords that somebody has to quote or escape somewhere on the way.
const PASSWORDS: [&str; 6] = [r"a:b\c@d'e/f", "%2F%", "p w", ":", r"\", "pä'\"$(x)`#?&="];

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// P12.
pub(super) async fn passwords(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let before = world.checksum(&shop)?;
    let role = world.name("odd_role");
    world.psql("postgres", &format!("CREATE ROLE {role} SUPERUSER LOGIN"))?;
    let cluster = world.cluster();
    let (host, port) = (cluster.host(), cluster.port());
    let passfile = world.folder().join("passwords");
    for password in PASSWORDS {
        let quoted = password.replace('\'', "''");
        world.psql("postgres", &format!("ALTER ROLE {role} PASSWORD E'{}'", quoted.replace('\\', "\\\\")))?;
        let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
        std::fs::write(&passfile, format!("# a comment\nother:*:*:*:wrong\n{host}:{port}:*:{role}:{escaped}\n"))?;
        std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600))?;
        let file = passfile.display().to_string();
        let url = format!("postgresql://{role}:{}@{host}:{port}/{shop}", percent_encoded(password));
        let conninfo = format!("password='{}' user={role}", password.replace('\\', "\\\\").replace('\'', "\\'"));
        let ways = [
            [("PGPASSFILE", file.as_str()), ("PGUSER", role.as_str())],
            [("PGPASSFILE", "/nonexistent"), ("LASTGOOD_PG_URL", url.as_str())],
            [("PGPASSFILE", "/nonexistent"), ("DATABASE_URL", url.as_str())],
            [("PGPASSFILE", "/nonexistent"), ("LASTGOOD_PG_URL", conninfo.as_str())],
        ];
        for way in ways {
            let run = async |words: &[&str]| -> RowResult {
                let command =
                    way.iter().fold(world.lastgood(words.iter().copied()), |c, (name, value)| c.env(*name, *value));
                let output = command.ok().await.within(&format!("{way:?}"))?;
                // One sign alone is in every text.
                if password.len() > 2 { output.never_says(password).map(drop) } else { Ok(()) }
            };
            run(&["pg", "dump", &shop, "-v"]).await?;
        }
        // The programs that restore log in with it, too.
        let restore = ["pg", "restore", &shop, "--confirm-database", &shop];
        world.lastgood(restore).env("PGPASSFILE", &file).env("PGUSER", &role).ok().await.within(password)?;
        ensure_eq!(world.checksum(&shop)?, before, "the database restored with {password}");
        std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o644))?;
        let refused = world.lastgood(["pg", "dump", &shop]).env("PGPASSFILE", &file).env("PGUSER", &role);
        refused.fails(USAGE).await?.says("chmod 0600")?;
    }
    let nobody = world.lastgood(["pg", "dump", &shop]).env("PGPASSFILE", "/nonexistent").env("PGUSER", &role);
    nobody.limit(Duration::from_secs(20)).fails(UNREACHABLE).await?.says("no password was found")?;
    world.psql("postgres", &format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}"))?;
    Ok(())
}

/// A certificate that does not do, as PEM with its key.
struct Certificate {
    what: &'static str,
    certificate: String,
    key: String,
}

/// P13.
pub(super) async fn certificates(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    world.dump(&shop).await?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "An authority of our own");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let roots = world.folder().join("roots.pem");
    std::fs::write(&roots, authority.pem())?;
    let key = KeyPair::generate()?;
    let signed = |what: &'static str, params: CertificateParams| -> RowResult<Certificate> {
        Ok(Certificate { what, certificate: params.signed_by(&key, &authority)?.pem(), key: key.serialize_pem() })
    };
    let of = |name: &str| CertificateParams::new([name.to_owned()]);
    let mut expired = of(NAME)?;
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let self_signed = of(NAME)?.self_signed(&key)?.pem();
    let unfit = [
        signed("of another name", of("other.example")?)?,
        signed("expired", expired)?,
        Certificate { what: "self-signed", certificate: self_signed, key: key.serialize_pem() },
    ];
    world.psql("postgres", "ALTER SYSTEM SET log_connections = on")?;
    let ways_out = ["the certificate is for another name", "Renew the server's certificate", "PGSSLROOTCERT"];
    for (certificate, way_out) in unfit.into_iter().zip(ways_out) {
        install(world, &certificate).await?;
        let log = world.cluster().log().len();
        for words in [vec!["pg", "dump", &shop], vec!["pg", "restore", &shop, "--into", "never"], vec!["pg", "recover"]]
        {
            let command = world.lastgood(words).env("PGHOST", NAME).env("PGHOSTADDR", world.cluster().host());
            let command = command.env("PGSSLROOTCERT", roots.display().to_string());
            // The address is the loopback's, where verification is no default.
            let command = command.env("PGSSLMODE", "verify-full").env("PGPASSWORD", world.cluster().password());
            let output = command.fails(UNREACHABLE).await.within(certificate.what)?;
            output.says("no password was sent")?.says(way_out)?;
        }
        let said = world.cluster().log();
        let said = said.get(log..).unwrap_or_default();
        for word in ["connection authorized", "authentication", "lastgood"] {
            ensure!(!said.contains(word), "{}: the server heard of `{word}`:\n{said}", certificate.what);
        }
    }
    let fit = signed("as it should be", of(NAME)?)?;
    install(world, &fit).await?;
    let run = world.lastgood(["pg", "dump", &shop]).env("PGHOST", NAME).env("PGHOSTADDR", world.cluster().host());
    let run = run.env("PGSSLMODE", "verify-full").env("PGPASSWORD", world.cluster().password());
    run.env("PGSSLROOTCERT", roots.display().to_string()).ok().await?;
    Ok(())
}

/// Gives the server the certificate and waits until it uses it.
async fn install(world: &World, certificate: &Certificate) -> RowResult {
    let cluster = world.cluster();
    for (name, text) in [("server.crt", &certificate.certificate), ("server.key", &certificate.key)] {
        let path = cluster.data_dir().join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        chown(&path, Some(cluster.server_uid()), None)?;
    }
    let loaded = "SELECT extract(epoch FROM pg_conf_load_time())";
    let before = world.psql("postgres", loaded)?;
    world.psql("postgres", "ALTER SYSTEM SET ssl = on")?;
    world.psql("postgres", "SELECT pg_reload_conf()")?;
    for _ in 0..500 {
        let ready = world.psql("postgres", loaded)? != before && world.psql("postgres", "SHOW ssl")? == "on";
        if ready {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(crate::harness::Failure::new("the server does not read its configuration again"))
}
