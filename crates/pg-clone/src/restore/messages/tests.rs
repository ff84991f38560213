//! Tests against what `pg_restore` and `pg_dump` 15 printed in real runs (`tests/fixtures/stderr`).

use proptest::prelude::*;

use super::*;
use crate::stored::detail::ForeignKey;

macro_rules! printed {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/stderr/", $name, ".stderr"))
    };
}

fn sorted(stderr: &str) -> Classified {
    classify(stderr, &Expectations::default())
}

fn reasons(classified: &Classified) -> Vec<Reason> {
    classified.harmless.iter().map(|harmless| harmless.reason).collect()
}

fn key(schema: &str, table: &str, name: &str) -> ForeignKey {
    ForeignKey { schema: schema.into(), table: table.into(), name: name.into() }
}

#[test]
fn p6_managed_roles_and_extension_comments_are_warnings() {
    let classified = sorted(printed!("managed_roles_exist"));
    assert_eq!(classified.fatal, []);
    use Reason::{ExtensionComment, ManagedRole};
    assert_eq!(reasons(&classified), [ExtensionComment, ManagedRole, ManagedRole, ManagedRole]);
    assert!(classified.accepts(Some(1)));
    assert!(!classified.accepts(None) && !classified.accepts(Some(2)));
}

#[test]
fn a_privilege_lost_together_with_a_managed_role_s_is_fatal() {
    let classified = sorted(printed!("managed_roles_missing"));
    let fatal: Vec<_> = classified.fatal.iter().map(ToString::to_string).collect();
    let said = "could not execute query: ERROR:  role \"rds_superuser\" does not exist";
    assert_eq!(fatal, [format!("{said} (`GRANT SELECT ON TABLE public.mixed TO rds_superuser;`)")]);
    assert!(classified.harmless.iter().all(|harmless| harmless.reason == Reason::ManagedRole));
    assert_eq!(classified.harmless_count + 1, classified.errors_ignored.unwrap());
    assert!(!classified.accepts(Some(1)));
}

#[test]
fn foreign_keys_to_excluded_tables_are_harmless_only_if_expected() {
    let stderr = printed!("excluded_foreign_keys");
    assert_eq!(sorted(stderr).fatal_count, 4);
    let excluded_foreign_keys = vec![
        key("Odd\"s", "Ch.ild", "F k"),
        key("public", "child", "child_pid_fk"),
        key("public", "parts", "parts_fk"),
    ];
    let expected = classify(stderr, &Expectations { excluded_foreign_keys, ..Expectations::default() });
    assert_eq!(expected.fatal, []);
    assert_eq!(reasons(&expected), [Reason::ExcludedForeignKey; 4]);
    let excluded_foreign_keys = vec![key("public", "child", "child_pid_fk")];
    let others = classify(stderr, &Expectations { excluded_foreign_keys, ..Expectations::default() });
    assert_eq!((others.harmless_count, others.fatal_count), (2, 2));
}

#[test]
fn p5_unknown_errors_are_fatal_with_their_command() {
    let classified = sorted(printed!("everything_exists"));
    assert_eq!((classified.harmless_count, classified.fatal_count), (4, 3));
    let first = &classified.fatal[0];
    assert_eq!(first.text, "could not execute query: ERROR:  relation \"plainly\" already exists");
    assert_eq!(first.command.as_deref(), Some("CREATE TABLE public.plainly (\n    a integer\n);"));
    assert!(!classified.accepts(Some(1)));
}

#[test]
fn a_function_that_imitates_messages_deceives_nobody() {
    let classified = sorted(printed!("spoof_in_a_function"));
    assert_eq!(classified.errors_ignored, Some(3));
    // The imitated error makes four, and pg_restore counted three.
    assert!(classified.fatal.iter().any(|message| message.text == "pg_restore ignored 3 errors and printed 4"));
    assert!(!classified.accepts(Some(1)) && !classified.accepts(Some(0)));
}

