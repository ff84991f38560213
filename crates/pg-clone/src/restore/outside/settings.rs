//! What the settings of a database would do outside of it, as a manifest has them: privileges are words of SQL, and some
//! parameters name what the server loads.

use crate::restore::outside::kind::{Acting, Outside};
use crate::stored::database_settings::{DatabaseSettings, Parameter};

/// Parameters that say where libraries are.
const FOLDERS: [&str; 1] = ["dynamic_library_path"];

/// Parameters that name libraries to load with each session. Those without a path are installed ones.
const LIBRARIES: [&str; 2] = ["local_preload_libraries", "session_preload_libraries"];

/// Everything in the settings that acts outside.
pub(super) fn acting(settings: &DatabaseSettings) -> Vec<Acting> {
    let mut found = Vec::new();
    for grant in settings.grants.iter().flatten().filter(|grant| !grant.is_of_a_database()) {
        let entry = format!("the privilege `{}` on the database", grant.privilege.escape_debug());
        found.push(Acting { outside: Outside::Commands, entry });
    }
    for parameter in settings.parameters.iter().filter(|parameter| loads_files(parameter)) {
        let entry = format!("the setting `{}` of the database", parameter.name.escape_debug());
        found.push(Acting { outside: Outside::Programs, entry });
    }
    found
}

fn loads_files(parameter: &Parameter) -> bool {
    let named = |names: &[&str]| names.iter().any(|name| parameter.name.eq_ignore_ascii_case(name));
    let is_default = parameter.value.trim() == "$libdir";
    named(&FOLDERS) && !is_default || named(&LIBRARIES) && parameter.value.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::database_settings::Grant;

    fn settings(privilege: &str, parameters: &[(&str, &str)]) -> DatabaseSettings {
        let grant = Grant { grantee: None, privilege: privilege.to_owned(), grantable: false, grantor: None };
        let parameter =
            |(name, value): &(&str, &str)| Parameter { role: None, name: (*name).into(), value: (*value).into() };
        DatabaseSettings {
            owner: "o".into(),
            grants: Some(vec![grant]),
            connection_limit: -1,
            parameters: parameters.iter().map(parameter).collect(),
            comment: None,
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            locale_provider: None,
            icu_locale: None,
            icu_rules: None,
            tablespace: "pg_default".into(),
            allow_connections: true,
        }
    }

    #[test]
    fn a_privilege_is_one_that_databases_have() {
        for privilege in ["CONNECT", "CREATE", "TEMPORARY"] {
            assert_eq!(acting(&settings(privilege, &[])), Vec::new(), "{privilege}");
        }
        for privilege in ["", "connect", "CONNECT ON DATABASE d TO PUBLIC; DROP ROLE r; GRANT CONNECT"] {
            let found = acting(&settings(privilege, &[]));
            assert_eq!(found.iter().map(|one| one.outside).collect::<Vec<_>>(), [Outside::Commands], "{privilege}");
        }
    }

    #[test]
    fn libraries_that_are_installed_may_be_loaded_and_others_not() {
        let found = |name: &str, value: &str| {
            acting(&settings("CONNECT", &[(name, value)])).iter().map(|one| one.outside).collect::<Vec<_>>()
        };
        for (name, value) in [
            ("session_preload_libraries", "auto_explain, \"x\""),
            ("dynamic_library_path", "$libdir"),
            ("work_mem", "/"),
        ] {
            assert_eq!(found(name, value), Vec::new(), "{name} {value}");
        }
        for (name, value) in [
            ("Session_Preload_Libraries", "auto_explain, /tmp/evil"),
            ("local_preload_libraries", "\"../evil\""),
            ("dynamic_library_path", "/tmp:$libdir"),
        ] {
            assert_eq!(found(name, value), [Outside::Programs], "{name} {value}");
        }
    }
}
