//! Layers of settings: which wins, and where each came from.

use super::*;

fn config(text: &str, environment: Layer, elsewhere: Layer) -> Config {
    let document = Document::read(Path::new("lastgood.toml"), text.to_owned()).unwrap();
    Config { document, environment, elsewhere, ..Config::default() }
}

#[test]
fn options_win_over_variables_over_the_file_over_defaults() {
    let variable = Layer { jobs: Some(Set::variable("V", 3)), ..Layer::default() };
    let flag = Layer { jobs: Some(Set::flag("--jobs", 4)), ..Layer::default() };
    let origin = |text: &str, environment: &Layer, flags: &Layer| {
        let settings = config(text, environment.clone(), Layer::default()).settings(None, flags.clone()).unwrap();
        settings.shown().into_iter().find(|shown| shown.key == "pg.jobs").unwrap().origin
    };
    let (nothing, file) = (Layer::default(), "[pg]\njobs = 2");
    assert_eq!(origin(file, &variable, &flag), "--jobs");
    assert_eq!(origin(file, &variable, &nothing), "V");
    assert_eq!(origin(file, &nothing, &nothing), "lastgood.toml:2");
    assert_eq!(origin("", &nothing, &nothing), "default");
}

#[test]
fn no_place_allows_what_another_forbids() {
    let says =
        |allowed| Layer { allow_restore: Some(Set::variable("LASTGOOD_ALLOW_RESTORE", allowed)), ..Layer::default() };
    let refused = |config: &Config| {
        let guard = config.settings(None, Layer::default()).unwrap().guard().unwrap();
        guard.refusal(&["h".to_owned()], "d").map(|refusal| refusal.what)
    };
    let no = "[pg]\nallow-restore = false";
    let yes = "[pg]\nallow-restore = true";
    assert!(refused(&config(no, says(true), Layer::default())).unwrap().ends_with("by lastgood.toml:2"));
    assert!(refused(&config(yes, says(false), Layer::default())).unwrap().ends_with("LASTGOOD_ALLOW_RESTORE"));
    assert!(refused(&config(yes, says(true), says(false))).is_some(), "a file that another stands before");
    assert!(refused(&config(yes, says(true), Layer::default())).is_none());
    let protected = config("[pg]\nprotected = ['h/d']", Layer::default(), Layer::default());
    assert_eq!(refused(&protected).unwrap(), "`d` is protected by `h/d` in lastgood.toml:2");
}

#[test]
fn a_pattern_that_protects_nothing_is_refused() {
    let config = config("[pg]\nprotected = ['shop']", Layer::default(), Layer::default());
    config.settings(None, Layer::default()).unwrap().guard().unwrap_err();
}

#[test]
fn what_is_shown_is_written_as_in_the_file() {
    let text = "[pg]\nlock-timeout = '90s'\nexclude-table = ['a', 'b']\npre-dump = [{ command = './x' }]";
    let shown = config(text, Layer::default(), Layer::default()).settings(None, Layer::default()).unwrap().shown();
    let values = |key: &str| -> Vec<String> {
        shown.iter().filter(|shown| shown.key == key).map(|shown| shown.value.to_string()).collect()
    };
    assert_eq!(values("pg.lock-timeout"), ["\"90s\""]);
    assert_eq!(values("pg.exclude-table"), ["\"a\"", "\"b\""]);
    assert_eq!(values("pg.pre-dump"), [r#"{"command":"./x"}"#]);
    assert_eq!(values("repo"), ["\"./.lastgood\""]);
}
