//! The operations of a store, for wrappers that tell them apart.

use serde::{Deserialize, Serialize};

/// One operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verb {
    /// [`super::StoreRead::head`].
    Head,
    /// [`super::StoreRead::get`].
    Get,
    /// [`super::StoreRead::list`].
    List,
    /// [`super::StoreRead::list_children`].
    ListChildren,
    /// [`super::StoreWrite::put`].
    Put,
    /// [`super::StoreWrite::multipart`].
    Begin,
    /// [`super::Multipart::part`].
    Part,
    /// [`super::Multipart::complete`].
    Complete,
    /// [`super::Multipart::abort`].
    Abort,
    /// [`super::StoreDelete::delete`].
    Delete,
    /// [`super::StoreDelete::unfinished`].
    Unfinished,
    /// [`super::StoreDelete::abort_unfinished`].
    AbortUnfinished,
    /// [`super::StoreWrite::now`].
    Now,
    /// [`super::StoreWrite::listing_order`].
    Order,
    /// [`super::StoreWrite::make_durable`].
    MakeDurable,
}

impl Verb {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 15] = [
        Self::Head,
        Self::Get,
        Self::List,
        Self::ListChildren,
        Self::Put,
        Self::Begin,
        Self::Part,
        Self::Complete,
        Self::Abort,
        Self::Delete,
        Self::Unfinished,
        Self::AbortUnfinished,
        Self::Now,
        Self::Order,
        Self::MakeDurable,
    ];

    /// Its name, as the JSON form has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Get => "get",
            Self::List => "list",
            Self::ListChildren => "list_children",
            Self::Put => "put",
            Self::Begin => "begin",
            Self::Part => "part",
            Self::Complete => "complete",
            Self::Abort => "abort",
            Self::Delete => "delete",
            Self::Unfinished => "unfinished",
            Self::AbortUnfinished => "abort_unfinished",
            Self::Now => "now",
            Self::Order => "order",
            Self::MakeDurable => "make_durable",
        }
    }

    /// Whether it changes what is stored.
    #[must_use]
    pub fn mutates(self) -> bool {
        use Verb::{Get, Head, List, ListChildren, MakeDurable, Now, Unfinished};
        !matches!(self, Head | Get | List | ListChildren | Unfinished | Now | MakeDurable)
    }
}
