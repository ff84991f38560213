//! Who may use a snapshot (EC2 API Reference, "ModifySnapshotAttribute").

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::model::Snapshot;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::xml::Xml;

const PERMISSION: &str = "createVolumePermission";

fn own<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Snapshot, ApiError> {
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let id = call.form.required("SnapshotId")?.to_owned();
    let snapshot = call.state.snapshot(&region, &account, &id)?;
    if snapshot.owner == account {
        Ok(snapshot)
    } else {
        Err(refused("AuthFailure", format!("You do not own the snapshot '{id}'.")))
    }
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let attribute = call.form.required("Attribute")?.to_owned();
    let snapshot = own(call)?;
    let mut xml = Xml::default();
    xml.text("snapshotId", &snapshot.id);
    match attribute.as_str() {
        PERMISSION => {
            let accounts = snapshot.shared.iter().map(|account| ("userId", account.as_str()));
            let all = snapshot.public.then_some(("group", "all"));
            xml.list(PERMISSION, accounts.chain(all), |item, (name, value)| {
                item.text(name, value);
            });
        }
        "productCodes" => {
            xml.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
        }
        other => {
            return Err(refused(
                "InvalidParameterValue",
                format!("Value ({other}) for parameter attribute is invalid."),
            ));
        }
    }
    Ok(xml)
}

pub(super) fn modify(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let form = call.form;
    let mut changes: Vec<(bool, String)> = Vec::new();
    if let Some(operation) = form.get("OperationType") {
        let add = match operation {
            "add" => true,
            "remove" => false,
            other => {
                return Err(refused(
                    "InvalidParameterValue",
                    format!("Value ({other}) for parameter operationType is invalid."),
                ));
            }
        };
        let names = form.texts("UserId").into_iter().chain(form.texts("UserGroup"));
        changes.extend(names.map(|name| (add, name.to_owned())));
    }
    for (path, add) in [("CreateVolumePermission.Add", true), ("CreateVolumePermission.Remove", false)] {
        for entry in form.list(path) {
            let name = entry.get("UserId").or(entry.get("Group")).unwrap_or_default();
            changes.push((add, name.to_owned()));
        }
    }
    if changes.is_empty() {
        return Err(refused("InvalidParameterCombination", "No attributes specified."));
    }
    let snapshot = own(call)?;
    if snapshot.key.as_ref().is_some_and(|key| key.ends_with("alias/aws/ebs")) {
        let text = "Encrypted snapshots with EBS default key cannot be shared";
        return Err(refused("InvalidParameter", text));
    }
    for (add, name) in changes {
        match (name.as_str(), add) {
            ("all", add) => snapshot.public = add,
            (_, true) => drop(snapshot.shared.insert(name)),
            (_, false) => drop(snapshot.shared.remove(&name)),
        }
    }
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}
