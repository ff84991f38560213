//! What somebody wrote who may write to the location or own a database, and who means harm.

mod archive;
mod frames;
mod marks;
mod resealed;

use crate::harness::{Area, Locations, Row};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new(
            "P-marks",
            "comments like ours on databases of others are no proof of anything",
            Area::Pg,
            Folder,
            |world| Box::pin(marks::of_others(world)),
        ),
        Row::new("P-marks-names", "names of our own copies are no targets", Area::Pg, Folder, |world| {
            Box::pin(marks::names(world))
        }),
        Row::new(
            "P-marks-owners",
            "copies come back where they have another owner, and a dump's mark is none",
            Area::Pg,
            Folder,
            |world| Box::pin(marks::owners(world)),
        ),
        Row::new(
            "P-archive",
            "a schema that acts outside of its database is not restored",
            Area::Pg,
            Folder,
            |world| Box::pin(archive::acts_outside(world)),
        ),
        Row::new("P-secrets", "settings that may hold secrets are left out of a dump", Area::Pg, Folder, |world| {
            Box::pin(archive::settings_left_out(world))
        }),
        Row::new("P-frames", "verify and restore call the same frames damaged", Area::Pg, Folder, |world| {
            Box::pin(frames::both_agree(world))
        }),
        Row::new("P-claims", "memory follows what is there and not what is claimed", Area::Pg, Folder, |world| {
            Box::pin(frames::claims(world))
        }),
        Row::new("P-encrypted", "a dump that is encrypted is refused", Area::Pg, Folder, |world| {
            Box::pin(frames::encrypted(world))
        }),
    ]
}
