//! The program that tells what is mounted on the host, and where what must never be frozen lies.
//!
//! Its head sets `kept`, paths of ours, and the mount points that were asked for as positional parameters.

/// One fact per line, the path last. Answers of Systems Manager end after 24,000 characters, so that options are cut.
pub(super) const SURVEY: &str = r#"
where() {
  printf '%s %s\n' "$(stat -L -c %d -- "$1" 2>/dev/null || echo -)" "$(readlink -f -- "$1" 2>/dev/null || printf %s "$1")"
}
say user "$(id -u)"
for path in "$@"; do
  say asked "$(where "$path")"
done
# Where sessions, the watchdog, their programs and their logs are: a login that hangs could not thaw anything.
for path in / /bin /sbin /usr /usr/bin /lib /etc /dev /run /tmp /var /var/log /var/tmp /var/lib/amazon "${HOME:-/root}" "${TMPDIR:-/tmp}"; do
  [ ! -e "$path" ] || say kept "$(where "$path")"
done
for tool in sh fsfreeze setsid systemd-run timeout stat sync sudo sshd; do
  path=$(command -v "$tool") && say kept "$(where "$path")"
done
printf '%s\n' "$kept" | while IFS= read -r path; do
  [ -z "$path" ] || say kept "$(where "$path")"
done
{ read -r _; while read -r path kind _; do [ "$kind" != file ] || say swap "$(where "$(printf '%b' "$path")")"; done; } </proc/swaps

# The disks below a device: through partitions, mappings and arrays, with the serial number, which is the volume on Nitro.
disks() (
  dir=$(readlink -f "$1") || exit 0
  below=
  for part in "$dir"/slaves/*; do
    [ -e "$part" ] || continue
    below=1
    disks "$part" "$2"
  done
  [ -z "$below" ] || exit 0
  [ ! -e "$dir/partition" ] || dir=${dir%/*}
  serial=$(cat "$dir/device/serial" "$dir/serial" 2>/dev/null | head -n 1)
  say disk "$2 ${dir##*/} ${serial:--}"
  [ ! -e "$dir/loop/backing_file" ] || say backing "$2 $(where "$(cat "$dir/loop/backing_file")")"
)
sed -n -e 's/ - \([^ ]* [^ ]*\) .*/ - \1/' \
  -e '/ - \(proc\|sysfs\|cgroup2*\|devpts\|mqueue\|debugfs\|tracefs\|securityfs\|pstore\|bpf\|configfs\|autofs\|nsfs\|fusectl\|binfmt_misc\|hugetlbfs\) /d' \
  -e p /proc/self/mountinfo | while IFS= read -r line; do
  say mount "$line"
done
seen=' '
while read -r _ _ numbers _; do
  case $seen in *" $numbers "*) continue ;; esac
  seen="$seen$numbers "
  [ ! -e "/sys/dev/block/$numbers" ] || disks "/sys/dev/block/$numbers" "$numbers"
done </proc/self/mountinfo
say 'done' 0
"#;
