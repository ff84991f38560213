//! Programs for a host, in the language of POSIX's `sh`.

/// Where records are left on hosts: in memory, so that no record outlives what it tells of.
pub const RECORDS: &str = "/run/lastgood";

/// What every program begins with. The path is ours: cron's has no `fsfreeze`.
const COMMON: &str = r#"
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
base=/run/lastgood
say() { printf 'lastgood %s\n' "$*"; }
nap() { sleep 0.1 2>/dev/null || sleep 1; }
now() { read -r up _ </proc/uptime; echo "${up%.*}"; }
# A process's number alone may be another process's by now.
born() {
  state=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${state##*) }
  # One that nobody has waited for is as dead as one that is gone.
  case $1 in Z | X) return 1 ;; esac
  echo "${20}"
}
lives() { [ -n "$2" ] && [ "$(born "$1")" = "$2" ]; }
"#;

/// A program for the host's `sh`. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    text: String,
}

impl Script {
    /// `head`, which sets variables, what every program begins with, and `body`.
    #[must_use]
    pub fn new(head: &str, body: &str) -> Self {
        Self { text: [head, COMMON, body].concat() }
    }

    /// Its text, which ends with a newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same with each place that is marked `#@ name` replaced by `command`: how tests kill it there.
    #[cfg(test)]
    pub(crate) fn with_command_at(&self, name: &str, command: &str) -> Self {
        let mark = format!("#@ {name}\n");
        assert!(self.text.contains(&mark), "no place is called {name}");
        Self { text: self.text.replace(&mark, &format!("{command}\n")) }
    }
}

/// The line that sets `name` to `value`.
#[must_use]
pub fn assignment(name: &str, value: &str) -> String {
    format!("{name}={}\n", quoted(value))
}

/// The line that sets the positional parameters.
#[must_use]
pub fn parameters<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = values.into_iter().map(quoted).collect();
    format!("set -- {}\n", words.join(" "))
}

/// A word of `sh` that stands for `value`, whatever it contains.
#[must_use]
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_word_is_taken_for_shell() {
        let nasty = "a'b $(id) `id` \"\\\n;&|";
        let head = parameters([nasty, ""]);
        let program = format!("{head}printf '%s|%s|%s' \"$#\" \"$1\" \"$2\"");
        let output = std::process::Command::new("sh").arg("-c").arg(program).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("2|{nasty}|"));
    }
}
