//! Why no credentials were found, as far as variables and profiles tell: what somebody typed wrong, before what a machine lacks.

use std::path::{Path, PathBuf};

/// The variables of a key, both of which are needed.
const KEY: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// The variable that names a profile.
const PROFILE: &str = "AWS_PROFILE";

/// Where profiles are: the variable, and the file below the home folder.
const FILES: [(&str, &str); 2] =
    [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];

/// What is missing, by the variables and files of this process.
pub(super) fn here() -> String {
    why(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path).ok())
}

fn why(variable: impl Fn(&str) -> Option<String>, read: impl Fn(&Path) -> Option<String>) -> String {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    match KEY.map(|name| variable(name).is_some()) {
        [true, false] => return format!("{} is set, and {} is not", KEY[0], KEY[1]),
        [false, true] => return format!("{} is set, and {} is not", KEY[1], KEY[0]),
        _ => {}
    }
    let file = |(name, below): (&str, &str)| match variable(name) {
        Some(path) => PathBuf::from(path),
        None => Path::new(&variable("HOME").unwrap_or_default()).join(below),
    };
    if let Some(profile) = variable(PROFILE) {
        let files = FILES.map(file);
        if !files.iter().any(|path| read(path).is_some_and(|text| has_profile(&text, &profile))) {
            let [config, credentials] = files.map(|path| path.display().to_string());
            return format!("{PROFILE} is `{profile}`, and there is no such profile in `{config}` or `{credentials}`");
        }
    }
    "neither variables nor a profile have any, and this machine has none either".to_owned()
}

/// Whether a file of profiles has this one. In `config` all but the default one are called `profile NAME`.
fn has_profile(text: &str, profile: &str) -> bool {
    let headings = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    headings.map(str::trim).any(|heading| {
        let named = heading.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
        named.unwrap_or(heading) == profile
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let read = |path: &Path| match path.to_str()? {
            "/me/.aws/config" => Some("[default]\nregion = eu-west-1\n[profile backup]\n".to_owned()),
            "/me/.aws/credentials" => Some("[old]\naws_access_key_id = A\n".to_owned()),
            _ => None,
        };
        why(variable, read)
    }

    #[test]
    fn a_profile_that_is_not_there_and_half_a_key_are_named() {
        let home = ("HOME", "/me");
        let nope = told(&[home, ("AWS_PROFILE", "bakcup")]);
        assert_eq!(
            nope,
            "AWS_PROFILE is `bakcup`, and there is no such profile in `/me/.aws/config` or `/me/.aws/credentials`"
        );
        assert!(told(&[home, ("AWS_PROFILE", "backup"), ("AWS_CONFIG_FILE", "/dev/null")]).contains("`/dev/null`"));
        for known in ["backup", "default", "old", ""] {
            assert!(told(&[home, ("AWS_PROFILE", known)]).starts_with("neither variables nor a profile"), "{known}");
        }
        let half = told(&[home, ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "")]);
        assert_eq!(half, "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not");
        let half = told(&[home, ("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2")]);
        assert_eq!(half, "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not");
        assert!(told(&[]).starts_with("neither"));
    }
}
