//! Client tokens (EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests").

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::token::fingerprint;

const TOKEN: &str = "ClientToken";

fn key(call: &Call<'_>) -> Option<[String; 4]> {
    let token = call.form.get(TOKEN)?;
    let action = call.form.get("Action").unwrap_or_default();
    Some([call.account(), call.region(), action, token].map(str::to_owned))
}

fn request(call: &Call<'_>) -> String {
    let fields: Vec<String> = call.form.fields().map(|(name, value)| format!("{name}={value}")).collect();
    fingerprint(&fields.join("&"))
}

/// What the same request with the same token has made before. "If you retry a successful request using the same client
/// token, but one or more of the parameters are different … the retry fails with an IdempotentParameterMismatch error."
pub(super) fn made_before(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    let made = key(call).and_then(|key| call.state.made.get(&key));
    match made {
        Some((before, _)) if *before != request(call) => {
            let text = "The client token is used for another request with other parameters";
            Err(refused("IdempotentParameterMismatch", text))
        }
        made => Ok(made.map(|(_, id)| id.clone())),
    }
}

/// Notes what the request has made.
pub(super) fn note(call: &mut Call<'_>, id: &str) {
    if let Some(key) = key(call) {
        let request = request(call);
        call.state.made.insert(key, (request, id.to_owned()));
    }
}
