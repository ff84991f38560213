//! Reads from one file's production code what it imports, which paths it names and what it defines.

use std::collections::BTreeSet;

use crate::tidy::lexer::code_only;

/// One name that a `use` brings into a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The path as written, from its first segment.
    pub(super) path: Vec<String>,
    /// The name it has here; none for `*`.
    pub(super) name: Option<String>,
    /// Whether it is exported again: `pub use`, `pub(crate) use`.
    pub(super) exported: bool,
}

/// What the production code of one file says about other modules; items under `#[cfg(test)]` are not read.
#[derive(Clone, Debug, Default)]
pub(super) struct Imports {
    /// Each `use`, one by one.
    pub(super) uses: Vec<Import>,
    /// Each path of two segments or more outside of `use`.
    pub(super) paths: Vec<Vec<String>>,
    /// Names of types, constants and called functions that stand alone: of this file, or imported.
    pub(super) names: BTreeSet<String>,
    /// Items defined in this file itself, child modules excepted.
    pub(super) defined: BTreeSet<String>,
    /// Child modules that are compiled for tests only.
    pub(super) test_modules: BTreeSet<String>,
}

/// Words that begin an item and are followed by its name.
const ITEM_WORDS: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];

impl Imports {
    /// Reads the source of a file.
    pub(super) fn read(source: &str) -> Self {
        let code = code_only(source);
        let mut imports = Self::default();
        let tokens = imports.without_tests(&tokens(&code));
        let mut at = 0;
        let mut depth = 0_usize;
        while at < tokens.len() {
            match tokens[at] {
                "use" => {
                    at = imports.take_use(&tokens, at);
                    continue;
                }
                // `pub(in super::super)` says who may see it, and names nothing.
                "pub" if tokens.get(at + 1) == Some(&"(") => {
                    at += tokens[at..].iter().position(|token| *token == ")").unwrap_or(0);
                }
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                word if depth == 0 && ITEM_WORDS.contains(&word) => {
                    imports.defined.extend(tokens.get(at + 1).map(|name| (*name).to_owned()));
                }
                word if is_word(word) => {
                    let path = path_at(&tokens, at);
                    let before = at.checked_sub(1).map(|before| tokens[before]);
                    at += 2 * path.len() - 1;
                    let is_call = matches!(tokens.get(at), Some(&("(" | "::"))) && !matches!(before, Some("." | "fn"));
                    if path.len() > 1 {
                        imports.paths.push(path);
                    } else if is_call || word.starts_with(|c: char| c.is_uppercase()) {
                        imports.names.insert(word.to_owned());
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        imports
    }

    /// Whether the code outside of `use` names what was imported as `name`.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.names.contains(name) || self.paths.iter().any(|path| path[0] == name)
    }

    /// The tokens without each item under `#[cfg(test)]`, whose child modules are remembered.
    fn without_tests<'a>(&mut self, tokens: &[&'a str]) -> Vec<&'a str> {
        let mut kept = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
                let end = item_end(tokens, at + 7);
                let item = &tokens[at + 7..end];
                if let Some(word) = item.iter().position(|token| *token == "mod") {
                    self.test_modules.extend(item.get(word + 1).map(|name| (*name).to_owned()));
                }
                at = end;
            } else {
                kept.push(tokens[at]);
                at += 1;
            }
        }
        kept
    }

    /// Takes the `use` at `at` and returns where it ends.
    fn take_use(&mut self, tokens: &[&str], at: usize) -> usize {
        let end = tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |length| at + length);
        // `pub` directly before it, or the parenthesis of `pub(crate)`: nothing else stands before a `use`.
        let exported = at > 0 && matches!(tokens[at - 1], "pub" | ")");
        self.take_tree(&tokens[at + 1..end], &[], exported);
        end
    }

    fn take_tree(&mut self, tree: &[&str], before: &[String], exported: bool) {
        let mut path = before.to_vec();
        let mut at = 0;
        while at < tree.len() {
            match tree[at] {
                "::" => {}
                "{" => {
                    for branch in branches(&tree[at + 1..]) {
                        self.take_tree(branch, &path, exported);
                    }
                    return;
                }
                "*" => {
                    self.uses.push(Import { path, name: None, exported });
                    return;
                }
                "as" => {
                    let name = tree.get(at + 1).map(|name| (*name).to_owned());
                    self.uses.push(Import { name: name.or_else(|| path.last().cloned()), path, exported });
                    return;
                }
                // `a::{self}` is `a`; at the beginning it is the module itself.
                "self" if !path.is_empty() => {}
                word => path.push(word.to_owned()),
            }
            at += 1;
        }
        if let Some(name) = path.last().cloned() {
            self.uses.push(Import { name: Some(name), path, exported });
        }
    }
}

