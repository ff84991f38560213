//! The program that thaws what a dead run left frozen, by the records on the host; or the one run that `id` names.
//!
//! Its head sets `id`, empty for every dead run.

/// A file system that was unmounted while frozen is still frozen, and has no path: it is mounted elsewhere for a moment.
pub(super) const THAW: &str = r#"
trap '' HUP INT TERM PIPE
[ "$(id -u)" = 0 ] || { say failed root; exit 9; }
command -v fsfreeze >/dev/null || { say failed tool fsfreeze; exit 9; }

thaw_at() {
  if said=$(fsfreeze -u "$1" 2>&1); then verdict=thawed; return; fi
  case $said in
    *'Invalid argument'*) verdict=clean ;;
    *) verdict=stuck ;;
  esac
}

thaw() {
  if [ "$(stat -c %d "$mnt" 2>/dev/null)" = "$dev" ]; then thaw_at "$mnt"; return; fi
  while read -r _ _ number _ path _; do
    [ "$number" = "$numbers" ] || continue
    thaw_at "$(printf '%b' "$path")"
    return
  done </proc/self/mountinfo
  name=$(basename "$(readlink -f "/sys/dev/block/$numbers")")
  if [ -d "/sys/fs/$kind" ] && [ ! -d "/sys/fs/$kind/$name" ]; then verdict=clean; return; fi
  [ -b "$source" ] || source=/dev/block/$numbers
  mkdir -p "$rec/mnt"
  said=$(timeout 20 mount -t "$kind" "$source" "$rec/mnt" 2>&1) || { verdict=stuck; return; }
  thaw_at "$rec/mnt"
  umount "$rec/mnt"
  [ "$verdict" != thawed ] || verdict=thawed-unmounted
}

for rec in "$base"/freeze-*; do
  [ -d "$rec" ] || continue
  name=${rec##*/freeze-}
  [ -z "$id" ] || [ "$id" = "$name" ] || continue
  if [ ! -e "$rec/record" ]; then
    # It froze nothing yet; one that was just begun is not in the way either.
    [ -z "$(find "$rec" -maxdepth 0 -mmin +1)" ] || rm -rf "$rec"
    continue
  fi
  pid= born= by= limit=30
  while read -r word rest; do
    case $word in
      pid) pid=${rest% *} born=${rest#* } ;;
      by) by=$rest ;;
      limit) limit=$rest ;;
    esac
  done <"$rec/record"
  if [ -z "$id" ] && [ ! -e "$rec/late" ]; then
    if [ -e "$rec/left" ] || lives "$pid" "$born"; then say live "$name $by"; continue; fi
  fi
  any=
  while read -r word n dev numbers kind rest; do
    [ "$word" = mount ] || continue
    source=${rest%% *}
    mnt=${rest#* }
    verdict=
    if [ -e "$rec/frozen.$n" ] || [ -e "$rec/freezing.$n" ]; then thaw; else verdict=clean; fi
    case $verdict in
      stuck) any=1; say stuck "$numbers $source $mnt: $said" ;;
      *) rm -f "$rec/frozen.$n" "$rec/freezing.$n"; say "$verdict" "$numbers $source $mnt" ;;
    esac
  done <"$rec/record"
  if [ -e "$rec/after" ] && mv "$rec/hooked" "$rec/unhooked" 2>/dev/null; then
    timeout -k 2 "$limit" /bin/sh "$rec/after" </dev/null >&2 || say hook-after
  fi
  [ -n "$any" ] || rm -rf "$rec"
done
say 'done' 0
"#;
