//! M-secrets, M-short: what hooks and other programs print of credentials in files and from a `credential_process` is masked, and
//! messages with ordinary words stay readable.

use backup_testkit::s3_server::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use rand::Rng as _;

use crate::harness::{Output, RowResult, World};
use crate::{ensure, ensure_eq};

fn random() -> String {
    format!("{:032x}/K7", rand::rng().random::<u128>())
}

fn never_says(output: Output, secrets: &[&str]) -> RowResult<Output> {
    secrets.iter().try_fold(output, |output, secret| output.never_says(secret))
}

/// M-secrets.
pub(super) async fn of_files_and_programs(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    let (key, token, service) = (random(), random(), random());
    let folder = world.folder();
    let write = |name: &str, text: &str| -> RowResult<String> {
        std::fs::write(folder.join(name), text)?;
        Ok(folder.join(name).display().to_string())
    };
    let credentials = write(
        "credentials",
        &format!("[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = {key}\naws_session_token={token}\n"),
    )?;
    let services = write("services", &format!("[elsewhere]\nhost=db9\npassword={service}\n"))?;
    let show = "cat \"$AWS_SHARED_CREDENTIALS_FILE\" \"$PGSERVICEFILE\"; cat \"$AWS_SHARED_CREDENTIALS_FILE\" >&2";
    for (hook, code) in [(show.to_owned(), 0), (format!("{show}; exit 3"), 22)] {
        for more in [None, Some("--json"), Some("-vvv")] {
            let dump = world.lastgood(["pg", "dump", &shop, "--pre-dump-hook", &hook]).args(more);
            let dump = dump.env("AWS_SHARED_CREDENTIALS_FILE", &credentials).env("PGSERVICEFILE", &services);
            never_says(dump.run().await?, &[&key, &token, &service])?.expect_code(code)?;
        }
    }
    if world.place().peer().is_none() {
        return Ok(());
    }
    // The only credentials are those of a program.
    let given = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"{ACCESS_KEY_ID}\", \"SecretAccessKey\": \"{SECRET_ACCESS_KEY}\"}}"
    );
    let given = write("given.json", &given)?;
    let config = write("config", &format!("[default]\ncredential_process = cat {given}\n"))?;
    let hook = format!("cat {given}");
    let dump = || {
        let dump = world.lastgood(["pg", "dump", &shop, "--pre-dump-hook", &hook]).env("AWS_CONFIG_FILE", &config);
        dump.env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "")
    };
    let dumped = never_says(dump().run().await?, &[SECRET_ACCESS_KEY])?.expect_code(0)?;
    dumped.says(ACCESS_KEY_ID)?.says("****")?;
    Ok(())
}

/// M-short.
pub(super) async fn short_ones(world: &World) -> RowResult {
    let shop = world.sample("shop")?;
    // What has dumps is named to whoever asks for something else.
    world.dump(&shop).await?;
    let plain = world.lastgood(["pg", "show", "nobody"]).fails(1).await?;
    for secret in ["b", "no", "dum"] {
        // Of another profile than what the location needs.
        let profile = world.folder().join("short");
        std::fs::write(&profile, format!("[x]\naws_secret_access_key = {secret}\n"))?;
        let profile = profile.display().to_string();
        let same =
            world.lastgood(["pg", "show", "nobody"]).env("AWS_SHARED_CREDENTIALS_FILE", &profile).fails(1).await?;
        ensure_eq!(same.stderr, plain.stderr, "an error beside the secret {secret:?}");
        let dumped = world.lastgood(["pg", "dump", &shop]).env("AWS_SHARED_CREDENTIALS_FILE", &profile).ok().await?;
        ensure!(!dumped.stdout.contains("****") && !dumped.stderr.contains("****"), "{}", dumped.stdout);
    }
    // A word is masked where it stands alone, and not inside of others.
    let hook = "echo the password is postgres, PostgreSQL says; echo postgresql postgres_fdw";
    let output = world.lastgood(["pg", "dump", &shop, "--pre-dump-hook", hook]);
    let profile = world.folder().join("short");
    std::fs::write(&profile, "[x]\naws_secret_access_key = postgres\n")?;
    let output = output.env("AWS_SHARED_CREDENTIALS_FILE", profile.display().to_string()).ok().await?;
    output.says("the password is ****, PostgreSQL says")?.says("postgresql")?;
    Ok(())
}
