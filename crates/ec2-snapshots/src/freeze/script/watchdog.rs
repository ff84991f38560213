//! The watchdog: armed before anything is frozen, it thaws when the deadline passes or the program that freezes is gone.
//!
//! Its head is that of the program it watches. It opens its own descriptors, since under systemd it inherits none.

/// Levels as in the program it watches: each thaws its own file system on the way out.
pub(super) const WATCHDOG: &str = r#"
trap '' HUP INT TERM PIPE
fsfreeze=$(command -v fsfreeze) || exit 9
read -r _ pid born <"$rec/record"

watch() {
  echo "$$" >"$rec/armed"
  since=$(now)
  limit=$((hook_limit + deadline))
  began=
  while :; do
    [ -e "$rec/record" ] || exit 5
    if [ -z "$began" ] && [ -e "$rec/began" ]; then began=1 since=$(now) limit=$deadline; fi
    [ -e "$rec/left" ] || lives "$pid" "$born" || break
    [ $(($(now) - since)) -lt "$limit" ] || break
    nap
  done
  : >"$rec/late"
}

release() {
  if [ -e "$rec/frozen.$n" ]; then
    "$fsfreeze" -u /proc/self/fd/3 && rm -f "$rec/frozen.$n"
  elif [ -e "$rec/freezing.$n" ]; then
    # The kernel may still be writing what is dirty, and only then be frozen.
    tries=0
    while [ -e "$rec/freezing.$n" ] && [ "$tries" -lt 120 ]; do
      "$fsfreeze" -u /proc/self/fd/3 && rm -f "$rec/freezing.$n"
      tries=$((tries + 1))
      sleep 0.5 || sleep 1
    done &
  fi
}

arm() {
  if [ $# -eq 0 ]; then watch; return; fi
  (
    mnt=$1 dev=$2
    shift 5
    n=$#
    exec 3<"$mnt" || exit 5
    [ "$(stat -L -c %d /proc/self/fd/3)" = "$dev" ] || exit 5
    arm "$@"
    code=$?
    [ "$code" = 5 ] || release
    exit "$code"
  )
}

arm "$@"
[ $? != 5 ] || exit 0
if [ -n "$after" ] && mv "$rec/hooked" "$rec/unhooked" 2>/dev/null; then hook "$after"; fi
if [ -e "$rec/left" ] || ! lives "$pid" "$born"; then
  for left in "$rec"/frozen.* "$rec"/freezing.*; do
    [ ! -e "$left" ] || exit 0
  done
  # Under another name first: whoever reads records sees a whole one or none.
  [ ! -e "$rec/left" ] || exit 0
  rm -rf "$rec"
fi
"#;
