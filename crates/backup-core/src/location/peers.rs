//! Recognises repositories of other programs by the names at their root, so that a refusal can say what is there.

/// Names at a root, those of folders with a final `/`, by which a program's repository is known.
struct Peer {
    name: &'static str,
    /// All of these.
    all: &'static [&'static str],
    /// And one that begins so.
    beginning: Option<&'static str>,
}

/// From the layouts as the programs document them, or write them where they document none. A folder without a file in it
/// is not seen, so that fresh repositories lack some of their folders.
const PEERS: [Peer; 9] = [
    Peer { name: "a repository of restic or rustic", all: &["config", "keys/"], beginning: None },
    Peer { name: "a repository of Borg", all: &["README", "config", "data/"], beginning: None },
    Peer { name: "a repository of kopia", all: &[], beginning: Some("kopia.repository") },
    Peer { name: "a repository of pgBackRest", all: &["archive/", "backup/"], beginning: None },
    Peer { name: "backups of WAL-G", all: &[], beginning: Some("basebackups_") },
    Peer { name: "backups of Barman", all: &["base/", "wals/"], beginning: None },
    Peer { name: "backups of duplicity", all: &[], beginning: Some("duplicity-full") },
    Peer { name: "the data of a PostgreSQL server", all: &["PG_VERSION", "base/"], beginning: None },
    Peer { name: "a working copy of Git", all: &[".git/"], beginning: None },
];

/// The program whose repository has these names at its root.
pub(super) fn name(names: &[String]) -> Option<&'static str> {
    let has = |wanted: &&str| names.iter().any(|name| name == wanted);
    let begins = |wanted: &str| names.iter().any(|name| name.starts_with(wanted));
    PEERS.iter().find(|peer| peer.all.iter().all(has) && peer.beginning.is_none_or(begins)).map(|peer| peer.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_others_are_known_by_their_roots() {
        for (root, expected) in [
            ("config data/ index/ keys/ snapshots/", Some("a repository of restic or rustic")),
            ("config keys/", Some("a repository of restic or rustic")),
            ("README config data/ hints.1 index.1 integrity.1", Some("a repository of Borg")),
            ("_log_20261129 kopia.blobcfg.f kopia.repository.f p01/ q02/", Some("a repository of kopia")),
            ("archive/ backup/", Some("a repository of pgBackRest")),
            ("basebackups_005/ wal_005/", Some("backups of WAL-G")),
            ("base/ errors/ wals/", Some("backups of Barman")),
            ("PG_VERSION base/ global/ pg_wal/", Some("the data of a PostgreSQL server")),
            (".git/ README", Some("a working copy of Git")),
            ("config data/", None),
            ("pg/ app/", None),
            ("", None),
        ] {
            let names: Vec<String> = root.split_whitespace().map(str::to_owned).collect();
            assert_eq!(name(&names), expected, "{root}");
        }
    }
}
