//! Types of an application whose records are stored in tables.

use std::any::type_name;

#[doc(hidden)]
pub use inventory;

/// A type whose records are kept in a table. `#[derive(Storable)]` writes this:
///
/// ```
/// use object_backup::{Storable, StorableType};
///
/// struct Base;
/// impl Storable for Base {
///     const TYPE: &'static str = "Base";
///     const TABLE: &'static str = "base_table";
/// }
///
/// struct SomeClass;
/// impl Storable for SomeClass {
///     const TYPE: &'static str = "SomeClass";
///     const TABLE: &'static str = "some_class";
///
///     fn bases() -> Vec<StorableType> {
///         vec![StorableType::of::<Base>()]
///     }
/// }
///
/// // Only for `Registry::add_module`.
/// object_backup::register!(SomeClass);
/// ```
pub trait Storable: 'static {
    /// The type's name, as in the tarball's member.
    const TYPE: &'static str;

    /// The table its records are in.
    const TABLE: &'static str;

    /// The types it is derived from that have tables of their own.
    #[must_use]
    fn bases() -> Vec<StorableType> {
        Vec::new()
    }
}

/// A [`Storable`] type as a value.
#[derive(Clone, Copy, Debug)]
pub struct StorableType {
    pub(crate) type_name: &'static str,
    pub(crate) table: &'static str,
    /// With its module: what tells two types of one name apart.
    pub(crate) path: &'static str,
    pub(crate) bases: fn() -> Vec<StorableType>,
}

impl StorableType {
    /// The type `T`.
    #[must_use]
    pub fn of<T: Storable>() -> Self {
        Self { type_name: T::TYPE, table: T::TABLE, path: type_name::<T>(), bases: T::bases }
    }
}

/// A type that can be found by its module: [`register!`](crate::register) makes one.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    pub(crate) module: &'static str,
    /// A function, because the compiler cannot yet name a type in a constant.
    pub(crate) of: fn() -> StorableType,
}

impl Registered {
    /// The type `T`, declared in `module`.
    #[must_use]
    pub const fn of<T: Storable>(module: &'static str) -> Self {
        Self { module, of: StorableType::of::<T> }
    }
}

inventory::collect!(Registered);

/// Lets [`Registry::add_module`](crate::Registry::add_module) find a type whose [`Storable`] is written by hand; the derive
/// macro does it by itself.
#[macro_export]
macro_rules! register {
    ($type:ty) => {
        $crate::storable::inventory::submit! {
            $crate::storable::Registered::of::<$type>(::std::module_path!())
        }
    };
}
