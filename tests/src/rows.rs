//! The rows of the acceptance table, by area.

pub mod app;
pub mod badday;
pub mod core;
pub mod dict;
pub mod differential;
pub mod ec2;
pub mod glacier;
pub mod held;
pub mod kill;
pub mod pg;
pub mod retention;
pub mod stores;
pub mod truth;
pub mod versions;

use crate::harness::{Row, RowResult};

/// Every row, in the order in which they run: what is quick and basic first.
///
/// # Errors
/// If the SQL files cannot be read.
pub fn all() -> RowResult<Vec<Row>> {
    let mut rows = pg::rows();
    rows.extend(self::core::rows());
    rows.extend(retention::rows());
    rows.extend(truth::rows());
    rows.extend(dict::rows());
    rows.extend(app::rows());
    rows.extend(held::rows());
    rows.extend(badday::rows());
    rows.extend(ec2::rows());
    rows.extend(glacier::rows());
    rows.extend(differential::rows()?);
    rows.extend(versions::rows());
    rows.extend(stores::rows());
    rows.extend(kill::rows());
    Ok(rows)
}
