//! Security groups.

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::model::Group;
use crate::ec2_fake::page::Page;
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::tags::{self, Tags};
use crate::ec2_fake::xml::Xml;

impl Filterable for Group {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "group-id" => Some(vec![self.id.clone()]),
            "group-name" => Some(vec![self.name.clone()]),
            _ => None,
        }
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

fn missing(id: &str) -> ApiError {
    refused("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    tags::only_for(call.form, &["security-group"])?;
    let (region, account, form) = (call.region().to_owned(), call.account().to_owned(), call.form);
    let (name, description) = (form.required("GroupName")?.to_owned(), form.required("GroupDescription")?.to_owned());
    let tags = tags::specified(form, "security-group")?;
    let taken = |group: &Group| group.owner == account && group.name == name;
    if call.state.region(&region)?.groups.values().any(taken) {
        let text = format!("The security group '{name}' already exists");
        return Err(refused("InvalidGroup.Duplicate", text));
    }
    let id = call.state.id("sg");
    let mut xml = Xml::default();
    xml.text("return", true).text("groupId", &id);
    tags::write(&mut xml, &tags);
    let group = Group { id: id.clone(), owner: account, name, description, ingress: Vec::new(), tags };
    call.state.region(&region)?.groups.insert(id, group);
    Ok(xml)
}

pub(super) fn authorize(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account, form) = (call.region().to_owned(), call.account().to_owned(), call.form);
    let id = form.required("GroupId")?;
    let mut rules = Vec::new();
    for permission in form.list("IpPermissions") {
        let port = |name: &str| permission.get(name).and_then(|port| port.parse().ok()).unwrap_or(-1);
        for range in permission.list("IpRanges") {
            let protocol = permission.required("IpProtocol")?.to_owned();
            rules.push((protocol, port("FromPort"), port("ToPort"), range.required("CidrIp")?.to_owned()));
        }
    }
    if rules.is_empty() {
        return Err(refused("MissingParameter", "The request must contain the parameter IpPermissions"));
    }
    let group = call.state.region(&region)?.groups.get_mut(id).filter(|own| own.owner == account);
    let group = group.ok_or_else(|| missing(id))?;
    if let Some(rule) = rules.iter().find(|rule| group.ingress.contains(rule)) {
        let text = format!("the specified rule \"peer: {}, {}\" already exists", rule.3, rule.0);
        return Err(refused("InvalidPermission.Duplicate", text));
    }
    group.ingress.extend(rules);
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let (region, account, now) = (call.region().to_owned(), call.account().to_owned(), call.now);
    let id = call.form.required("GroupId")?;
    let region = call.state.region(&region)?;
    if region.groups.get(id).is_none_or(|own| own.owner != account) {
        return Err(missing(id));
    }
    let uses = |groups: &[String]| groups.iter().any(|own| own == id);
    if region.instances.values().any(|own| own.state(now).0 != "terminated" && uses(&own.groups)) {
        return Err(refused("DependencyViolation", format!("resource {id} has a dependent object")));
    }
    region.groups.remove(id);
    let mut xml = Xml::default();
    xml.text("return", true).text("groupId", id);
    Ok(xml)
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &["group-id", "group-name"])?;
    let page = Page::read(call.form, &call.state.settings, 5..=1000, "GroupId", call.now)?;
    let (region, account) = (call.region().to_owned(), call.account().to_owned());
    let (ids, names) = (call.form.texts("GroupId"), call.form.texts("GroupName"));
    let groups = &call.state.region(&region)?.groups;
    if let Some(id) = ids.iter().find(|id| groups.get(**id).is_none_or(|own| own.owner != account)) {
        return Err(missing(id));
    }
    let found = groups
        .values()
        .filter(|group| page.after.as_ref().is_none_or(|after| group.id > *after) && group.owner == account)
        .filter(|group| ids.is_empty() || ids.contains(&group.id.as_str()))
        .filter(|group| names.is_empty() || names.contains(&group.name.as_str()))
        .filter(|group| filters.fit(*group))
        .map(|group| (group.id.as_str(), group));
    let (found, next) = page.take(found);
    let mut xml = Xml::default();
    xml.list("securityGroupInfo", found, |item, group| {
        item.text("ownerId", &group.owner)
            .text("groupId", &group.id)
            .text("groupName", &group.name)
            .text("groupDescription", &group.description);
        item.list("ipPermissions", &group.ingress, |item, (protocol, from, to, range)| {
            item.text("ipProtocol", protocol).text("fromPort", from).text("toPort", to);
            item.list("ipRanges", [range], |item, range| {
                item.text("cidrIp", range);
            });
        });
        tags::write(item, &group.tags);
    });
    page.write(&mut xml, next);
    Ok(xml)
}
