//! The names that a configuration file defines.

use serde::Serialize;

use crate::settings::document::Document;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NamedKind {
    /// `[pg.configs.NAME]`.
    Configuration,
    /// `[profile.NAME]`.
    Profile,
}

/// Something that has a name in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NamedKind,
    /// The location that it sets, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
}

/// The configurations that count under `profile`, each once, and all profiles; in order of their names.
pub(super) fn of(document: &Document, profile: Option<&str>) -> Vec<Named> {
    let mut names: Vec<Named> = Vec::new();
    // The strongest first: what a profile says of a configuration counts more.
    for section in document.sections(profile).unwrap_or_default() {
        for (name, layer) in &section.configs {
            let repo = layer.repo.as_ref().map(|repo| repo.value.clone());
            match names.iter_mut().find(|named| named.name == *name) {
                Some(known) => known.repo = known.repo.take().or(repo),
                None => names.push(Named { name: name.clone(), kind: NamedKind::Configuration, repo }),
            }
        }
    }
    names.sort_by(|left, right| left.name.cmp(&right.name));
    names.extend(document.profiles.iter().map(|(name, section)| Named {
        name: name.clone(),
        kind: NamedKind::Profile,
        repo: section.general.repo.as_ref().map(|repo| repo.value.clone()),
    }));
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn configurations_that_count_come_before_all_profiles() {
        let text = "repo = '/a'\n[pg.configs.nightly]\njobs = 2\n[pg.configs.hourly]\nrepo = '/h'\n\
                    [profile.staging]\nrepo = '/s'\n[profile.staging.pg.configs.nightly]\nrepo = '/n'\n[profile.other]\n";
        let document = Document::read(Path::new("lastgood.toml"), text.to_owned()).unwrap();
        let named = |profile: Option<&str>| {
            of(&document, profile).into_iter().map(|named| (named.name, named.repo)).collect::<Vec<_>>()
        };
        let expected = |nightly: Option<&str>| {
            [("hourly", Some("/h")), ("nightly", nightly), ("other", None), ("staging", Some("/s"))]
                .map(|(name, repo)| (name.to_owned(), repo.map(str::to_owned)))
        };
        assert_eq!(named(None), expected(None));
        assert_eq!(named(Some("staging")), expected(Some("/n")));
        assert_eq!(of(&Document::default(), None), []);
    }
}
