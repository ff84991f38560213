//! Locations, manifests and keys under bad input and bad luck: rows C1 to C18 and L1 to L9.

pub(super) mod craft;
mod damage;
mod first_hour;
mod folder;
mod keys;
mod masked;
mod progress;
mod publish;
mod reach;
mod requests;
mod secrets;
mod stopped;
pub(crate) mod terminal;
mod tour;
mod upload;
mod waits;

use crate::harness::{Area, Locations, Row};

/// The rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Locations::{Both, Folder, S3};
    let mut rows = vec![
        Row::new("C1", "put interrupted half-way: nothing visible, retried, swept", Area::Core, Both, |world| {
            Box::pin(upload::interrupted_put(world))
        }),
        Row::new("C2", "kill -9 between last part and manifest", Area::Core, Both, |world| {
            Box::pin(upload::killed_before_manifest(world))
        }),
        Row::new("C2-only", "kill -9 before the first manifest of a database", Area::Core, Both, |world| {
            Box::pin(upload::nothing_but_dead(world))
        }),
        Row::new("C3", "answer to a successful create lost", Area::Core, S3, |world| {
            Box::pin(publish::lost_response(world))
        }),
        Row::new("C4", "two writers publish one key: one wins, both named", Area::Core, Both, |world| {
            Box::pin(publish::two_writers(world))
        }),
        Row::new("C5", "a byte flipped in each stored object", Area::Core, Both, |world| {
            Box::pin(damage::flipped(world))
        }),
        Row::new("C6", "each stored object a byte shorter, a byte longer", Area::Core, Both, |world| {
            Box::pin(damage::resized(world))
        }),
        Row::new("C7", "manifest edited; unknown field of this format tolerated", Area::Core, Both, |world| {
            Box::pin(damage::edited_manifest(world))
        }),
        Row::new("C8", "manifest or location of a newer format", Area::Core, Both, |world| {
            Box::pin(damage::newer_format(world))
        }),
        Row::new("C9", "503 SlowDown five times, then ok", Area::Core, S3, |world| {
            Box::pin(requests::slow_down(world))
        }),
        Row::new("C10", "403 on put: no retry, the IAM action named", Area::Core, S3, |world| {
            Box::pin(requests::denied(world))
        }),
        Row::new("C11", "listing omits the newest", Area::Core, S3, |world| Box::pin(publish::lagging_listing(world))),
        Row::new("C12", "disk full while writing", Area::Core, Folder, |world| Box::pin(folder::full_disk(world))),
        Row::new("C13", "clock 2 h ahead, then corrected", Area::Core, Both, |world| {
            Box::pin(publish::clock_ahead(world))
        }),
        Row::new("C14", "hostile keys, typed and stored", Area::Core, Both, |world| {
            Box::pin(keys::hostile_keys(world))
        }),
        Row::new("C15", "endpoint that ignores conditional create", Area::Core, S3, |world| {
            Box::pin(publish::unconditional_store(world))
        }),
        Row::new("C16", "SIGTERM amid an upload: 143, nothing left", Area::Core, Both, |world| {
            Box::pin(upload::terminated(world))
        }),
        Row::new("C17", "random secrets through every failure: seen nowhere", Area::Core, Both, |world| {
            Box::pin(secrets::nowhere(world))
        }),
        Row::new("C18", "location 0755 warned about, password file 0644 refused", Area::Core, Folder, |world| {
            Box::pin(folder::open_to_others(world))
        }),
    ];
    rows.extend(as_people_have_them());
    rows.extend(bad_days());
    rows.extend(first_hours());
    rows.extend(progress());
    rows
}

/// Names that steer terminals, waits, and what programs print of credentials.
fn bad_days() -> Vec<Row> {
    use Locations::{Both, Folder};
    vec![
        Row::new("N-terminal", "names that steer a terminal, through every command", Area::Core, Folder, |world| {
            Box::pin(terminal::hostile_names(world))
        }),
        Row::new(
            "W-lock",
            "a folder's lock that is never given back: seen, 11, the holder named",
            Area::Core,
            Folder,
            |world| Box::pin(waits::held_lock(world)),
        ),
        Row::new("W-term", "SIGTERM and SIGHUP while that lock is waited for", Area::Core, Folder, |world| {
            Box::pin(waits::signal_ends_the_wait(world))
        }),
        Row::new("W-hup", "SIGHUP amid a restore: 143, no database left", Area::Core, Both, |world| {
            Box::pin(waits::hang_up(world))
        }),
        Row::new("W-published", "SIGTERM after the publication: the dump is named", Area::Core, Both, |world| {
            Box::pin(waits::after_publication(world))
        }),
        Row::new("W-stdout", "standard output full after a dump: the dump is named", Area::Core, Folder, |world| {
            Box::pin(waits::full_output(world))
        }),
        Row::new(
            "W-statement",
            "SIGTERM amid a statement of ten minutes ends a restore",
            Area::Core,
            Folder,
            |world| Box::pin(stopped::statements(world)),
        ),
        Row::new(
            "W-data-only",
            "SIGTERM amid a data-only restore frees the live tables",
            Area::Core,
            Folder,
            |world| Box::pin(stopped::data_only(world)),
        ),
        Row::new("W-hook", "SIGTERM ends hooks that ignore it", Area::Core, Folder, |world| {
            Box::pin(stopped::hooks(world))
        }),
        Row::new("W-rate", "SIGTERM while a rate holds back what is sent or read", Area::Core, Folder, |world| {
            Box::pin(stopped::rate(world))
        }),
        Row::new("W-deaf", "SIGTERM while nobody answers", Area::Core, Folder, |world| Box::pin(stopped::deaf(world))),
        Row::new("W-gone", "the folder removed amid a dump: 10, no prune blamed", Area::Core, Folder, |world| {
            Box::pin(waits::folder_removed(world))
        }),
        Row::new(
            "M-secrets",
            "credentials of files and of a credential_process in hooks' output",
            Area::Core,
            Both,
            |world| Box::pin(masked::of_files_and_programs(world)),
        ),
        Row::new("M-short", "secrets of one to three letters, and words in words", Area::Core, Folder, |world| {
            Box::pin(masked::short_ones(world))
        }),
    ]
}

