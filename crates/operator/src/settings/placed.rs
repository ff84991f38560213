//! Values of the configuration file that know where they stand in it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use toml::Spanned;

/// A value and where it stands in the text. Its schema is that of the value.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Placed<T>(Spanned<T>);

impl<T> Placed<T> {
    /// The value.
    pub(super) fn value(&self) -> &T {
        self.0.get_ref()
    }

    /// The byte at which it begins.
    pub(super) fn start(&self) -> usize {
        self.0.span().start
    }
}

/// A value that need not be given. TOML has no null: the schema is that of the value here, too.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Given<T>(Option<Placed<T>>);

impl<T> Given<T> {
    /// The value, if it is given.
    pub(super) fn get(&self) -> Option<&Placed<T>> {
        self.0.as_ref()
    }
}

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

macro_rules! schema_of_the_value {
    ($($name:ident)*) => {$(
        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    )*};
}

schema_of_the_value!(Placed Given);
