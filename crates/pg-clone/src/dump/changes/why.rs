//! Why rows are read that an earlier dump has.

use std::fmt;

use crate::stored::base::Lsn;

/// Why all rows of a dump are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhyAll {
    /// The user wants it.
    Asked,
    /// The server knows no summaries.
    OldServer,
    /// Nothing of earlier dumps is used at all.
    NoSource(String),
    /// The earlier dump says too little, for this reason if it gives one.
    NoBase { parent: String, why: Option<String> },
    /// It has more frames than are kept.
    TooManyFrames { parent: String },
    /// The server does not summarize.
    Off,
    /// It is not on the timeline any more.
    OtherTimeline { then: u32, now: u32 },
    /// It was started again since, perhaps on another disk.
    Restarted,
    /// The database is another one, with the same name.
    OtherDatabase,
    /// Rows are printed in another way than they were.
    OtherText,
    /// The summaries since then are not all there.
    Gap { at: Lsn, next: Option<Lsn> },
    /// The summaries before it are others than they were, or gone.
    OtherHistory,
    /// The server has not summarized what the snapshot sees.
    Late { waited_s: u64, needs_checkpoint: bool, in_recovery: bool },
    /// The server or the location refused something.
    Refused(String),
}

impl fmt::Display for WhyAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("all rows were to be read"),
            Self::OldServer => f.write_str("servers before PostgreSQL 17 do not tell which blocks changed"),
            Self::NoSource(why) => f.write_str(why),
            Self::NoBase { parent, why: Some(why) } => write!(f, "nothing can be kept of `{parent}`: {why}"),
            Self::NoBase { parent, why: None } => {
                write!(f, "`{parent}` does not say from where on changes count: an earlier version made it")
            }
            Self::TooManyFrames { parent } => write!(f, "`{parent}` has more frames than are kept"),
            Self::Off => f.write_str("the server does not summarize its write-ahead log (`summarize_wal` is off)"),
            Self::OtherTimeline { then, now } => {
                write!(f, "the server is on timeline {now}, and the earlier dump was on {then}")
            }
            Self::Restarted => {
                f.write_str("the server was started again since the earlier dump, or is another one with the same identifier")
            }
            Self::OtherDatabase => f.write_str("the database was made anew since the earlier dump"),
            Self::OtherText => f.write_str(
                "the server's version, the role, extensions or security labels are not those of the earlier dump",
            ),
            Self::Gap { at, next: Some(next) } => {
                write!(f, "the server's summaries have a gap from {at} to {next}: it did not summarize, or has removed them")
            }
            Self::Gap { at, next: None } => write!(f, "the server has no summary from {at} on"),
            Self::OtherHistory => f.write_str(
                "the server's summaries from before the earlier dump are others than they were, or were removed: its disk may \
                 have been put back",
            ),
            Self::Late { waited_s, needs_checkpoint, in_recovery } => {
                match waited_s {
                    0 => f.write_str("the server has not summarized what the snapshot sees, and would not do so in time")?,
                    _ => write!(f, "the server had not summarized what the snapshot sees after {waited_s} s")?,
                }
                match (needs_checkpoint, in_recovery) {
                    (_, true) => f.write_str("; on a standby that takes a checkpoint of its primary"),
                    (true, false) => f.write_str("; with the role `pg_checkpoint` the dump need not wait for a checkpoint"),
                    (false, false) => Ok(()),
                }
            }
            Self::Refused(what) => f.write_str(what),
        }
    }
}

/// Why rows of a table are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhyTable {
    /// The earlier dump does not have it, or not its rows.
    New,
    /// Changes of unlogged tables are in no log.
    Unlogged,
    /// Which of its rows are dumped says a condition.
    Condition,
    /// Its rows are not where `heap` has them.
    OtherAccessMethod,
    /// What a column prints depends on more than its type and its bytes.
    Opaque(String),
    /// Its columns or types are not what they were.
    OtherText,
    /// Its rows are in another file.
    Rewritten,
    /// All of the database was copied by files.
    DatabaseCopied,
    /// What is said of it in the earlier dump cannot be.
    Contradiction,
    /// Some pages changed.
    Changed,
    /// Ranges of pages begin elsewhere than they did.
    OtherRanges,
    /// Frames of it are not where they can be relied on.
    NotStored,
    /// A sample is read to be compared.
    Sample,
}

impl fmt::Display for WhyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("the earlier dump has nothing of it that could be kept"),
            Self::Unlogged => f.write_str("changes of unlogged tables are not logged"),
            Self::Condition => f.write_str("a condition of an extension chooses its rows"),
            Self::OtherAccessMethod => f.write_str("its access method is not `heap`"),
            Self::Opaque(column) => write!(f, "what the column {column} prints depends on more than its bytes"),
            Self::OtherText => f.write_str("its columns or their types changed"),
            Self::Rewritten => f.write_str("it was emptied or rewritten"),
            Self::DatabaseCopied => f.write_str("the database was copied by files or moved"),
            Self::Contradiction => f.write_str("the earlier dump contradicts itself about it"),
            Self::Changed => f.write_str("pages of it changed"),
            Self::OtherRanges => f.write_str("its ranges of pages begin elsewhere"),
            Self::NotStored => f.write_str("what the earlier dump has of it is not stored where it is kept"),
            Self::Sample => f.write_str("a sample was read to be compared"),
        }
    }
}
