//! The settings that the command line and the environment give, and the configuration file that they name.

use std::path::Path;
use std::time::Duration;

use lastgood_operator::settings::{Config, Layer, Located, Set, SettingsResult};

use crate::args::Global;
use crate::env;
use crate::error::{CliError, CliResult};

/// Finds the configuration file without reading it.
///
/// # Errors
/// [`lastgood_operator::settings::SettingsError::Missing`] if the one that was named is not there.
pub(crate) fn locate(global: &Global) -> SettingsResult<Located> {
    let named = global.config_file.as_ref().filter(|path| !path.is_empty());
    Located::find(named.map(Path::new), env::value)
}

/// Reads the file and the environment.
///
/// # Errors
/// [`CliError::Usage`] for whatever cannot be used.
pub(crate) fn load(global: &Global) -> CliResult<Config> {
    let located = locate(global)?;
    let profile = global.profile.clone().filter(|name| !name.is_empty());
    let (flags, environment) = given(global)?;
    Ok(Config::load(&located, profile, environment, flags)?)
}

/// What every command's options and the environment say.
fn given(global: &Global) -> CliResult<(Layer, Layer)> {
    let of_variable = env::value(env::REPO);
    let (mut flags, mut environment) = (Layer::default(), Layer::default());
    match &global.repo {
        // An empty variable means unset, as everywhere else; an empty option is a mistake and is told so.
        Some(text) if text.is_empty() && std::env::var(env::REPO).is_ok_and(|value| value.is_empty()) => {}
        Some(text) if of_variable.as_ref() == Some(text) => {
            environment.repo = Some(Set::variable(env::REPO, text.clone()))
        }
        Some(text) => flags.repo = Some(Set::flag("--repo", text.clone())),
        None => {}
    }
    for (name, option, typed) in [
        (env::LIMIT_UPLOAD, "--limit-upload", global.limit_upload),
        (env::LIMIT_DOWNLOAD, "--limit-download", global.limit_download),
    ] {
        let Some(rate) = typed else { continue };
        let by_variable = env::value(name).and_then(|text| text.parse().ok()) == Some(rate);
        let (layer, set) = match by_variable {
            true => (&mut environment, Set::variable(name, rate)),
            false => (&mut flags, Set::flag(option, rate)),
        };
        *(if name == env::LIMIT_UPLOAD { &mut layer.limit_upload } else { &mut layer.limit_download }) = Some(set);
    }
    environment.bin_dir = env::value(env::PG_BIN).map(|text| Set::variable(env::PG_BIN, text.into()));
    environment.application_name = env::value("PGAPPNAME").map(|name| Set::variable("PGAPPNAME", name));
    let seconds = env::value("PGCONNECT_TIMEOUT").and_then(|text| text.parse().ok());
    environment.connect_timeout =
        seconds.map(|seconds| Set::variable("PGCONNECT_TIMEOUT", Duration::from_secs(seconds)));
    environment.allow_restore = allowed_by_environment()?.map(|allowed| Set::variable(env::ALLOW_RESTORE, allowed));
    Ok((flags, environment))
}

/// What LASTGOOD_ALLOW_RESTORE says, if it is set.
///
/// # Errors
/// [`CliError::Usage`] for what is neither yes nor no: it may have been meant to forbid.
fn allowed_by_environment() -> CliResult<Option<bool>> {
    let Some(value) = std::env::var_os(env::ALLOW_RESTORE).filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = value.to_str().ok_or_else(|| {
        CliError::usage(
            format!("`{}` is not UTF-8", env::ALLOW_RESTORE),
            "write `true` or `false`; nothing was changed",
        )
    })?;
    Ok(Some(pg_clone::guard::parse_allow_restore(text)?))
}
