//! Examples and exit codes of the commands about names that people give: tags and configurations.

use crate::args::reach::{Footer, Reach, footer};
use crate::exit::Exit;

/// All of them.
pub(crate) const FOOTERS: &[Footer] = &[
    footer(
        "pg tag",
        Reach::Group,
        &[],
        &[
            ("lastgood pg tag add shop release=1.4", "Tag the latest complete dump of `shop`"),
            ("lastgood pg tag ls", "List the tags in use; `pg ls --tag release` lists the dumps that have one"),
        ],
    ),
    footer(
        "pg tag add",
        Reach::Location,
        &[Exit::Held],
        &[
            ("lastgood pg tag add shop release=1.4 keep", "Tag the latest complete dump of `shop`"),
            ("lastgood pg tag add shop~1 keep -n", "Show which dump would be tagged"),
        ],
    ),
    footer(
        "pg tag remove",
        Reach::Location,
        &[Exit::Held],
        &[("lastgood pg tag remove shop keep", "Let retention rules decide about the dump again")],
    ),
    footer(
        "pg tag ls",
        Reach::Location,
        &[],
        &[
            ("lastgood pg tag ls", "List all tags"),
            ("lastgood pg tag ls shop --json", "Those of one database, for programs"),
        ],
    ),
    footer(
        "app tag",
        Reach::Group,
        &[],
        &[
            ("lastgood app tag add latest release=1.4", "Tag the newest complete backup"),
            ("lastgood app tag ls", "List the tags in use; `app ls --tag release` lists the backups that have one"),
        ],
    ),
    footer(
        "app tag add",
        Reach::Location,
        &[Exit::Held],
        &[
            ("lastgood app tag add latest release=1.4 keep", "Tag the newest complete backup"),
            ("lastgood app tag add latest keep -n", "Show which backup would be tagged"),
        ],
    ),
    footer(
        "app tag remove",
        Reach::Location,
        &[Exit::Held],
        &[("lastgood app tag remove latest keep", "Let retention rules decide about the backup again")],
    ),
    footer(
        "app tag ls",
        Reach::Location,
        &[],
        &[
            ("lastgood app tag ls", "List all tags"),
            ("lastgood app tag ls nightly --json", "Those of one name, for programs"),
        ],
    ),
    footer(
        "config ls",
        Reach::Nothing,
        &[],
        &[
            ("lastgood config ls", "List the configurations and profiles of the configuration file in use"),
            ("lastgood config ls -P staging", "Those that count under one profile"),
        ],
    ),
];
