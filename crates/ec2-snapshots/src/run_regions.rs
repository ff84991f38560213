//! Several regions at a time, none of which stops the others.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use serde::ser::SerializeStruct as _;

use backup_core::failure::Failure as _;

use crate::error::Ec2Error;
use crate::model::Region;

/// Regions or instances worked on at once: EC2 throttles by account and region, and a run waits for answers most of the
/// time.
pub(crate) const AT_ONCE: usize = 8;

/// What could not be done for one region, instance or snapshot while the rest could.
#[derive(Debug)]
pub struct Failed {
    /// Where.
    pub region: Region,
    /// What it was to be done for, such as an instance; none for the region as a whole.
    pub what: Option<String>,
    /// Why.
    pub error: Ec2Error,
}

impl Failed {
    /// A failure of a whole region.
    pub(crate) fn region(region: &Region, error: Ec2Error) -> Self {
        Self { region: region.clone(), what: None, error }
    }

    /// A failure of one thing in a region.
    pub(crate) fn of(region: &Region, what: impl ToString, error: Ec2Error) -> Self {
        Self { region: region.clone(), what: Some(what.to_string()), error }
    }
}

impl Serialize for Failed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Failed", 4)?;
        fields.serialize_field("region", &self.region)?;
        fields.serialize_field("what", &self.what)?;
        fields.serialize_field("code", self.error.code())?;
        fields.serialize_field("error", &self.error.to_string())?;
        fields.end()
    }
}

/// Runs `work` for each of `all`, several at a time; results in the order given.
pub(crate) async fn each<T, R, F>(all: Vec<T>, work: impl Fn(T) -> F) -> Vec<R>
where
    F: Future<Output = R>,
{
    stream::iter(all.into_iter().map(work)).buffered(AT_ONCE).collect().await
}
