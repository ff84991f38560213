//! Which of an application's types are backed up.

use crate::error::{ObjectError, ObjectResult};
use crate::plan::{Recurse, Wanted, in_module};
use crate::storable::{Registered, Storable, StorableType};
use crate::type_key::TypeKey;

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
                        format!("`{path}` and `{}` are both named `{key}`; nothing was added", next.path),
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

    /// Adds every registered type of the module `path`, such as `myapp::model`, each with its bases; returns how many were
    /// new. In the order of their names, so that the tarball does not depend on the linker.
    ///
    /// Only types of crates that are linked can be found: a crate of which the program names nothing is left out of it.
    ///
    /// # Errors
    /// As [`Registry::add`]; [`ObjectError::Usage`] if there is no such type, for a name misspelt would be a backup
    /// without records.
    pub fn add_module(&mut self, path: &str, recurse: Recurse) -> ObjectResult<usize> {
        self.add_found(path, recurse, true)
    }

    /// As [`Registry::add_module`], without bases.
    ///
    /// # Errors
    /// As [`Registry::add_module`].
    pub fn add_module_only(&mut self, path: &str, recurse: Recurse) -> ObjectResult<usize> {
        self.add_found(path, recurse, false)
    }

    fn add_found(&mut self, path: &str, recurse: Recurse, with_bases: bool) -> ObjectResult<usize> {
        let registered = || inventory::iter::<Registered>.into_iter();
        let found = |recurse| registered().filter(move |found| in_module(found.module, path, recurse));
        let mut types: Vec<StorableType> = found(recurse).map(|found| (found.of)()).collect();
        if types.is_empty() {
            let deeper = recurse == Recurse::No && found(Recurse::Yes).next().is_some();
            let help = match deeper {
                true => "its sub-modules have some: `Recurse::Yes` adds them",
                false => "give the full path of a module whose types derive `Storable`, such as `myapp::model`",
            };
            return Err(ObjectError::usage(format!("no type is registered in the module `{path}`"), help));
        }
        types.sort_by_key(|found| (found.path, found.table));
        let mut all = self.clone();
        for found in types {
            all.add_type(found, with_bases)?;
        }
        let new = all.len() - self.len();
        *self = all;
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

    mod model {
        pub(super) struct Of;

        impl crate::Storable for Of {
            const TYPE: &'static str = "Of";
            const TABLE: &'static str = "of_model";

            fn bases() -> Vec<crate::StorableType> {
                vec![crate::StorableType::of::<super::Base>()]
            }
        }

        crate::register!(Of);

        pub(super) mod deeper {
            pub(crate) struct Deep;

            impl crate::Storable for Deep {
                const TYPE: &'static str = "Deep";
                const TABLE: &'static str = "deep";
            }

            crate::register!(Deep);
        }
    }

    const MODEL: &str = concat!(module_path!(), "::model");

    fn names(registry: &Registry) -> Vec<String> {
        registry.types.iter().map(|(key, _)| key.to_string()).collect()
    }

    #[test]
    fn a_module_is_added_with_or_without_what_is_below_it_and_with_or_without_bases() {
        let mut registry = Registry::new();
        assert_eq!(registry.add_module(MODEL, Recurse::No).unwrap(), 2);
        assert_eq!(names(&registry), ["Of--of_model", "Base--bases"]);
        assert_eq!(registry.add_module(MODEL, Recurse::Yes).unwrap(), 1, "what is there is not added again");
        assert_eq!(registry.add_module(MODEL, Recurse::Yes).unwrap(), 0);
        let mut only = Registry::new();
        assert_eq!(only.add_module_only(MODEL, Recurse::Yes).unwrap(), 2);
        assert_eq!(names(&only), ["Of--of_model", "Deep--deep"]);
        // `…::mode` is not a part of `…::model`.
        let error = only.add_module(&MODEL[..MODEL.len() - 1], Recurse::Yes).unwrap_err();
        assert!(error.to_string().contains("no type is registered in the module"), "{error}");
        let above = MODEL.rsplit_once("::").unwrap().0;
        let ObjectError::Usage { help, .. } = only.add_module(above, Recurse::No).unwrap_err() else { panic!() };
        assert!(help.to_string().contains("Recurse::Yes"), "{help}");
    }

    #[test]
    fn a_module_with_two_types_of_one_name_adds_nothing() {
        let mut registry = Registry::new();
        registry.add::<elsewhere::Base>().unwrap();
        assert!(registry.add_module(MODEL, Recurse::Yes).is_err());
        assert_eq!(names(&registry), ["Base--bases"]);
    }
}
