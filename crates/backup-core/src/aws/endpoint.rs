//! Which server a service is asked at, as the SDK finds it, but for empty variables, which name none.

use aws_config::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The variable that names an endpoint for all services; with `_` and a service's name, for that one.
const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Its name in profiles, and in their section `services`.
const IN_PROFILES: &str = "endpoint_url";

/// A variable that nobody sets.
const NO_VARIABLE: &str = "";

/// The environment and the profile, without variables that are set to nothing: scripts unset them so.
#[derive(Debug)]
struct WithoutEmpty(SdkConfig);

impl LoadServiceConfig for WithoutEmpty {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let configured = self.0.service_config()?;
        let (service_id, profile) = (key.service_id(), key.profile());
        let asked = |env: &str| {
            let key = ServiceConfigKey::builder().service_id(service_id).env(env).profile(profile).build().ok()?;
            configured.load_config(key).filter(|value| !value.is_empty())
        };
        let of_service = format!("{}_{}", key.env(), service_id.to_uppercase().replace(' ', "_"));
        let is_emptied = |variable: &str| std::env::var_os(variable).is_some_and(|value| value.is_empty());
        match asked(key.env()) {
            None if is_emptied(&of_service) => {
                std::env::var(key.env()).ok().filter(|value| !value.is_empty()).or_else(|| asked(NO_VARIABLE))
            }
            None if is_emptied(key.env()) => asked(NO_VARIABLE),
            found => found,
        }
    }
}

/// What clients are made from, so that they see it too.
pub(super) fn without_empty(sdk: SdkConfig) -> SdkConfig {
    let named = sdk.endpoint_url().filter(|url| !url.is_empty()).map(str::to_owned);
    let cleaned = WithoutEmpty(sdk.clone());
    let mut builder = sdk.into_builder();
    builder.set_endpoint_url(named);
    builder.set_service_config(Some(cleaned));
    builder.build()
}

/// The server of `service`, such as `S3`, where one is named.
pub(super) fn of(sdk: &SdkConfig, service: &str) -> Option<String> {
    configured(sdk, service, VARIABLE, IN_PROFILES).or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// The server without what may be a secret in its URL: user and password, and parameters.
pub(crate) fn shown(endpoint: &str) -> String {
    let end = endpoint.find(['?', '#']).unwrap_or(endpoint.len());
    let plain = &endpoint[..end];
    match plain.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => plain.to_owned(),
    }
}

/// What named the server, for whoever has to change it.
pub(super) fn origin(service: &str, endpoint: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let names = [format!("{VARIABLE}_{}", service.to_uppercase()), VARIABLE.to_owned()];
    let named = names.into_iter().find(|name| variable(name).is_some_and(|value| value == endpoint));
    named.unwrap_or_else(|| "`endpoint_url` of the profile".to_owned())
}

/// What a variable says or, without it, the profile.
pub(super) fn configured(sdk: &SdkConfig, service: &str, variable: &str, in_profiles: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env(variable).profile(in_profiles).build().ok()?;
    sdk.service_config()?.load_config(key).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_of_an_endpoint_is_shown() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("https://me:hunter2@s3.example.org/x?token=abc#d", "https://s3.example.org/x"),
            ("s3.example.org?token=abc", "s3.example.org"),
        ] {
            assert_eq!(shown(endpoint), expected);
        }
    }

    #[test]
    fn what_named_the_endpoint_is_told() {
        let of = |variables: &[(&str, &str)]| {
            origin("S3", "http://a", |name| {
                variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("AWS_ENDPOINT_URL_S3", "http://a"), ("AWS_ENDPOINT_URL", "http://b")]), "AWS_ENDPOINT_URL_S3");
        assert_eq!(of(&[("AWS_ENDPOINT_URL", "http://a")]), "AWS_ENDPOINT_URL");
        assert_eq!(of(&[("AWS_ENDPOINT_URL_S3", "")]), "`endpoint_url` of the profile");
    }
}
