//! Which backups a location may contain, and how to explain that a given name is not a location.

mod near;

use std::time::Duration;

use backup_core::location::contents::look;
use backup_core::location::{Contents, Location, shell_word};
use backup_core::probe::MARKER_KEY;
use backup_core::{CoreError, StoreError, remedy};
#[cfg(feature = "dict")]
use dictstore_backup::DictError;
use lastgood_operator::settings::Origin;
#[cfg(feature = "app")]
use object_backup::ObjectError;
use pg_clone::PgError;

use crate::context::Context;
use crate::error::CliError;
use crate::layouts::layouts;

/// How long is looked for what was meant: an error must not wait for a store that does not answer.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// The error with what helps whoever named a location that is none: who named it, what is there, what is near it, and how
/// one is made. Any other error is left as it is.
pub(crate) async fn explained(error: CliError, context: &Context) -> CliError {
    let (location, missing) = match store_error(&error) {
        Some(StoreError::NoLocation { location, missing, help }) if location.starts_with("s3://") => {
            let help = remedy![format!("{}; ", named(context, location))].and(help.clone());
            return StoreError::NoLocation { location: location.clone(), missing: missing.clone(), help }.into();
        }
        Some(StoreError::Occupied { location, what, help }) => {
            let help = remedy![format!("{}; ", named(context, location))].and(help.clone());
            return StoreError::Occupied { location: location.clone(), what: what.clone(), help }.into();
        }
        Some(StoreError::NoLocation { location, missing, .. }) => (location.clone(), Some(missing.clone())),
        Some(StoreError::NotInitialized { location, .. }) => (location.clone(), None),
        _ => return error,
    };
    // It was written so that it can be read back.
    let Ok(place) = location.parse::<Location>() else { return error };
    let bounded = tokio::time::timeout(LOOK_MAX, async {
        let contents = if missing.is_none() { contents(&place).await } else { None };
        (contents, near::locations(&place).await)
    });
    let (contents, near) = tokio::select! {
        biased;
        () = context.run.cancel.cancelled() => return error,
        found = bounded => found.unwrap_or_default(),
    };
    let named = named(context, &location);
    let creatable = missing.is_some() && !is_below_a_file(&place);
    let free = creatable || contents.as_ref().is_some_and(|contents| contents.foreign.is_none());
    let help = help(&named, &location, &near, free).into();
    match missing {
        Some(missing) => StoreError::NoLocation { location, missing, help }.into(),
        None => {
            let what = contents.map_or_else(|| format!("it has no `{MARKER_KEY}`"), |contents| what(&place, &contents));
            StoreError::NotInitialized { location, what, help }.into()
        }
    }
}

/// Whether no folder can be made there, because it or what is above it is a file.
fn is_below_a_file(place: &Location) -> bool {
    let Location::File(path) = place else { return false };
    path.ancestors().find(|above| above.exists()).is_some_and(|above| !above.is_dir())
}

/// What the store said, whoever passed it on.
fn store_error(error: &CliError) -> Option<&StoreError> {
    match error {
        CliError::Core(CoreError::Store(error)) | CliError::Pg(PgError::Store(error)) => Some(error),
        #[cfg(feature = "dict")]
        CliError::Dict(error) => match error.inner() {
            DictError::Core(CoreError::Store(error)) => Some(error),
            _ => None,
        },
        #[cfg(feature = "app")]
        CliError::Object(ObjectError::Core(CoreError::Store(error))) => Some(error),
        _ => None,
    }
}

/// Who named it.
fn named(context: &Context, location: &str) -> String {
    let ours = context.location().is_ok_and(|ours| ours.to_string() == location);
    match context.settings.layer().repo.as_ref().filter(|_| ours).map(|repo| &repo.origin) {
        None | Some(Origin::Default) if ours => "no location was given, and this is the default".to_owned(),
        None | Some(Origin::Default) => "it was given on the command line".to_owned(),
        Some(origin) => format!("it was given by `{origin}`"),
    }
}

async fn contents(place: &Location) -> Option<Contents> {
    let store = place.open().await.ok()?;
    look(&*store, &layouts(), |contents| contents.known.is_some()).await.ok()
}

/// What is there instead of a location.
fn what(place: &Location, contents: &Contents) -> String {
    match (contents, place) {
        (Contents { known: Some(layout), .. }, _) => format!("it holds {} but no `{MARKER_KEY}`", layout.name),
        (Contents { foreign: Some(foreign), .. }, _) => format!("it holds {foreign}"),
        (_, Location::S3 { bucket, prefix }) if prefix.is_empty() => format!("the bucket `{bucket}` is empty"),
        (_, Location::S3 { bucket, .. }) => format!("the bucket `{bucket}` exists, but has nothing under this prefix"),
        _ => "the folder is empty".to_owned(),
    }
}

/// What to do about it. `free`: nothing stands against making it one.
fn help(named: &str, location: &str, near: &[String], free: bool) -> String {
    let mut help = named.to_owned();
    if !near.is_empty() {
        let near: Vec<String> = near.iter().map(|near| format!("`{near}`")).collect();
        help.push_str(&format!("; nearby there is {}", near.join(", ")));
    }
    help.push_str(". ");
    help.push_str(&match free {
        true => format!("Nothing was written. To create a location there: `lastgood init -r {}`", shell_word(location)),
        false => "Nothing was written. Choose another location with `-r`".to_owned(),
    });
    help
}

#[cfg(test)]
#[cfg(feature = "default")]
mod tests {
    use super::*;

    #[test]
    fn the_help_ends_with_a_command_only_where_it_can_succeed() {
        let free = help("it was given by `LASTGOOD_REPO`", "/srv/my backups", &["/srv/backups".to_owned()], true);
        assert_eq!(
            free,
            "it was given by `LASTGOOD_REPO`; nearby there is `/srv/backups`. Nothing was written. To create a \
             location \
             there: `lastgood init -r '/srv/my backups'`"
        );
        let taken = help("it was given by `--repo`", "s3://acme/web", &[], false);
        assert_eq!(taken, "it was given by `--repo`. Nothing was written. Choose another location with `-r`");
    }

    #[test]
    fn no_location_is_made_of_a_file_or_below_one() {
        let place = |text: &str| text.parse::<Location>().unwrap();
        assert!(is_below_a_file(&place("/dev/null")) && is_below_a_file(&place("/etc/passwd/backups")));
        assert!(!is_below_a_file(&place("/nowhere/at/all")) && !is_below_a_file(&place("s3://acme/web")));
    }

    #[test]
    fn a_missing_bucket_and_an_empty_prefix_are_told_apart() {
        let place = |text: &str| text.parse::<Location>().unwrap();
        let empty = Contents::default();
        assert!(what(&place("s3://acme/prd"), &empty).contains("nothing under this prefix"));
        assert!(what(&place("s3://acme"), &empty).contains("is empty"));
        let foreign = Contents { foreign: Some("a repository of kopia".to_owned()), ..Contents::default() };
        assert_eq!(what(&place("/srv"), &foreign), "it holds a repository of kopia");
        let known = Contents { known: Some(layouts()[0]), ..foreign };
        assert_eq!(what(&place("/srv"), &known), "it holds dumps of lastgood but no `lastgood.json`");
    }

    #[test]
    fn what_two_forms_hold_is_ours() {
        let layouts = layouts();
        assert!(layouts.is_sorted_by_key(|layout| !layout.ours));
        assert_eq!(layouts.len(), 8);
    }
}
