//! Examples and exit codes of the commands of `lastgood glacier` that look after archives.

use crate::args::reach::{Footer, Reach, footer};
use crate::exit::Exit;

/// Deleting archives is confirmed, and done by one run at a time.
const DELETE: &[Exit] = &[Exit::Partial, Exit::Held, Exit::RetentionRefused, Exit::Confirmation];

/// What the service has is compared, and may be damaged.
const COMPARE: &[Exit] = &[Exit::Partial, Exit::Held, Exit::Integrity];

/// All of them.
pub(crate) const FOOTERS: &[Footer] = &[
    footer(
        "glacier jobs",
        Reach::Location,
        &[],
        &[("lastgood glacier jobs uploads", "List all retrievals of archives with this name")],
    ),
    footer(
        "glacier delete",
        Reach::Location,
        DELETE,
        &[
            ("lastgood glacier delete uploads/2026-11-21-03-00-04-123456 -n", "Show what would go, and what it costs"),
            ("lastgood glacier delete uploads/2026-11-21-03-00-04-123456", "Delete this backup"),
        ],
    ),
    footer(
        "glacier prune",
        Reach::Location,
        DELETE,
        &[
            ("lastgood glacier prune uploads --keep-daily 7 --keep-monthly 12 -n", "Show what would go, and why"),
            ("lastgood glacier prune uploads --incomplete", "Delete what interrupted runs left"),
        ],
    ),
    footer(
        "glacier inventory",
        Reach::Location,
        COMPARE,
        &[
            ("lastgood glacier inventory uploads", "Count archives; of a vault, request its inventory first"),
            ("lastgood glacier inventory uploads --fresh", "Request a newer inventory of the vault"),
        ],
    ),
    footer(
        "glacier reconcile",
        Reach::Location,
        COMPARE,
        &[("lastgood glacier reconcile uploads", "Compare backups with what is there and paid for")],
    ),
    footer(
        "glacier audit",
        Reach::Location,
        COMPARE,
        &[
            ("lastgood glacier audit uploads --sample 1% -n", "Show what reading one percent takes and costs"),
            (
                "lastgood glacier audit uploads --sample 1% --max-cost 5usd",
                "Request a sample; later, read and check it",
            ),
        ],
    ),
];
