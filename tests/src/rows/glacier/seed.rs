//! GL23: the settings of GlacierOnRails: its credentials file as it is, a profile, a region, the folder of files.

use std::fs;

use backup_testkit::s3_server::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};

use super::{ARCHIVES, fill, payloads};
use crate::harness::command::Lastgood;
use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

pub(super) async fn settings(world: &World) -> RowResult {
    let files = fill(world)?;
    let aws = world.folder().join("home/.aws");
    fs::create_dir_all(&aws)?;
    // As its README has it, `account_id` included, which no client of AWS knows.
    let keys = format!("aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n");
    let own = format!("[default]\naccount_id = 111111111111\n{keys}");
    let other = "[staging]\naccount_id = 222222222222\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n";
    fs::write(aws.join("credentials"), format!("{own}\n{other}"))?;
    fs::write(aws.join("config"), format!("[default]\nregion = {REGION}\n"))?;
    let toml = "[glacier]\nfiles = 'store'\nbundles = false\nstate = 'state'\nper-hour = '100GiB'\n";
    fs::write(world.folder().join("lastgood.toml"), toml)?;
    let run = |words: &[&str]| -> Lastgood<'_> {
        let mut command = world.lastgood(words.iter().copied());
        for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            command = command.env(variable, "");
        }
        let path = |name: &str| aws.join(name).display().to_string();
        command.env("AWS_SHARED_CREDENTIALS_FILE", path("credentials")).env("AWS_CONFIG_FILE", path("config"))
    };
    run(&["config", "check"]).ok().await?;
    run(&["config", "show"]).ok().await?.says("glacier.files = \"./store\"")?.says("glacier.bundles = false")?;
    let backup = ["glacier", "backup", "--name", "uploads", "-v"];
    let said = run(&backup).ok().await?;
    said.says("Published `uploads/")?.never_says(SECRET_ACCESS_KEY)?;
    // Each file that has bytes of its own is an archive of its own.
    ensure_eq!(payloads(world).await?, files.len() - 2, "archives");
    ensure!(files.len() - 2 > ARCHIVES, "bundles would be as many");
    ensure!(world.folder().join("state/uploads/catalogue.sqlite").exists(), "the catalogue is elsewhere");
    let refused = run(&backup).env("AWS_PROFILE", "staging").run().await?;
    ensure!(refused.code() != Some(0), "another profile's key was accepted");
    refused.never_says(SECRET_ACCESS_KEY)?;
    for level in ["debug", "info", "warn", "error"] {
        let said = run(&backup).env("LASTGOOD_LOG", level).ok().await?;
        let has_steps = said.transcript().contains("DEBUG");
        ensure_eq!(has_steps, level == "debug", "whether `{level}` tells requests");
    }
    fs::write(world.folder().join("lastgood.toml"), "[glacier]\nclass = 'STANDARD'\n")?;
    run(&["config", "check"]).fails(2).await?.says("glacier.class")?;
    Ok(())
}
