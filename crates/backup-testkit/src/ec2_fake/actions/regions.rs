//! Regions.

use super::call::Call;
use crate::aws_fake::ApiError;
use crate::ec2_fake::filter::{Filterable, Filters};
use crate::ec2_fake::rules::refused;
use crate::ec2_fake::tags::Tags;
use crate::ec2_fake::xml::Xml;

struct Named<'a>(&'a str, Tags);

impl Filterable for Named<'_> {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "region-name" => Some(vec![self.0.to_owned()]),
            "endpoint" => Some(vec![endpoint(self.0)]),
            "opt-in-status" => Some(vec!["opt-in-not-required".to_owned()]),
            _ => None,
        }
    }

    fn tags(&self) -> &Tags {
        &self.1
    }
}

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let filters = Filters::read(call.form, &["region-name", "endpoint", "opt-in-status"])?;
    let names = call.form.texts("RegionName");
    if let Some(unknown) = names.iter().find(|name| !call.state.regions.contains_key(**name)) {
        let text = format!("Invalid region names were specified: {unknown}");
        return Err(refused("InvalidParameterValue", text));
    }
    let found = call
        .state
        .regions
        .keys()
        .filter(|name| names.is_empty() || names.contains(&name.as_str()))
        .filter(|name| filters.fit(&Named(name, Tags::new())));
    let mut xml = Xml::default();
    xml.list("regionInfo", found, |item, name| {
        item.text("regionName", name).text("regionEndpoint", endpoint(name)).text("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}

pub(super) fn encryption_by_default(call: &mut Call<'_>) -> Result<Xml, ApiError> {
    let region = call.region().to_owned();
    let mut xml = Xml::default();
    xml.text("ebsEncryptionByDefault", call.state.region(&region)?.encryption_by_default);
    Ok(xml)
}
