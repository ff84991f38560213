//! Judges a whole file: also what is otherwise only noticed by the command that uses it.

use std::error::Error;

use backup_core::location::Location;
use pg_clone::Environment;
use pg_clone::guard::Guard;
use pg_clone::pattern::TablePattern;
use serde::Serialize;

use crate::settings::document::Document;
use crate::settings::ec2;
use crate::settings::error::{SettingsError, SettingsResult};
use crate::settings::layer::Layer;
use crate::settings::origin::Set;

/// A file that can be used as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// Names of its profiles.
    pub profiles: Vec<String>,
    /// Names of its configurations, in whatever profile.
    pub configurations: Vec<String>,
}

/// Judges every value of `document`, in whatever section it stands.
pub(super) fn check(document: &Document) -> SettingsResult<Checked> {
    let mut configurations: Vec<String> = Vec::new();
    for section in document.all() {
        judge(&section.general)?;
        for (name, layer) in &section.configs {
            judge(layer)?;
            configurations.push(name.clone());
        }
    }
    configurations.sort_unstable();
    configurations.dedup();
    Ok(Checked { profiles: document.profiles.keys().cloned().collect(), configurations })
}

fn judge(layer: &Layer) -> SettingsResult<()> {
    one("repo", layer.repo.iter(), |repo| repo.parse::<Location>().map(drop))?;
    one("pg.url", layer.url.iter(), |url| Environment::default().set_fallback_url(url))?;
    one("pg.protected", layer.protected.iter(), |pattern| Guard::default().protect(pattern, ""))?;
    let pattern = |text: &str| TablePattern::parse(text).map(drop);
    one("pg.exclude-table", layer.exclude_table.iter(), pattern)?;
    one("pg.exclude-table-data", layer.exclude_table_data.iter(), pattern)?;
    one("pg.exclude-setting", layer.exclude_setting.iter(), setting)?;
    one("ec2.tag", layer.ec2_tag.iter(), |tag| ec2::tag(tag).map(drop))?;
    one("ec2.regions", layer.ec2_regions.iter(), ec2::region)?;
    one("ec2.primary", layer.ec2_primary.iter(), ec2::region)?;
    one("ec2.secondary", layer.ec2_secondary.iter(), ec2::region)?;
    one("glacier.class", layer.glacier_class.iter(), class)?;
    one("glacier.queue", layer.glacier_queue.iter(), queue)?;
    one("glacier.topic", layer.glacier_topic.iter(), topic)?;
    one("glacier.gem-schema", layer.glacier_gem_schema.iter(), schema)?;
    one("glacier.gem-tables", layer.glacier_gem_tables.iter(), gem_tables)
}

/// Storage classes of archives. The crate that archives is not needed to judge a file.
const CLASSES: [&str; 3] = ["GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"];

/// A value that its command would refuse.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(&'static str);

/// Of a pattern of names only an empty one fits none.
fn setting(text: &str) -> Result<(), Unusable> {
    if text.is_empty() { Err(Unusable("it is empty; `*` is any text, as in `app.*_secret`")) } else { Ok(()) }
}

fn class(text: &str) -> Result<(), Unusable> {
    let known = CLASSES.iter().any(|class| class.eq_ignore_ascii_case(&text.replace('-', "_")));
    if known { Ok(()) } else { Err(Unusable("it is none of GLACIER, DEEP_ARCHIVE and GLACIER_IR")) }
}

fn schema(text: &str) -> Result<(), Unusable> {
    if text.is_empty() { Err(Unusable("it is empty")) } else { Ok(()) }
}

/// Three names, of which none is empty.
fn gem_tables(text: &str) -> Result<(), Unusable> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if names.len() == 3 && names.iter().all(|name| !name.is_empty()) {
        return Ok(());
    }
    Err(Unusable("it must name three tables with `,` between: of backups, of archives, and of both"))
}