#[test]
fn a_cut_archive_is_fatal_whatever_the_exit_code() {
    let classified = sorted(printed!("cut"));
    assert_eq!(classified.fatal_count, 1);
    assert!(!classified.accepts(Some(1)) && !classified.accepts(Some(0)));
}

#[test]
fn circular_foreign_keys_are_a_warning() {
    let classified = sorted(printed!("circular"));
    assert_eq!(reasons(&classified), [Reason::CircularForeignKeys]);
    assert!(classified.harmless[0].message.text.contains("hint: "));
    assert!(classified.accepts(Some(0)));
}

#[test]
fn what_every_database_has_may_exist_already() {
    let said = |error: &str, command: &str| {
        let stderr = format!(
            "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 5; 2615 2200 SCHEMA public postgres\n\
             pg_restore: error: could not execute query: ERROR:  {error}\nCommand was: {command}\n\n\n\
             pg_restore: warning: errors ignored on restore: 1\n"
        );
        reasons(&sorted(&stderr))
    };
    assert_eq!(said("schema \"public\" already exists", "CREATE SCHEMA public;"), [Reason::PublicSchemaExists]);
    assert_eq!(said("schema \"sales\" already exists", "CREATE SCHEMA sales;"), []);
    let hooks_ran = Expectations { hooks_ran: true, ..Expectations::default() };
    let stderr = |command: &str| {
        format!(
            "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 5; 2615 2200 SCHEMA sales postgres\n\
             pg_restore: error: could not execute query: ERROR:  schema \"sales\" already exists\nCommand was: {command}\n\n\n\
             pg_restore: warning: errors ignored on restore: 1\n"
        )
    };
    let after_hooks = |command: &str| reasons(&classify(&stderr(command), &hooks_ran));
    assert_eq!(after_hooks("CREATE SCHEMA sales;"), [Reason::HooksSchemaExists]);
    assert_eq!(after_hooks("ALTER SCHEMA sales RENAME TO sales;"), []);
    let comment = "COMMENT ON SCHEMA public IS 'standard public schema';";
    assert_eq!(said("must be owner of schema public", comment), [Reason::PublicSchemaComment]);
    assert_eq!(said("must be owner of schema public", "GRANT ALL ON SCHEMA public TO shop;"), []);
    let language = "CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;";
    assert_eq!(said("language \"plpgsql\" already exists", language), [Reason::PlpgsqlExists]);
    assert_eq!(said("must be owner of extension hstore", "ALTER EXTENSION hstore SET SCHEMA x;"), []);
    let grant = "GRANT SELECT ON TABLE public.t TO rdsadmin;\nREVOKE ALL ON TABLE public.t FROM PUBLIC;";
    assert_eq!(said("role \"rdsadmin\" does not exist", grant), []);
    let session = "SET SESSION AUTHORIZATION rdsadmin;\nGRANT SELECT ON TABLE public.t TO rds_iam;\n\
                   RESET SESSION AUTHORIZATION;";
    assert_eq!(said("role \"rdsadmin\" does not exist", session), [Reason::ManagedRole]);
    assert_eq!(said("role \"rdsadmin2\" does not exist", "ALTER TABLE public.t OWNER TO rdsadmin2;"), []);
    assert_eq!(said("role \"rdsadmin\" does not exist", "CREATE POLICY p ON public.t TO rdsadmin USING (true);"), []);
}

#[test]
fn what_is_no_message_is_fatal() {
    for stderr in [
        "Segmentation fault\n",
        "pg_restore: creating TABLE \"public.t\"\n",
        "pg_restore: warning: something new\n",
        "pg_restore: error: could not execute query: FEHLER:  Schema »public« existiert bereits\nCommand was: CREATE SCHEMA public;\n",
    ] {
        assert_eq!(sorted(stderr).fatal_count, 1, "{stderr}");
    }
    assert_eq!(sorted("\n\n"), Classified::default());
    assert!(sorted("").accepts(Some(0)));
    assert!(!sorted("").accepts(Some(1)), "an exit code without a reason");
}

