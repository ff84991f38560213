//! `#[derive(Storable)]`: names the table of a type's records, and registers the type by its module.
//!
//! Used through `object-backup`, whose documentation has the examples.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, LitStr, Path, Token};

/// Implements `object_backup::Storable`, and registers the type for `Registry::add_module`.
///
/// `#[storable(table = "some_class", name = "SomeClass", bases(BaseClass, Other))]`: the table; the name in the tarball,
/// which is the type's own unless given; the types it is derived from that have tables of their own.
#[proc_macro_derive(Storable, attributes(storable))]
pub fn storable(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand(&input));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

/// What `#[storable(…)]` says.
#[derive(Default)]
struct Said {
    table: Option<LitStr>,
    name: Option<LitStr>,
    bases: Vec<Path>,
}

impl Said {
    fn of(input: &DeriveInput) -> syn::Result<Self> {
        let mut said = Self::default();
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("storable")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("table") {
                    once(&mut said.table, meta.value()?.parse()?)
                } else if meta.path.is_ident("name") {
                    once(&mut said.name, meta.value()?.parse()?)
                } else if meta.path.is_ident("bases") {
                    let inside;
                    syn::parenthesized!(inside in meta.input);
                    said.bases.extend(inside.parse_terminated(Path::parse_mod_style, Token![,])?);
                    Ok(())
                } else {
                    Err(meta.error("it is one of `table = \"…\"`, `name = \"…\"`, `bases(…)`"))
                }
            })?;
        }
        Ok(said)
    }
}

fn once(place: &mut Option<LitStr>, found: LitStr) -> syn::Result<()> {
    if place.is_some() {
        return Err(Error::new(found.span(), "it is given twice"));
    }
    *place = Some(found);
    Ok(())
}

fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Said { table, name, bases } = Said::of(input)?;
    let ident = &input.ident;
    let table = table.ok_or_else(|| Error::new(ident.span(), "give its table: `#[storable(table = \"…\")]`"))?;
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a generic type stands for many types, which would share one table"));
    }
    // Checked here, where the compiler can point at it.
    for said in [Some(&table), name.as_ref()].into_iter().flatten() {
        if said.value().is_empty() {
            return Err(Error::new(said.span(), "it is empty"));
        }
    }
    let name = name.map_or_else(|| syn::ext::IdentExt::unraw(ident).to_string(), |name| name.value());
    Ok(quote! {
        impl ::object_backup::Storable for #ident {
            const TYPE: &'static str = #name;
            const TABLE: &'static str = #table;

            fn bases() -> ::std::vec::Vec<::object_backup::StorableType> {
                ::std::vec![#(::object_backup::StorableType::of::<#bases>()),*]
            }
        }

        ::object_backup::register!(#ident);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let input: DeriveInput = syn::parse_str(text).unwrap();
        expand(&input).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_type_gets_its_table_its_name_and_its_bases() {
        let made =
            expanded(r#"#[storable(table = "t", bases(Base, other::Base))] struct r#Some { id: String }"#).unwrap();
        for part in
            ["TYPE : & 'static str = \"Some\"", "= \"t\"", "of :: < Base >", "of :: < other :: Base >", "register !"]
        {
            assert!(made.contains(part), "{part} in {made}");
        }
        assert!(expanded(r#"#[storable(table = "t", name = "Old")] enum New { A }"#).unwrap().contains("\"Old\""));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_where_it_stands() {
        for (text, what) in [
            ("struct S;", "give its table"),
            (r#"#[storable(table = "")] struct S;"#, "empty"),
            (r#"#[storable(table = "a", table = "b")] struct S;"#, "twice"),
            (r#"#[storable(tables = "a")] struct S;"#, "one of"),
            (r#"#[storable(table = "a")] struct S<T>(T);"#, "many types"),
        ] {
            let said = expanded(text).unwrap_err();
            assert!(said.contains(what), "{text}: {said}");
        }
    }
}
