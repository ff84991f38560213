//! Credentials as they are found, so that none of them is ever shown: they may be in a file, or come from a program or a service.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use crate::secret::{Redactor, Secret};

/// Asks another provider, and has what it gives masked.
#[derive(Debug)]
struct Learning {
    inner: SharedCredentialsProvider,
    redactor: Redactor,
}

impl Learning {
    fn learn(&self, found: &Credentials) {
        for secret in [Some(found.secret_access_key()), found.session_token()].into_iter().flatten() {
            self.redactor.register(&Secret::new(secret));
        }
    }
}

impl ProvideCredentials for Learning {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let found = self.inner.provide_credentials().await?;
            self.learn(&found);
            Ok(found)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt().inspect(|found| self.learn(found))
    }
}

/// What clients are made from, whose credentials `redactor` learns.
pub(super) fn learned_by(redactor: Redactor, sdk: SdkConfig) -> SdkConfig {
    let Some(inner) = sdk.credentials_provider() else { return sdk };
    let learning = SharedCredentialsProvider::new(Learning { inner, redactor });
    sdk.into_builder().credentials_provider(learning).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_provider_gives_is_masked_from_then_on() {
        let redactor = Redactor::new();
        let given =
            Credentials::new("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG", Some("FwoGZXIvYXdzE1".to_owned()), None, "test");
        let sdk = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(given)).build();
        let sdk = learned_by(redactor.clone(), sdk);
        let said = "it printed wJalrXUtnFEMI/K7MDENG and FwoGZXIvYXdzE1";
        assert_eq!(redactor.redact(said), said, "nobody asked yet");
        sdk.credentials_provider().unwrap().provide_credentials().await.unwrap();
        assert_eq!(redactor.redact(said), "it printed **** and ****");
    }
}