fn queue(text: &str) -> Result<(), Unusable> {
    let is_url =
        ["https://", "http://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| rest.contains('/')));
    if is_url {
        Ok(())
    } else {
        Err(Unusable("it is not the address of a queue, such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"))
    }
}

/// `arn:aws:sns:REGION:ACCOUNT:NAME`, also of other partitions.
fn topic(text: &str) -> Result<(), Unusable> {
    let fields: Vec<&str> = text.split(':').collect();
    let is_arn = matches!(fields[..], ["arn", partition, "sns", region, account, name]
        if [partition, region, account, name].iter().all(|field| !field.is_empty()));
    if is_arn { Ok(()) } else { Err(Unusable("it is not the ARN of a topic, such as arn:aws:sns:REGION:ACCOUNT:NAME")) }
}

/// Every value of one key, by what its users say of it.
fn one<'v, E: Error + Send + Sync + 'static>(
    key: &'static str,
    values: impl Iterator<Item = &'v Set<String>>,
    judge: impl Fn(&str) -> Result<(), E>,
) -> SettingsResult<()> {
    for set in values {
        judge(&set.value).map_err(|source| SettingsError::Refused {
            key,
            at: set.origin.clone(),
            source: Box::new(source),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn judged(text: &str) -> SettingsResult<Checked> {
        check(&Document::read(Path::new("a.toml"), text.to_owned())?)
    }

    #[test]
    fn what_only_a_command_would_notice_is_found_in_every_section() {
        for (text, said) in [
            ("[pg]\nprotected = ['h/d', 'shop']", "`pg.protected` cannot be used (`a.toml:2`)"),
            ("[profile.p]\nrepo = 's3://'", "`repo` cannot be used (`a.toml:2`)"),
            ("[pg.configs.a]\n\nexclude-table = ['a.b.c']", "`pg.exclude-table` cannot be used (`a.toml:3`)"),
            ("[profile.p.pg.configs.a]\nexclude-table-data = ['\"']", "`pg.exclude-table-data` cannot be used"),
            ("[pg]\nexclude-setting = ['app.*', '']", "`pg.exclude-setting` cannot be used (`a.toml:2`)"),
            ("[pg.configs.a]\nexclude-setting = ['']", "`pg.exclude-setting` cannot be used (`a.toml:2`)"),
            ("[pg]\nurl = 'mysql://h/d'", "`pg.url` cannot be used (`a.toml:2`)"),
            ("[glacier]\nclass = 'STANDARD'", "`glacier.class` cannot be used (`a.toml:2`)"),
            ("[glacier]\nqueue = 'retrievals'", "`glacier.queue` cannot be used (`a.toml:2`)"),
            ("[glacier]\ngem-tables = 'backups,archives'", "`glacier.gem-tables` cannot be used (`a.toml:2`)"),
            ("[profile.p.glacier]\ntopic = 'retrieve_archive'", "`glacier.topic` cannot be used (`a.toml:2`)"),
            ("[ec2]\ntag = 'Earmarking'", "`ec2.tag` cannot be used (`a.toml:2`)"),
            ("[ec2]\nregions = ['eu-west-1', 'EU']", "`ec2.regions` cannot be used (`a.toml:2`)"),
            ("[profile.p.ec2]\nprimary = 'eu west 1'", "`ec2.primary` cannot be used (`a.toml:2`)"),
            ("[ec2]\nsecondary = ''", "`ec2.secondary` cannot be used (`a.toml:2`)"),
        ] {
            let error = judged(text).unwrap_err();
            assert!(error.to_string().starts_with(said), "{text:?}: {error}");
            assert!(error.source().is_some(), "{text:?}");
        }
    }

    #[test]
    fn settings_of_files_in_cold_storage_are_accepted_as_they_are_meant() {
        judged(
            "[glacier]\nfiles = 'uploads/store'\nclass = 'deep-archive'\nbundles = false\nper-hour = '100GiB'\n\
             queue = 'https://sqs.us-east-1.amazonaws.com/123456789012/q'\ntopic = 'arn:aws:sns:us-east-1:123456789012:t'",
        )
        .unwrap();
        let wrong = judged("[glacier]\nper-hour = 'much'").unwrap_err().to_string();
        assert!(wrong.contains("`glacier.per-hour`"), "{wrong}");
    }

    #[test]
    fn what_is_there_is_named_once() {
        let text = "[pg.configs.a]\n[pg.configs.b]\n[profile.p.pg.configs.a]\nrepo = 's3://bucket/x'";
        let checked = judged(text).unwrap();
        assert_eq!((checked.profiles, checked.configurations), (vec!["p".into()], vec!["a".into(), "b".into()]));
    }
}
