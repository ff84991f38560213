//! Types of an application, and which of them are backed up.

use std::any::type_name;

use crate::error::{ObjectError, ObjectResult};
use crate::plan::Wanted;
use crate::type_key::TypeKey;

/// A type whose records are kept in a table.
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
    type_name: &'static str,
    table: &'static str,
    /// With its module: what tells two types of one name apart.
    path: &'static str,
    bases: fn() -> Vec<StorableType>,
}

impl StorableType {
    /// The type `T`.
    #[must_use]
    pub fn of<T: Storable>() -> Self {
        Self { type_name: T::TYPE, table: T::TABLE, path: type_name::<T>(), bases: T::bases }
    }
}

/// The types to back up, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    types: Vec<(TypeKey, &'static str)>,
}

impl Registry {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `T` and all its bases, theirs included; returns how many were new. Adding twice is harmless.
    ///
    /// # Errors
    /// [`ObjectError::Usage`] if another type has the same name and table: one of the two would be lost. Then nothing is
    /// added.
    pub fn add<T: Storable>(&mut self) -> ObjectResult<usize> {
        self.add_type(StorableType::of::<T>(), true)
    }

    /// Adds `T` without its bases; returns how many were new.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn add_only<T: Storable>(&mut self) -> ObjectResult<usize> {
        self.add_type(StorableType::of::<T>(), false)
    }

    /// As [`Registry::add`] or [`Registry::add_only`], for a type that is a value.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn add_type(&mut self, added: StorableType, with_bases: bool) -> ObjectResult<usize> {
        let mut types = self.types.clone();
        let mut waiting = vec![added];
        while let Some(next) = waiting.pop() {
            let key = TypeKey::new(next.type_name, next.table)?;
            match types.iter().find(|(known, _)| *known == key) {
                Some((_, path)) if *path == next.path => continue,
                Some((_, path)) => {
                    return Err(ObjectError::usage(
                        format!("`{path}` and `{}` are both called `{key}`; nothing was added", next.path),
                        "give one of them another `TYPE` or `TABLE`",
                    ));
                }
                None => types.push((key, next.path)),
            }
            if with_bases {
                // From the back, so that they come in the order they are named.
                waiting.extend((next.bases)().into_iter().rev());
            }
        }
        let new = types.len() - self.types.len();
        self.types = types;
        Ok(new)
    }

    /// How many types there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The types, for [`crate::BackupOptions::types`].
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        self.types.iter().map(|(key, _)| key.clone().into()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Base;
    struct Derived;

    impl Storable for Base {
        const TYPE: &'static str = "Base";
        const TABLE: &'static str = "bases";
    }

    impl Storable for Derived {
        const TYPE: &'static str = "Derived";
        const TABLE: &'static str = "derived";

        fn bases() -> Vec<StorableType> {
            vec![StorableType::of::<Base>()]
        }
    }

    mod elsewhere {
        pub(super) struct Base;

        impl super::Storable for Base {
            const TYPE: &'static str = "Base";
            const TABLE: &'static str = "bases";
        }
    }

    #[test]
    fn bases_come_with_a_type_unless_said_otherwise_and_twice_is_harmless() {
        let mut registry = Registry::new();
        assert_eq!(registry.add::<Derived>().unwrap(), 2);
        assert_eq!(registry.add::<Derived>().unwrap(), 0);
        assert_eq!(registry.add_only::<Base>().unwrap(), 0);
        assert_eq!(registry.wanted(), [Wanted::parse("Derived--derived"), Wanted::parse("Base--bases")]);
        let mut only = Registry::new();
        assert_eq!(only.add_only::<Derived>().unwrap(), 1);
        assert_eq!(only.add::<Derived>().unwrap(), 0, "as gludb: a type that is there is not looked at again");
    }

    #[test]
    fn two_types_of_one_name_are_an_error() {
        let mut registry = Registry::new();
        registry.add::<elsewhere::Base>().unwrap();
        let error = registry.add::<Derived>().unwrap_err().to_string();
        assert!(error.contains("elsewhere::Base` and `") && error.contains("nothing was added"), "{error}");
        assert_eq!(registry.len(), 1);
    }
}
