//! Says what retrieving a file would cost, and what Glacier calls it: `foreign-glacier-archive FILE`.

use std::error::Error;
use std::fs;

use glacier_archive::backup_core::key::Key;
use glacier_archive::class::Class;
use glacier_archive::plan::{Limits, Wanted, plan};
use glacier_archive::price::PriceBook;
use glacier_archive::tree_hash::TreeHash;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: foreign-glacier-archive FILE")?;
    let content = fs::read(file)?;
    println!("tree hash {}", <TreeHash>::of(&content));
    let wanted = Wanted { key: Key::new("archives/file")?, bytes: content.len() as u64, class: Class::DeepArchive };
    for offer in plan(&[wanted], &Limits::default(), &PriceBook::builtin()?).offers {
        println!("{:?}: {}, {:?} minutes", offer.tier, offer.total(), offer.minutes);
    }
    Ok(())
}
