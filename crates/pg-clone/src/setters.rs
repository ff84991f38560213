//! Setters of options, so that they can be written in one expression.

/// Writes a setter for each field; `optional` fields are set to `Some`, and flags without a value mean yes.
macro_rules! setters {
    ($type:ident { $($(#[$attribute:meta])* $kind:ident $name:ident: $value:ty,)* }) => {
        impl $type {
            $( $crate::setters::setters!(@ $(#[$attribute])* $kind $name: $value); )*
        }
    };
    (@ $(#[$attribute:meta])* plain $name:ident: $value:ty) => {
        #[doc = concat!("Sets `", stringify!($name), "`.")]
        $(#[$attribute])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$value>) -> Self {
            self.$name = $name.into();
            self
        }
    };
    (@ $(#[$attribute:meta])* optional $name:ident: $value:ty) => {
        #[doc = concat!("Sets `", stringify!($name), "`.")]
        $(#[$attribute])*
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$value>) -> Self {
            self.$name = Some($name.into());
            self
        }
    };
    (@ $(#[$attribute:meta])* flag $name:ident: $value:ty) => {
        #[doc = concat!("Sets `", stringify!($name), "`.")]
        $(#[$attribute])*
        #[must_use]
        pub fn $name(mut self) -> Self {
            self.$name = true;
            self
        }
    };
}

pub(crate) use setters;