/// The branches between a brace that was just opened and the one that closes it.
fn branches<'s, 'a>(tokens: &'s [&'a str]) -> Vec<&'s [&'a str]> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
                if *token == "}" {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// Words, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word_character(first) {
            rest.find(|c| !is_word_character(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| is_word_character(c) && !c.is_ascii_digit())
}

/// The path that begins at the word at `at`: one segment for a word alone.
fn path_at(tokens: &[&str], at: usize) -> Vec<String> {
    let mut path = vec![tokens[at].to_owned()];
    let mut next = at + 1;
    while tokens.get(next) == Some(&"::") && tokens.get(next + 1).is_some_and(|token| is_word(token)) {
        path.push(tokens[next + 1].to_owned());
        next += 2;
    }
    path
}

/// Where the item that begins at `at` ends: after its `;`, or the brace that closes its body.
fn item_end(tokens: &[&str], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut is_use = false;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match *token {
            "use" if depth == 0 => is_use = true,
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                // The braces of a `use` are followed by its `;`.
                if depth == 0 && *token == "}" && !is_use {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(source: &str) -> Vec<String> {
        let shown = |import: &Import| {
            let name = import.name.as_deref().unwrap_or("*");
            format!("{}{} as {name}", if import.exported { "pub " } else { "" }, import.path.join("::"))
        };
        Imports::read(source).uses.iter().map(shown).collect()
    }

    #[test]
    fn trees_are_taken_apart() {
        assert_eq!(
            uses("use a::{self, b as c, d::{e, *}};\npub(crate) use super::f;\npub use g::h;"),
            ["a as a", "a::b as c", "a::d::e as e", "a::d as *", "pub super::f as f", "pub g::h as h"],
        );
    }

    #[test]
    fn a_use_within_a_function_counts() {
        assert_eq!(uses("fn a() { use crate::b; b::c() }"), ["crate::b as b"]);
    }

    #[test]
    fn paths_are_found_and_calls_of_methods_are_not() {
        let imports = Imports::read(
            "fn a(x: super::T) { x.b(); crate::c::d(); e(); f::g::<u8>(); \"crate::h\"; }\npub(in super::super) fn i() {}",
        );
        let shown: Vec<String> = imports.paths.iter().map(|path| path.join("::")).collect();
        assert_eq!(shown, ["super::T", "crate::c::d", "f::g"]);
    }

    #[test]
    fn names_that_stand_alone_are_types_constants_and_calls() {
        let imports = Imports::read("fn a(b: C) { let d = E; f(g); h.i(); }");
        assert_eq!(imports.names.iter().map(String::as_str).collect::<Vec<_>>(), ["C", "E", "f"]);
    }

    #[test]
    fn items_of_the_file_are_known_and_methods_are_not() {
        let imports = Imports::read("pub struct A;\nimpl A { fn b() {} }\nasync fn c() {}\nconst D: u8 = 0;");
        assert_eq!(imports.defined.iter().map(String::as_str).collect::<Vec<_>>(), ["A", "D", "c"]);
    }

    #[test]
    fn tests_are_left_out() {
        let imports = Imports::read(
            "#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)]\nmod tests;\nuse d::e;\n\
             #[cfg(test)]\n#[allow(x)]\nmod more { use super::*; fn f() { g::h(); } }\nfn i() { j::k(); }",
        );
        assert_eq!(imports.uses.len(), 1);
        assert_eq!(imports.uses[0].path, ["d", "e"]);
        assert_eq!(imports.paths, [["j", "k"]]);
        assert_eq!(imports.test_modules.iter().map(String::as_str).collect::<Vec<_>>(), ["more", "tests"]);
    }
}
