//! Says which snapshots of a listing would go: `aws ec2 describe-snapshots | foreign-ec2-snapshots eu-west-1`.

use std::error::Error;
use std::io;

use ec2_snapshots::backup_core::jiff::{Timestamp, tz::TimeZone};
use ec2_snapshots::model::Region;
use ec2_snapshots::offline;
use ec2_snapshots::trim::{Gathered, Numbers, PolicyName, Scope, Standing, plan, policy};

fn main() -> Result<(), Box<dyn Error>> {
    let region: Region = std::env::args().nth(1).ok_or("usage: foreign-ec2-snapshots REGION")?.parse()?;
    let (mut gathered, everything) = (Gathered::new(), Scope { any: true, ..Scope::default() });
    offline::read(io::stdin().lock(), "standard input", &region, &mut |snapshot| {
        gathered.add(&snapshot, &everything, &Standing::default());
    })?;
    let logarithmic = policy(PolicyName::Logarithmic, Numbers::default(), Vec::new(), &TimeZone::UTC);
    for snapshot in plan(&mut gathered, &logarithmic, Timestamp::now())?.deleted() {
        println!("{}", snapshot.id);
    }
    Ok(())
}
