//! What the commands open: the state of this machine, the backup that is meant, and the cold side of the location.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_core::aws::Settings;
use backup_core::key::Key;
use backup_core::location::Location;
use backup_core::store::SharedStore;
use glacier_archive::adapters::postgres::PostgresCatalogue;
use glacier_archive::adapters::s3::S3Cold;
use glacier_archive::adapters::vault::{Vault, VaultArchive, VaultStore};
use glacier_archive::class::Class;
use glacier_archive::cold::{ColdStore, NeverCold};
use glacier_archive::find::{self, Backup, find, find_readable};
use glacier_archive::key::Which;
use glacier_archive::pattern::Only;
use glacier_archive::plan::Limits;
use glacier_archive::price::PriceBook;
use glacier_archive::state::State;
use glacier_archive::watch::BackupStanding;

use crate::args::glacier::{self, Kept, Named, Prices, Seen};
use crate::commands::glacier::catalogue;
use crate::context::Context;
use crate::env;
use crate::error::{CliError, CliResult};
use crate::render::glacier::missing;

/// What a command about one backup works with.
pub(super) struct Opened {
    pub(super) store: SharedStore,
    pub(super) cold: Arc<dyn ColdStore>,
    pub(super) state: State,
    pub(super) backup: Backup,
    pub(super) only: Only,
    pub(super) folder: Option<PathBuf>,
}

impl Opened {
    pub(super) async fn of(seen: &Seen, context: &Context) -> CliResult<Self> {
        let which: Which = seen.backup.parse()?;
        let store = context.open().await?;
        let backup = sought(&store, &which, seen.allow_older, context).await?;
        let state = open_state(&seen.kept, &which.name, &store, context)?;
        let (vault, known) = (backup.manifest.detail.vault.as_deref(), backup.vaulted());
        let (store, cold) = Box::pin(sides(store, &state, &which.name, (vault, known), context)).await?;
        let folder = files_of(seen.files.as_deref(), &backup, context);
        Ok(Self { store, cold, state, backup, only: Only::of(seen.only.clone()).but(seen.parts.parts()), folder })
    }

