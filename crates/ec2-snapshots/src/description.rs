//! The description of a snapshot: JSON in the form of django-fabfile, so that both read what the other wrote.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

/// Longest description EC2 takes (EC2 API reference, `CreateSnapshots`), in characters.
pub const LEN_MAX: usize = 255;

/// What a description says. A field that is missing is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// `Volume`. The snapshots of several volumes in one call have one description, which then has none.
    pub volume: Option<String>,
    /// `Region`: that of the volume.
    pub region: Option<String>,
    /// `Device`.
    pub device: Option<String>,
    /// `Instance`.
    pub instance: Option<String>,
    /// `Type`: that of the instance.
    pub instance_type: Option<String>,
    /// `Arch`.
    pub architecture: Option<String>,
    /// `Root_dev_name`.
    pub root_device: Option<String>,
    /// `Time`, in UTC.
    pub time: Option<Timestamp>,
}

impl Description {
    /// What `text` says, if it is a whole JSON object that names a volume or an instance and its region, as ours and
    /// django-fabfile's do. Anything else is another tool's, or cut off.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        // Most descriptions of other tools are prose: not worth a parser.
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let Ok(written) = serde_json::from_str::<Written>(text) else { return None };
        let filled = |field: Option<String>| field.filter(|text| !text.is_empty());
        let description = Self {
            volume: filled(written.volume),
            region: filled(written.region),
            device: filled(written.device),
            instance: filled(written.instance),
            instance_type: filled(written.instance_type),
            architecture: filled(written.architecture),
            root_device: filled(written.root_device),
            time: written.time.and_then(|text| moment(&text)),
        };
        let names_source =
            description.volume.is_some() || (description.instance.is_some() && description.region.is_some());
        names_source.then_some(description)
    }

    /// The text, in Python's notation of JSON. What does not fit is left out, least needed first.
    #[must_use]
    pub fn text(&self) -> String {
        let time = self.time.map(|time| TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S").to_string());
        let mut fields = [
            ("Volume", self.volume.clone()),
            ("Region", self.region.clone()),
            ("Device", self.device.clone()),
            ("Instance", self.instance.clone()),
            ("Type", self.instance_type.clone()),
            ("Arch", self.architecture.clone()),
            ("Root_dev_name", self.root_device.clone()),
            ("Time", time),
        ];
        for dispensable in ["", "Type", "Arch", "Root_dev_name", "Device", "Instance", "Region"] {
            if let Some((_, value)) = fields.iter_mut().find(|(name, _)| *name == dispensable) {
                *value = None;
            }
            let text = written(&fields);
            if text.chars().count() <= LEN_MAX {
                return text;
            }
        }
        String::new()
    }
}

/// The fields as they are written; others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Written {
    volume: Option<String>,
    region: Option<String>,
    device: Option<String>,
    instance: Option<String>,
    #[serde(rename = "Type")]
    instance_type: Option<String>,
    #[serde(rename = "Arch")]
    architecture: Option<String>,
    #[serde(rename = "Root_dev_name")]
    root_device: Option<String>,
    time: Option<String>,
}

fn written(fields: &[(&str, Option<String>)]) -> String {
    let pairs =
        fields.iter().filter_map(|(name, value)| Some(format!("\"{name}\": {}", Value::from(value.as_deref()?))));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// A time without zone in UTC, with or without a fraction.
fn moment(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Description {
        Description {
            volume: Some("vol-1".to_owned()),
            region: Some("us-east-1".to_owned()),
            device: Some("/dev/sda1".to_owned()),
            instance: Some("i-1".to_owned()),
            instance_type: Some("t3.micro".to_owned()),
            architecture: Some("x86_64".to_owned()),
            root_device: Some("/dev/sda1".to_owned()),
            time: Some("2012-03-14T15:10:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn the_text_is_django_fabfiles_and_is_read_back() {
        let text = full().text();
        assert_eq!(
            text,
            r#"{"Volume": "vol-1", "Region": "us-east-1", "Device": "/dev/sda1", "Instance": "i-1", "Type": "t3.micro", "Arch": "x86_64", "Root_dev_name": "/dev/sda1", "Time": "2012-03-14T15:10:00"}"#
        );
        assert_eq!(Description::read(&text), Some(full()));
    }

    #[test]
    fn a_text_that_would_be_too_long_keeps_volume_and_time() {
        let long = Description { device: Some("x".repeat(300)), ..full() };
        let text = long.text();
        assert!(text.chars().count() <= LEN_MAX, "{text}");
        let read = Description::read(&text).unwrap();
        assert_eq!((read.volume, read.time, read.device), (full().volume, full().time, None));
    }

    #[test]
    fn what_is_cut_or_not_json_or_of_another_tool_says_nothing() {
        let whole = full().text();
        for text in [
            &whole[..100],
            "",
            "Created by CreateImage(i-1) for ami-1",
            "{}",
            r#"{"Volume": 5}"#,
            "[1]",
            "{\"a\": \"b\"}",
        ] {
            assert_eq!(Description::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_may_have_a_fraction_and_a_wrong_one_is_none() {
        let time = |text: &str| Description::read(&format!(r#"{{"Volume": "v", "Time": "{text}"}}"#)).unwrap().time;
        assert_eq!(time("2012-03-14T15:10:00.25"), Some("2012-03-14T15:10:00.25Z".parse().unwrap()));
        assert_eq!(time("yesterday"), None);
    }
}
