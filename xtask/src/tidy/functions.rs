//! Finds functions in Rust source and how many lines each has.

use super::lexer::code_only;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name; several in one file may share it.
    pub(crate) name: String,
    /// Line of the word `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// Every function of `source` that has a body, in order; nested ones too.
pub(crate) fn functions(source: &str) -> Vec<Function> {
    let code: Vec<char> = code_only(source).chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next_fn(&code, at) {
        let name: String = code[start + 3..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
        at = start + 3;
        // `fn(u8) -> u8` is a type and has no name.
        if name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(&code, at) {
            let newlines = |range: &[char]| range.iter().filter(|c| **c == '\n').count();
            found.push(Function { name, line: newlines(&code[..start]) + 1, lines: newlines(&code[start..end]) + 1 });
        }
    }
    found
}

fn next_fn(code: &[char], from: usize) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    (from..code.len().saturating_sub(3))
        .find(|&i| code[i] == 'f' && code[i + 1] == 'n' && code[i + 2] == ' ' && (i == 0 || !word(code[i - 1])))
}

/// Index of the brace that closes the body; none for a declaration that ends in `;`.
fn body_end(code: &[char], from: usize) -> Option<usize> {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for (i, c) in code.iter().enumerate().skip(from) {
        match c {
            // `[u8; 32]` in a signature ends nothing.
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(String, usize, usize)> {
        functions(source).into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    #[test]
    fn lines_are_counted_from_fn_to_brace() {
        let source = "//! x\n\npub fn one() -> u8 {\n    1\n}\nfn two() { }\n";
        assert_eq!(found(source), [("one".to_owned(), 3, 3), ("two".to_owned(), 6, 1)]);
    }

    #[test]
    fn braces_in_literals_and_array_types_do_not_count() {
        let source = "fn a(x: [u8; 3]) {\n    f(\"}\"); // }\n    g('}');\n}\n";
        assert_eq!(found(source), [("a".to_owned(), 1, 4)]);
    }

    #[test]
    fn declarations_and_types_are_no_functions() {
        assert!(found("trait T { fn a(&self);\n fn b() -> [u8; 2]; }\ntype F = fn (u8);\nlet fnord = 1;").is_empty());
    }

    #[test]
    fn nested_functions_are_found_too() {
        let source = "fn outer() {\n    fn inner() {\n    }\n}\n";
        assert_eq!(found(source), [("outer".to_owned(), 1, 4), ("inner".to_owned(), 2, 2)]);
    }
}