#[test]
fn a_setting_of_a_newer_pg_restore_is_harmless_only_on_an_older_server() {
    let stderr = "pg_restore: while INITIALIZING:\n\
        pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n\
        Command was: SET transaction_timeout = 0;\n\n\
        pg_restore: warning: errors ignored on restore: 1\n";
    let newer = Expectations { unknown_setting: true, ..Expectations::default() };
    let classified = classify(stderr, &newer);
    assert!(classified.accepts(Some(1)));
    assert_eq!(classified.harmless[0].reason, Reason::UnknownSetting);
    assert!(!classify(stderr, &Expectations::default()).accepts(Some(1)));
    let other = stderr.replace("transaction_timeout", "search_path");
    assert!(!classify(&other, &newer).accepts(Some(1)));
}

#[test]
fn workers_that_count_an_error_twice_are_believed_unless_their_messages_are_mixed() {
    let one = "pg_restore: error: could not execute query: ERROR:  could not create unique index \"u\"\n\
        DETAIL:  Key (a)=(1) is duplicated.\nCONTEXT:  somewhere\nCommand was: CREATE UNIQUE INDEX u ON public.t USING btree (a);\n\n\n";
    let summary = "pg_restore: warning: errors ignored on restore: 2\n";
    let workers = Expectations { parallel: true, ..Expectations::default() };
    let classified = classify(&format!("{one}{summary}"), &workers);
    assert_eq!(classified.fatal_count, 1, "{classified:?}");
    let words = "could not create unique index \"u\"; DETAIL:  Key (a)=(1) is duplicated.; CONTEXT:  somewhere";
    assert_eq!(classified.fatal[0].servers_words().as_deref(), Some(words));
    assert_eq!(sorted(&format!("{one}{summary}")).fatal_count, 2, "one worker counts right");
    assert_eq!(classify(summary, &workers).fatal_count, 1, "none was printed");
    let mixed = format!("{}pg_restore: error: {}", one.trim_end(), one.trim_start_matches("pg_restore: error: "));
    assert_eq!(classify(&format!("{mixed}{summary}"), &workers).fatal_count, 2, "one stands within the other");
}

#[test]
fn p4_warnings_of_the_server_are_told_and_stop_nothing() {
    // As `pg_restore` 14.23 printed it.
    let stderr = "pg_restore: WARNING:  wal_level is insufficient to publish logical changes\n\
        HINT:  Set wal_level to logical before creating subscriptions.\n\
        pg_restore: WARNING:  tables were not subscribed, you will have to run ALTER SUBSCRIPTION ... REFRESH \
        PUBLICATION to subscribe the tables\n";
    let classified = sorted(stderr);
    assert_eq!(reasons(&classified), [Reason::ServersWarning; 2]);
    assert!(classified.accepts(Some(0)) && !classified.accepts(Some(1)));
    assert!(classified.harmless[0].message.to_string().contains("publish logical changes; HINT:  Set wal_level"));
    // An error right behind some.
    let stderr = "WARNING:  at the login\npg_restore: WARNING:  x\npg_restore: error: could not execute query: ERROR:  y\n\
        Command was: SELECT 1;\n";
    assert_eq!((sorted(stderr).fatal_count, sorted(stderr).harmless_count), (1, 2));
}

#[test]
fn what_a_server_says_at_the_login_is_a_warning_of_its_own() {
    let stderr = "WARNING:  invalid value for parameter \"lc_time\": \"xx_XX\"\nDETAIL:  no such locale\n\
        pg_restore: error: could not execute query: ERROR:  relation \"a\" does not exist\nCommand was: ALTER TABLE a ADD x int;\n\n\n\
        WARNING:  not of this message\n\
        pg_restore: warning: errors ignored on restore: 1\n";
    let classified = sorted(stderr);
    assert_eq!((reasons(&classified), classified.fatal_count), (vec![Reason::ServersWarning], 1));
    let command = classified.fatal[0].command.as_deref().unwrap();
    assert!(command.contains("WARNING:  not of this message"), "a line of a statement ended it: {command}");
}

