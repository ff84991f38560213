//! Whole listings, page by page and within EC2's limits.

use std::sync::Arc;

use backup_core::run::Run;
use futures_util::future::BoxFuture;

use crate::ask;
use crate::error::{Ec2Error, Ec2Result};
use crate::model::{Image, Instance, Region, Snapshot, SnapshotId, Volume};
use crate::ports::{CallResult, Cloud, Ec2, Filter, Group, Machines, Page, Query};

/// Values that all filters of a request may have together (EC2 API reference, `DescribeSnapshots`: "up to 200").
pub const FILTER_VALUES_MAX: usize = 200;

/// Pages of one listing: with 1000 entries each a hundred times what an account may have in a region. A server that
/// repeats itself ends here.
const PAGES_MAX: usize = 10_000;

/// How often a listing begins anew because its place in it expired.
const RESTARTS_MAX: usize = 3;

/// All snapshots of a region that fit `filters`.
///
/// # Errors
/// [`Ec2Error`].
pub async fn snapshots(ec2: &dyn Ec2, filters: Vec<Filter>, run: &Run) -> Ec2Result<Vec<Snapshot>> {
    pages(run, "snapshots", Query::filtered(filters), |query| Box::pin(async move { ec2.snapshots(&query).await }))
        .await
}

/// The snapshots of these ids; what does not exist is left out.
///
/// # Errors
/// [`Ec2Error`].
pub async fn snapshots_of(ec2: &dyn Ec2, ids: &[SnapshotId], run: &Run) -> Ec2Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    for some in ids.chunks(FILTER_VALUES_MAX) {
        // As a filter and not as ids: those fail as a whole if one of them is gone.
        let filter = Filter::new("snapshot-id", some.iter().map(SnapshotId::as_str));
        found.extend(snapshots(ec2, vec![filter], run).await?);
    }
    Ok(found)
}

/// All volumes of a region that fit `filters`.
///
/// # Errors
/// [`Ec2Error`].
pub async fn volumes(ec2: &dyn Ec2, filters: Vec<Filter>, run: &Run) -> Ec2Result<Vec<Volume>> {
    pages(run, "volumes", Query::filtered(filters), |query| Box::pin(async move { ec2.volumes(&query).await })).await
}

/// All instances of a region that fit `filters`.
///
/// # Errors
/// [`Ec2Error`].
pub async fn instances(ec2: &dyn Ec2, filters: Vec<Filter>, run: &Run) -> Ec2Result<Vec<Instance>> {
    pages(run, "instances", Query::filtered(filters), |query| Box::pin(async move { ec2.instances(&query).await }))
        .await
}

/// All security groups of a region that fit `filters`.
///
/// # Errors
/// [`Ec2Error`].
pub async fn groups(machines: &dyn Machines, filters: Vec<Filter>, run: &Run) -> Ec2Result<Vec<Group>> {
    let fetch = |query: Query| -> BoxFuture<'_, _> { Box::pin(async move { machines.groups(&query).await }) };
    pages(run, "security groups", Query::filtered(filters), fetch).await
}

/// All images of a region that the account owns.
///
/// # Errors
/// [`Ec2Error`].
pub async fn images(ec2: &dyn Ec2, run: &Run) -> Ec2Result<Vec<Image>> {
    pages(run, "images", Query::all(), |query| Box::pin(async move { ec2.images(&query).await })).await
}

/// All snapshots of a region that are locked.
///
/// # Errors
/// [`Ec2Error`].
pub async fn locked(ec2: &dyn Ec2, run: &Run) -> Ec2Result<Vec<SnapshotId>> {
    pages(run, "locked snapshots", Query::all(), |query| Box::pin(async move { ec2.locked(&query).await })).await
}

/// All snapshots of a region that are in the recycle bin.
///
/// # Errors
/// [`Ec2Error`].
pub async fn in_recycle_bin(ec2: &dyn Ec2, run: &Run) -> Ec2Result<Vec<SnapshotId>> {
    let fetch = |query: Query| -> BoxFuture<'_, _> { Box::pin(async move { ec2.in_recycle_bin(&query).await }) };
    pages(run, "the recycle bin", Query::all(), fetch).await
}

/// The regions the account can use, by name.
///
/// # Errors
/// [`Ec2Error`].
pub async fn regions(cloud: &dyn Cloud, run: &Run) -> Ec2Result<Vec<Region>> {
    let mut regions = ask::again(run, "regions", || cloud.regions()).await?;
    regions.sort();
    Ok(regions)
}

/// EC2 in each of `regions`.
#[must_use]
pub fn each(cloud: &dyn Cloud, regions: &[Region]) -> Vec<Arc<dyn Ec2>> {
    regions.iter().map(|region| cloud.region(region)).collect()
}

async fn pages<'a, T>(
    run: &Run,
    about: &str,
    query: Query,
    fetch: impl Fn(Query) -> BoxFuture<'a, CallResult<Page<T>>>,
) -> Ec2Result<Vec<T>> {
    let (mut items, mut token, mut restarts) = (Vec::new(), None, 0);
    for _ in 0..PAGES_MAX {
        run.stop_if_cancelled()?;
        let query = Query { token: token.clone(), ..query.clone() };
        let page = ask::again(run, about, || fetch(query.clone())).await;
        let page = match page {
            Err(error) if query.token.is_some() && restarts < RESTARTS_MAX && is_expired(&error) => {
                restarts += 1;
                (items, token) = (Vec::new(), None);
                continue;
            }
            page => page?,
        };
        items.extend(page.items);
        match page.next {
            None => return Ok(items),
            next => token = next,
        }
    }
    Err(Ec2Error::input(format!("the list of {about}"), format!("it has more than {PAGES_MAX} pages")))
}

/// Whether the place in a listing is no longer valid: whoever was throttled for long begins anew.
fn is_expired(error: &Ec2Error) -> bool {
    match error {
        Ec2Error::Refused { source } => {
            ["InvalidNextToken", "InvalidPaginationToken", "InvalidParameterValue"].contains(&source.code.as_str())
                && (source.code != "InvalidParameterValue" || source.message.to_lowercase().contains("token"))
        }
        _ => false,
    }
}