    /// The same for a command that changes something.
    pub(super) async fn locked(seen: &Seen, context: &Context) -> CliResult<Self> {
        let opened = Self::of(seen, context).await?;
        Ok(Self { state: opened.state.locked()?, ..opened })
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// The backup that is meant; of what was skipped for it, if that is allowed, it is told.
pub(super) async fn sought(
    store: &SharedStore,
    which: &Which,
    allow_older: bool,
    context: &Context,
) -> CliResult<Backup> {
    if !allow_older {
        return context.or_cancelled(async { Ok(find(store, which).await?) }).await;
    }
    let (backup, skipped) = context.or_cancelled(async { Ok(find_readable(store, which).await?) }).await?;
    for why in skipped {
        context.printer.warn(&format!("skipped a newer backup: {why}"));
    }
    Ok(backup)
}

/// The folder of a backup's files: as it was named, as it is configured, or where they were backed up, if that is there.
pub(super) fn files_of(named: Option<&Path>, backup: &Backup, context: &Context) -> Option<PathBuf> {
    let remembered = || backup.folder().filter(|folder| folder.is_dir());
    named.map(Path::to_owned).or_else(|| configured_files(context)).or_else(remembered)
}

/// The folder of the files that is configured.
pub(super) fn configured_files(context: &Context) -> Option<PathBuf> {
    context.settings.layer().glacier_files.as_ref().map(|set| set.value.clone())
}

/// The state of this machine about the backups called `name`.
pub(super) fn open_state(kept: &Kept, name: &str, store: &SharedStore, context: &Context) -> CliResult<State> {
    glacier_archive::key::check_name(name)?;
    let configured = || context.settings.layer().glacier_state.as_ref().map(|set| set.value.clone());
    let folder = match kept.state.clone().or_else(configured) {
        Some(folder) => folder,
        None => default_folder()?,
    };
    let folder = folder.join(name);
    match catalogue::named(kept, context)? {
        None => Ok(State::open(&folder, name, &store.describe())?),
        Some(database) => {
            let owner = format!("`{name}` in `{}`", store.describe());
            let catalogue = PostgresCatalogue::open(Arc::new(database), catalogue::tables(kept), &owner)?;
            Ok(State::with(&folder, Arc::new(catalogue))?)
        }
    }
}

pub(super) fn default_folder() -> CliResult<PathBuf> {
    let absolute = |name: &str| env::value(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let folder = folder.ok_or_else(|| {
        CliError::usage("there is no folder for the catalogue: HOME is not set", "name one with `--state`")
    })?;
    Ok(folder.join("lastgood/glacier"))
}

/// The cold side of the location; a folder has none.
pub(super) async fn open_cold(store: &SharedStore, context: &Context) -> CliResult<Arc<dyn ColdStore>> {
    match context.location()? {
        Location::S3 { bucket, prefix } => {
            let settings = Settings::load(None).await;
            Ok(Arc::new(S3Cold::new(&settings, &bucket, &prefix, &context.run)))
        }
        Location::File(_) | Location::Memory => Ok(Arc::new(NeverCold(store.clone()))),
    }
}

/// The location as archives called `name` are stored and retrieved: with their vault, if they are in one, and what manifests
/// know of it.
pub(super) async fn sides(
    store: SharedStore,
    state: &State,
    name: &str,
    (vault, known): (Option<&str>, BTreeMap<Key, VaultArchive>),
    context: &Context,
) -> CliResult<(SharedStore, Arc<dyn ColdStore>)> {
    let cold = open_cold(&store, context).await?;
    let Some(vault) = vault else { return Ok((store, cold)) };
    let vault = open_vault(vault, context).await;
    let both = VaultStore::new((store, cold), vault, state.shared_catalogue(), name, known)?;
    Ok((Arc::new(both.clone()), Arc::new(both)))
}

/// A vault of the account that the environment names.
pub(super) async fn open_vault(vault: &str, context: &Context) -> Vault {
    Vault::new(&Settings::load(None).await, vault, &context.run)
}

/// What a command about all backups of a name works with.
pub(super) struct Sides {
    /// Where manifests are.
    pub(super) hot: SharedStore,
    /// With the vault, if there is one.
    pub(super) store: SharedStore,
    pub(super) cold: Arc<dyn ColdStore>,
    pub(super) state: State,
    pub(super) vault: Option<String>,
}

impl Sides {
    /// What reads, and keeps what it hears only if `lock`.
    pub(super) async fn of(named: &Named, hot: SharedStore, lock: bool, context: &Context) -> CliResult<Self> {
        let Named { name, vault, kept } = named;
        let state = open_state(kept, name, &hot, context)?;
        let state = if lock { state.locked()? } else { state };
        let vault = match vault {
            Some(vault) => Some(vault.clone()),
            None => context.or_cancelled(vault_of(name, &hot, &state)).await?,
        };
        if let Some(vault) = vault.as_ref().filter(|_| lock) {
            state.keep_vault(vault)?;
        }
        // What a vault calls archives, also those that another machine made, is in manifests.
        let known = match &vault {
            Some(_) => context.or_cancelled(async { Ok(find::vaulted(&*hot, name).await?) }).await?,
            None => BTreeMap::new(),
        };
        let (store, cold) = Box::pin(sides(hot.clone(), &state, name, (vault.as_deref(), known), context)).await?;
        Ok(Self { hot, store, cold, state, vault })
    }
}

/// The vault of the newest backup; without any backup, that of a run which died before its manifest, or of a deletion.
async fn vault_of(name: &str, hot: &SharedStore, state: &State) -> CliResult<Option<String>> {
    match find::vault(&**hot, name).await? {
        None if state.vault().is_some() && find::list(&**hot, Some(name)).await?.is_empty() => Ok(state.vault()),
        vault => Ok(vault),
    }
}

/// The prices that count.
pub(super) fn price_book(prices: &Prices, context: &Context) -> CliResult<PriceBook> {
    let configured = || context.settings.layer().glacier_prices.as_ref().map(|set| set.value.clone());
    let book = match prices.prices.clone().or_else(configured) {
        None => PriceBook::builtin(),
        Some(path) => {
            let read = std::fs::read_to_string(&path);
            let text = read.map_err(|error| {
                let what = format!("cannot read the prices in `{}`: {error}", path.display());
                CliError::usage(what, "name a file with prices, or leave `--prices` out")
            })?;
            PriceBook::parse(&text)
        }
    };
    book.map_err(|error| glacier_archive::GlacierError::Prices { what: error.to_string() }.into())
}

/// What the user allows.
pub(super) fn limits(limits: &glacier::Limits, context: &Context) -> Limits {
    let configured = || context.settings.layer().glacier_per_hour.as_ref().map(|set| set.value);
    Limits {
        tier: limits.tier,
        deadline: limits.deadline.map(|deadline| deadline.unsigned_abs()),
        cost_max: limits.max_cost,
        bytes_per_hour: limits.per_hour.or_else(configured).and_then(|rate| rate.0).map(std::num::NonZeroU64::get),
        days: Some(limits.days),
    }
}

/// Tells of rules by which the bucket itself would delete archives of `name`, or hide its manifests. That they cannot be read is no reason not to
/// back up: not everybody may.
pub(super) async fn warn_of_rules(
    name: &str,
    class: Option<Class>,
    prices: &PriceBook,
    context: &Context,
) -> CliResult<()> {
    let Location::S3 { bucket, prefix } = context.location()? else { return Ok(()) };
    let settings = Box::pin(Settings::load(None)).await;
    let cold = S3Cold::new(&settings, &bucket, &prefix, &context.run);
    let asked = context.or_cancelled(async { Ok(Box::pin(cold.expiring(name)).await) }).await?;
    match asked {
        Ok(rules) => rules.iter().for_each(|rule| context.printer.warn(&rule.warning(class, prices))),
        Err(error) => tracing::debug!(%error, "the lifecycle rules of the bucket are unknown"),
    }
    Ok(())
}

/// How a command ends that needs everything to be ready.
pub(super) fn unless_ready(standing: &BackupStanding, context: &Context) -> CliResult<()> {
    if standing.is_ready() {
        return Ok(());
    }
    let (what, help) = missing(&standing.counts, standing.expected, &standing.key.to_string(), context.run.clock.now());
    Err(glacier_archive::GlacierError::NotReady { what, help }.into())
}
