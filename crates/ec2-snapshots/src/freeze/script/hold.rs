//! The program that freezes on the host: it holds a descriptor of each file system from before the freeze, and thaws when
//! it is told to or nobody talks to it any more.
//!
//! Its head (`script.rs`) sets `id`, `by`, `mode`, `deadline`, `hook_limit`, `before`, `after` and the file systems as positional
//! parameters, five each: mount point, `st_dev`, `MAJOR:MINOR`, source, kind; and `write_watchdog`, a function.
//! Comments of the form `#@ name` are places where tests kill it.

/// Nested subshells, one per file system: POSIX knows descriptors 0 to 9 only, and each level can have its own number 3.
pub(super) const HOLD: &str = r#"
trap '' HUP INT TERM PIPE
#@ begin
[ "$(id -u)" = 0 ] || { say failed root; exit 9; }
for tool in fsfreeze setsid stat; do
  command -v "$tool" >/dev/null || { say failed tool "$tool"; exit 9; }
done
[ -z "$before$after" ] || command -v timeout >/dev/null || { say failed tool timeout; exit 9; }
fsfreeze=$(command -v fsfreeze)
mkdir -p "$base" && mkdir "$rec" || { say failed record "$rec"; exit 9; }
write_watchdog >"$rec/watchdog"
{
  [ -z "$after" ] || printf '%s\n' "$after" >"$rec/after"
  printf 'pid %s %s\nby %s\nlimit %s\n' "$$" "$(born $$)" "$by" "$hook_limit"
  write_mounts "$@"
} >"$rec/writing" && mv "$rec/writing" "$rec/record" || { rm -rf "$rec"; say failed record "$rec"; exit 9; }
#@ recorded
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
  # Not a child of this session: when the session or the timer's service ends, systemd kills what belongs to it.
  systemd-run --quiet --collect --unit="lastgood-thaw-$id" /bin/sh "$rec/watchdog" </dev/null >/dev/null 2>&1
else
  setsid /bin/sh "$rec/watchdog" </dev/null >/dev/null 2>&1 &
fi
tries=0
until [ -e "$rec/armed" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { rm -rf "$rec"; say failed watchdog; exit 9; }
  nap
done
#@ armed

finish() {
  if [ -n "$after" ] && mv "$rec/hooked" "$rec/unhooked" 2>/dev/null; then
    hook "$after" || say hook-after
  fi
  [ -e "$rec/stuck" ] || rm -rf "$rec"
}

if [ -n "$before$after" ]; then
  # Before it runs: whoever finds this file has to run the other one.
  : >"$rec/hooked"
  if [ -n "$before" ] && ! hook "$before"; then
    finish
    say failed hook
    exit 9
  fi
fi
#@ hooked

window() {
  [ ! -e "$rec/late" ] || { say failed slow; return 8; }
  if [ "$mode" = leave ]; then : >"$rec/left"; say frozen; return 0; fi
  say frozen
  #@ frozen
  # The end of the input counts as an answer too: whoever asked for the freeze is gone.
  IFS= read -r answer
}

freeze() {
  if [ $# -eq 0 ]; then window; return; fi
  (
    mnt=$1 dev=$2
    shift 5
    n=$#
    exec 3<"$mnt" || { say failed open "$mnt"; exit 8; }
    [ "$(stat -L -c %d /proc/self/fd/3)" = "$dev" ] || { say failed changed "$mnt"; exit 8; }
    : >"$rec/freezing.$n"
    said=$("$fsfreeze" -f /proc/self/fd/3 2>&1) || {
      rm -f "$rec/freezing.$n"
      case $said in
        *busy*) say failed busy "$mnt" ;;
        *) say failed freeze "$mnt: $said" ;;
      esac
      exit 8
    }
    mv "$rec/freezing.$n" "$rec/frozen.$n"
    #@ freezing
    freeze "$@"
    code=$?
    [ "$mode$code" != leave0 ] || exit 0
    if said=$("$fsfreeze" -u /proc/self/fd/3 2>&1); then
      rm -f "$rec/frozen.$n"
    else
      case $said in
        *'Invalid argument'*) rm -f "$rec/frozen.$n"; say late "$mnt" ;;
        *) : >"$rec/stuck"; say stuck "$mnt: $said" ;;
      esac
    fi
    #@ thawed
    exit "$code"
  )
}

# What is dirty now is written while writers still run, and not in the window.
sync_all
: >"$rec/began"
freeze "$@"
code=$?
[ "$mode$code" != leave0 ] || exit 0
say thawed
#@ released
finish
say 'done' "$code"
exit 0
"#;
