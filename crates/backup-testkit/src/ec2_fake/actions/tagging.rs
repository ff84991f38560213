//! CreateTags and DeleteTags.

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::model::Region;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

/// The tags of any resource of the account; "InvalidID" for what is none (EC2 API Reference, "Error codes").
fn of<'a>(region: &'a mut Region, account: &str, id: &str) -> Result<&'a mut Tags, ApiError> {
    let kind = id.split('-').next().unwrap_or_default();
    let (found, code) = match kind {
        "i" => (
            region.instances.get_mut(id).filter(|own| own.owner == account).map(|own| &mut own.tags),
            "InvalidInstanceID.NotFound",
        ),
        "vol" => (
            region.volumes.get_mut(id).filter(|own| own.owner == account).map(|own| &mut own.tags),
            "InvalidVolume.NotFound",
        ),
        "snap" => (
            region
                .snapshots
                .get_mut(id)
                .filter(|own| own.owner == account && own.binned.is_none())
                .map(|own| &mut own.tags),
            "InvalidSnapshot.NotFound",
        ),
        "ami" => (
            region.images.get_mut(id).filter(|own| own.owner == account).map(|own| &mut own.tags),
            "InvalidAMIID.NotFound",
        ),
        "sg" => (
            region.groups.get_mut(id).filter(|own| own.owner == account).map(|own| &mut own.tags),
            "InvalidGroup.NotFound",
        ),
        _ => return Err(refused("InvalidID", format!("The ID '{id}' is not valid"))),
    };
    found.ok_or_else(|| refused(code, format!("The ID '{id}' does not exist")))
}

/// "You can specify up to 1000 resources" (EC2 API Reference, "CreateTags").
const RESOURCES_MAX: usize = 1000;

pub(super) fn create(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let new = tags::listed(call.form)?;
    let ids = ids(call)?;
    if new.is_empty() {
        return Err(refused("MissingParameter", "The request must contain the parameter Tag"));
    }
    let region = call.state.region(&region)?;
    let mut merged = Vec::new();
    for id in ids {
        merged.push((id, tags::merged(of(region, &account, id)?, &new)?));
    }
    for (id, tags) in merged {
        *of(region, &account, id)? = tags;
    }
    done()
}

/// "If you specify a tag key without a tag value, we delete any tag with this key regardless of its value."
pub(super) fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let ids = ids(call)?;
    let entries = call.form.list("Tag");
    let region = call.state.region(&region)?;
    for id in &ids {
        of(region, &account, id)?;
    }
    for id in ids {
        let tags = of(region, &account, id)?;
        if entries.is_empty() {
            tags.retain(|key, _| tags::reserved(key));
        }
        for entry in &entries {
            let key = entry.required("Key")?;
            if entry.get("Value").is_none_or(|value| tags.get(key).is_some_and(|own| own == value)) {
                tags.remove(key);
            }
        }
    }
    done()
}

fn ids<'a>(call: &Call<'a>) -> Result<Vec<&'a str>, ApiError> {
    let ids = call.form.texts("ResourceId");
    match ids.len() {
        0 => Err(refused("MissingParameter", "The request must contain the parameter ResourceId")),
        count if count > RESOURCES_MAX => Err(refused("InvalidParameterValue", "Too many resources")),
        _ => Ok(ids),
    }
}

fn done() -> Result<Xml, ApiError> {
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}
