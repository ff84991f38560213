//! What somebody wrote who may write to the location or own a database, and who means harm.

mod archive;
mod entries;
mod frames;
mod marks;
mod parts;
mod resealed;
mod toc;

use crate::harness::{Area, Locations, Row};

/// The rows.
pub(super) fn rows() -> Vec<Row> {
    use Locations::{Both, Folder};
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
        Row::new(
            "P-archive-entries",
            "what is made of an archive beside its statements acts on nothing outside",
            Area::Pg,
            Folder,
            |world| Box::pin(entries::of_schemas(world)),
        ),
        Row::new("P-archive-file", "single files that act outside of their database", Area::Pg, Folder, |world| {
            Box::pin(entries::of_files(world))
        }),
        Row::new("P-manifest-words", "words of a manifest that become SQL", Area::Pg, Folder, |world| {
            Box::pin(entries::of_manifests(world))
        }),
        Row::new("P-parts", "objects of others in a manifest that is deleted stay", Area::Pg, Both, |world| {
            Box::pin(parts::of_others(world))
        }),
        Row::new("P-pointer", "a pointer to another database's dump is no hint", Area::Pg, Both, |world| {
            Box::pin(parts::pointed(world))
        }),
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
