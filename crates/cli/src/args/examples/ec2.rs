//! Examples and exit codes of `lastgood ec2`.

use crate::args::reach::{Footer, Reach, footer};
use crate::exit::Exit;

/// What one region or instance cannot do does not stop the others.
const PARTLY: &[Exit] = &[Exit::Partial, Exit::Key];

/// Deleting snapshots is confirmed.
const DELETE: &[Exit] = &[Exit::Partial, Exit::Key, Exit::Confirmation];

/// What goes on on hosts needs their programs, and may find damage.
const HOSTS: &[Exit] = &[Exit::Held, Exit::Key, Exit::Integrity, Exit::Tool];

/// A freeze also needs programs of the instance, and fails where another program froze first.
const SNAPSHOT: &[Exit] = &[Exit::Partial, Exit::Held, Exit::Key, Exit::Tool];

/// All of them.
pub(crate) const FOOTERS: &[Footer] = &[
    footer(
        "ec2",
        Reach::Group,
        &[],
        &[
            ("lastgood ec2 snapshot --tag Earmarking=production", "Snapshot all tagged instances in all regions"),
            ("lastgood ec2 trim --region eu-west-1 -n", "Show which old snapshots would be deleted"),
            ("lastgood ec2 report --rpo 26h", "Check that every volume has a recent snapshot"),
        ],
    ),
    footer(
        "ec2 snapshot",
        Reach::Server,
        SNAPSHOT,
        &[
            ("lastgood ec2 snapshot i-0123456789abcdef0 --region eu-w --wait", "Snapshot one instance and wait"),
            (
                "lastgood ec2 snapshot --tag Earmarking=production --consistent fs --via ssh:root@",
                "Freeze file systems of all tagged instances meanwhile",
            ),
            ("lastgood ec2 snapshot --tag Earmarking=production -n", "Show which snapshots would be created"),
        ],
    ),
    footer(
        "ec2 ls",
        Reach::Server,
        PARTLY,
        &[
            ("lastgood ec2 ls --region eu-west-1", "List the snapshots in a region"),
            ("lastgood ec2 ls --tag Earmarking=production --any --json", "List tagged ones of all tools, for programs"),
        ],
    ),
    footer(
        "ec2 show",
        Reach::Server,
        &[Exit::Key],
        &[("lastgood ec2 show snap-0123456789abcdef0", "Show a snapshot and its copies in all regions")],
    ),
    footer(
        "ec2 trim",
        Reach::Server,
        &[Exit::Partial, Exit::Key, Exit::RetentionRefused, Exit::Confirmation],
        &[
            (
                "lastgood ec2 trim --policy calendar --keep-hourly 0 -n",
                "Show what a policy would delete in all regions",
            ),
            ("lastgood ec2 trim --simulate --cadence 1h --for 2y", "Show how many snapshots a policy keeps over time"),
            (
                "lastgood ec2 trim -n --json --from-json snapshots.json --now 2026-11-21T03:00:00Z",
                "Plan for a file, without asking EC2",
            ),
        ],
    ),
    footer(
        "ec2 apply",
        Reach::Server,
        DELETE,
        &[("lastgood ec2 apply plan.json --yes", "Delete what a plan lists, if nothing has changed since")],
    ),
    footer(
        "ec2 clean-broken",
        Reach::Server,
        DELETE,
        &[("lastgood ec2 clean-broken -n", "List failed snapshots in all regions")],
    ),
    footer(
        "ec2 image",
        Reach::Server,
        &[Exit::Key],
        &[
            (
                "lastgood ec2 image 019aa5d8-7d80-7e6c-b2b4-0c0f4b8e5a11 --region eu-west-1",
                "Create an image from a set",
            ),
            ("lastgood ec2 image snap-0123456789abcdef0 --region eu-west-1 -n", "Show what it would consist of"),
        ],
    ),
    footer(
        "ec2 report",
        Reach::Server,
        &[Exit::Partial, Exit::Key, Exit::Stale],
        &[
            ("lastgood ec2 report --rpo 26h", "End with 20 if a volume has no snapshot from the last 26 hours"),
            ("lastgood ec2 report --tag Earmarking=production --copies-in us-west-2", "Also ask for copies elsewhere"),
            ("lastgood ec2 report --format prometheus > lastgood.prom", "Write metrics for Prometheus's node exporter"),
        ],
    ),
    footer(
        "ec2 verify",
        Reach::Server,
        &[Exit::Key, Exit::Integrity],
        &[
            (
                "lastgood ec2 verify snap-0123456789abcdef0 --region us-east-1 --against snap-0fedcba9876543210 --replica-region eu-west-1",
                "Compare the lists of blocks, and the contents of one block in a hundred",
            ),
            (
                "lastgood ec2 verify snap-0123456789abcdef0 --region us-east-1 --against snap-0fedcba9876543210 --sample all",
                "Compare every block",
            ),
        ],
    ),
    footer(
        "ec2 export",
        Reach::Location,
        &[],
        &[
            (
                "lastgood ec2 export snap-0123456789abcdef0 --region eu-west-1 --to s3://acme-backups/prod",
                "Export a snapshot, or what changed since the last export of its volume",
            ),
            (
                "lastgood ec2 export snap-0123456789abcdef0 --region eu-west-1 --to /srv/backups --image shop.img",
                "Also write the volume as a raw image",
            ),
        ],
    ),
    footer(
        "ec2 import",
        Reach::Location,
        &[],
        &[(
            "lastgood ec2 import snap-0123456789abcdef0 --from s3://acme-backups/prod --region us-east-1",
            "Create a snapshot with the blocks of an export",
        )],
    ),
    footer(
        "ec2 replicate",
        Reach::Server,
        PARTLY,
        &[
            ("lastgood ec2 replicate --from eu-west-1 --to us-east-1 -n", "Show which snapshots would be copied"),
            (
                "lastgood ec2 replicate --all-regions --primary eu-west-1 --secondary us-east-1",
                "Copy all regions to one, and that one to another",
            ),
            (
                "lastgood ec2 replicate --from eu-w --to us-e --mode rsync --ssh-from 203.0.113.7/32",
                "Copy files with rsync, between temporary instances",
            ),
        ],
    ),
    footer(
        "ec2 sync-mount",
        Reach::Server,
        HOSTS,
        &[(
            "lastgood ec2 sync-mount --from i-0123456789abcdef0:vol-0123456789abcdef0:/srv --to root@standby:/dev/nvme1n1:/srv",
            "Copy files from an instance to another host",
        )],
    ),
    footer(
        "ec2 thaw",
        Reach::Server,
        HOSTS,
        &[
            ("lastgood ec2 thaw root@db1", "Thaw what a dead run left frozen on a host"),
            ("lastgood ec2 thaw i-0123456789abcdef0 --region eu-west-1", "The same through Systems Manager"),
        ],
    ),
];