#[test]
fn a_server_that_speaks_another_language_is_understood_to_refuse() {
    let stderr = "pg_restore: error: could not execute query: FEHLER:  Funktion helper(text) existiert nicht\n\
        Command was: CREATE INDEX i ON public.t USING btree (public.f(a));\n\n\n\
        pg_restore: error: COPY failed for table \"a: b\": ERREUR:  la valeur d'une clé dupliquée\nCONTEXT:  COPY a, ligne 1\n\
        pg_restore: warning: errors ignored on restore: 2\n";
    let classified = sorted(stderr);
    assert_eq!(classified.harmless_count, 0);
    let words: Vec<_> = classified.fatal.iter().map(|message| message.servers_words().unwrap_or_default()).collect();
    assert_eq!(words[0], "Funktion helper(text) existiert nicht");
    assert_eq!(classified.fatal[1].refused_table(), Some("a: b"));
    assert_eq!(sorted("pg_restore: error: could not execute query: out of  words\n").fatal[0].servers_words(), None);
}

#[test]
fn keys_to_rows_that_were_left_out_may_break_only_where_that_is_expected() {
    let stderr = "pg_restore: error: could not execute query: ERROR:  insert or update on table \"posts\" violates foreign \
        key constraint \"posts_author_fkey\"\nDETAIL:  Key (author)=(1) is not present in table \"people\".\n\
        Command was: ALTER TABLE ONLY public.posts\n    ADD CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES \
        public.people(id);\n\n\npg_restore: error: could not execute query: ERROR:  constraint \"posts_author_fkey\" for \
        table \"posts\" does not exist\nCommand was: COMMENT ON CONSTRAINT posts_author_fkey ON public.posts IS 'x';\n\n\n\
        pg_restore: warning: errors ignored on restore: 2\n";
    let expectations = Expectations { doubtful_foreign_keys: true, ..Expectations::default() };
    let classified = classify(stderr, &expectations);
    assert!(classified.accepts(Some(1)), "{classified:?}");
    let told: Vec<String> = classified.harmless.iter().filter_map(Harmless::told).collect();
    assert!(
        matches!(told.as_slice(), [only] if only.contains("`public.posts.posts_author_fkey` was left out")),
        "{told:?}"
    );
    assert_eq!(sorted(stderr).fatal_count, 2);
}

#[test]
fn a_flood_is_counted_and_not_kept() {
    let one = "pg_restore: error: could not execute query: ERROR:  relation \"x\" does not exist\nCommand was: SELECT 1;\n\n\n";
    let flood = one.repeat(50_000) + &"x".repeat(100_000) + "\n" + &"y\n".repeat(100_000);
    let classified = sorted(&flood);
    assert_eq!((classified.fatal_count, classified.fatal.len()), (50_000, MESSAGES_KEPT_MAX));
    let long = sorted(&(one.trim_end().to_owned() + "\n" + &"é".repeat(100_000) + "\n" + &"\n".repeat(100_000)));
    assert!(long.fatal[0].is_cut);
    assert!(long.fatal[0].command.as_ref().unwrap().len() <= 4096);
}

proptest! {
    #[test]
    fn nothing_printed_later_hides_an_error(lines in prop::collection::vec(
        prop_oneof![
            "pg_restore: (error|warning|detail|hint|while|from TOC entry): .{0,20}",
            "Command was: .{0,30}",
            Just("Command was: COMMENT ON EXTENSION x IS 'y';".to_owned()),
            Just("pg_restore: error: could not execute query: ERROR:  must be owner of extension x".to_owned()),
            Just("pg_restore: warning: errors ignored on restore: 1".to_owned()),
            ".{0,20}",
        ], 0..20)) {
        let classified = sorted(&format!("pg_restore: error: something\n{}", lines.join("\n")));
        prop_assert!(classified.fatal_count > 0);
        prop_assert!(!classified.accepts(Some(0)) && !classified.accepts(Some(1)));
    }
}