/// What somebody new types and sees.
fn first_hours() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("Q-quiet", "-q prints nothing when all is well", Area::Core, Folder, |world| {
            Box::pin(first_hour::quiet(world))
        }),
        Row::new(
            "Q-bare",
            "the guide's lines for cron and systemd, in a bare environment",
            Area::Core,
            Folder,
            |world| Box::pin(first_hour::bare_environment(world)),
        ),
        Row::new("Q-tour", "the README's sixty seconds, typed as they stand", Area::Core, Folder, |world| {
            Box::pin(tour::typed(world))
        }),
        Row::new(
            "Q-help",
            "options of every command once, and all with --help-all; names",
            Area::Core,
            Folder,
            |world| Box::pin(first_hour::pages(world)),
        ),
        Row::new("Q-words", "words of other programs, and arguments slightly wrong", Area::Core, Folder, |world| {
            Box::pin(first_hour::words(world))
        }),
        Row::new("Q-connect", "missing credentials and endpoints that do not answer", Area::Core, Folder, |world| {
            Box::pin(first_hour::connections(world))
        }),
        Row::new("Q-tls", "an untrusted certificate, and a rejection by pg_hba.conf", Area::Core, Folder, |world| {
            Box::pin(first_hour::kept_out(world))
        })
        .own_server(),
    ]
}

/// How far a run is.
fn progress() -> Vec<Row> {
    use Locations::Folder;
    vec![
        Row::new("P-progress-80", "a terminal of 80 columns: percent, rate, time left", Area::Core, Folder, |world| {
            Box::pin(progress::eighty(world))
        }),
        Row::new("P-progress-40", "a terminal of 40 columns: nothing is wrapped", Area::Core, Folder, |world| {
            Box::pin(progress::forty(world))
        }),
        Row::new("P-progress-lines", "a line after 5 s where there is no terminal", Area::Core, Folder, |world| {
            Box::pin(progress::lines(world))
        }),
        Row::new("P-progress-json", "totals, percent, time and time left for programs", Area::Core, Folder, |world| {
            Box::pin(progress::json(world))
        }),
    ]
}

/// Buckets, profiles and servers that were met elsewhere.
fn as_people_have_them() -> Vec<Row> {
    use Locations::S3;
    vec![
        Row::new("L1", "endpoints by profile, by empty variables, without a scheme", Area::Core, S3, |world| {
            Box::pin(reach::endpoints(world))
        }),
        Row::new(
            "L2",
            "a credential_process that fails, and SSO: 12 at once, in their words",
            Area::Core,
            S3,
            |world| Box::pin(reach::no_credentials(world)),
        ),
        Row::new("L3", "AWS_CA_BUNDLE, ca_bundle and SSL_CERT_FILE", Area::Core, S3, |world| {
            Box::pin(reach::authority(world))
        }),
        Row::new("L4", "a store that lists no uploads: retention applied, leftovers told", Area::Core, S3, |world| {
            Box::pin(reach::no_list_of_uploads(world))
        }),
        Row::new("L5", "foreign keys with control bytes", Area::Core, S3, |world| {
            Box::pin(reach::control_bytes(world))
        }),
        Row::new("L6", "a clock that is wrong: both times", Area::Core, S3, |world| {
            Box::pin(reach::wrong_clock(world))
        }),
        Row::new("L7", "a secret that is an ordinary word", Area::Core, Locations::Folder, |world| {
            Box::pin(reach::short_secrets(world))
        }),
        Row::new("L8", "uploads that began in 2010, as the store says, of a live run", Area::Core, S3, |world| {
            Box::pin(reach::uploads_of_2010(world))
        }),
        Row::new("L9", "a store that lists folder by folder", Area::Core, S3, |world| {
            Box::pin(reach::folder_by_folder(world))
        }),
    ]
}
