//! Key pairs.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::model::KeyPair;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::token::fingerprint;
use crate::ec2_fake::xml::Xml;

/// Makes a real key with `ssh-keygen`, so that whoever asked for it can log in with it.
pub(super) fn create(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let name = free_name(call)?;
    let tags = tags::specified(call.form, "key-pair")?;
    let (private, public) = generate().map_err(|error| ApiError::new(500, "InternalError", error))?;
    let pair = KeyPair { id: call.state.id("key"), owner: call.account().to_owned(), name, public, tags };
    let mut xml = Xml::default();
    write(&mut xml, &pair);
    xml.text("keyMaterial", private);
    insert(call, pair)?;
    Ok(xml)
}

pub(super) fn import(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let name = free_name(call)?;
    let tags = tags::specified(call.form, "key-pair")?;
    let material = call.form.required("PublicKeyMaterial")?;
    let public = STANDARD.decode(material).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let public = public
        .filter(|text| text.starts_with("ssh-"))
        .ok_or_else(|| refused("InvalidKey.Format", "Key is not in valid OpenSSH public key format"))?;
    let pair = KeyPair { id: call.state.id("key"), owner: call.account().to_owned(), name, public, tags };
    let mut xml = Xml::default();
    write(&mut xml, &pair);
    insert(call, pair)?;
    Ok(xml)
}

/// "DeleteKeyPair … returns true even if the key pair does not exist" (EC2 API Reference, "DeleteKeyPair").
pub(super) fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let (name, id) = (call.form.get("KeyName"), call.form.get("KeyPairId"));
    let keys = &mut call.state.region(&region)?.keys;
    keys.retain(|own, pair| pair.owner != account || (Some(own.as_str()) != name && Some(pair.id.as_str()) != id));
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}

impl Filterable for KeyPair {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "key-name" => Some(vec![self.name.clone()]),
            "key-pair-id" => Some(vec![self.id.clone()]),
            _ => None,
        }
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &["key-name", "key-pair-id"])?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let names = call.form.texts("KeyName");
    let keys = &call.state.region(&region)?.keys;
    let found = keys.values().filter(|pair| pair.owner == account);
    let found = found.filter(|pair| filters.fit(*pair));
    let found = found.filter(|pair| names.is_empty() || names.contains(&pair.name.as_str()));
    let mut xml = Xml::default();
    xml.list("keySet", found, |item, pair| {
        write(item, pair);
        tags::write(item, &pair.tags);
    });
    Ok(xml)
}

fn write(xml: &mut Xml, pair: &KeyPair) {
    xml.text("keyName", &pair.name).text("keyPairId", &pair.id).text("keyFingerprint", fingerprint(&pair.public));
}

fn free_name(call: &mut Call<'_>) -> Result<String, ApiError> {
    let (region, name) = (call.region().to_owned(), call.form.required("KeyName")?);
    if call.state.region(&region)?.keys.contains_key(name) {
        return Err(refused("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists.")));
    }
    Ok(name.to_owned())
}

fn insert(call: &mut Call<'_>, pair: KeyPair) -> Result<(), ApiError> {
    let region = call.region().to_owned();
    call.state.region(&region)?.keys.insert(pair.name.clone(), pair);
    Ok(())
}

/// A private key and its public one.
fn generate() -> Result<(String, String), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("key");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("ssh-keygen: {error}"))?;
    if !status.success() {
        return Err(format!("ssh-keygen: {status}"));
    }
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).map_err(|error| error.to_string());
    Ok((read(path.clone())?, read(path.with_extension("pub"))?))
}
