//! The programs that copy between hosts, and their heads.

use crate::host::{Script, assignment, parameters};

/// What both ends have in common: a record of what is temporary, made before it, and removing what dead runs left.
const RECORD: &str = r#"
trap '' HUP PIPE
rec=$base/sync-$id
keys=${HOME:-/root}/.ssh/authorized_keys
[ "$(id -u)" = 0 ] || { say failed root; exit 9; }
lock() {
  # Two runs edit one file: the folder is the lock, and one that is older than a minute is a dead run's.
  tries=0
  until mkdir "$base/keys.lock" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
      find "$base/keys.lock" -maxdepth 0 -mmin +1 -exec rmdir {} \; 2>/dev/null
      tries=0
    fi
    nap
  done
}
forget() {
  [ -e "$keys" ] && grep -q -F "$1" "$keys" || return 0
  lock
  cp -p "$keys" "$keys.lastgood" && { grep -v -F "$1" "$keys" >"$keys.lastgood" || :; } && mv "$keys.lastgood" "$keys"
  rmdir "$base/keys.lock"
}
sweep() {
  for old in "$base"/sync-*; do
    [ -e "$old/pid" ] || continue
    read -r pid born <"$old/pid"
    lives "$pid" "$born" || rm -rf "$old"
  done
  # A key without a record is a dead run's, or from before this machine was started.
  [ -e "$keys" ] || return 0
  for mark in $(grep -o 'lastgood-sync-[0-9a-z]*' "$keys"); do
    [ -e "$base/${mark#lastgood-}/pid" ] || forget "$mark"
  done
}
mkdir -p "$base" && sweep
mkdir "$rec" && echo "$$ $(born $$)" >"$rec/pid" || { say failed record "$rec"; exit 9; }
#@ recorded
"#;

const DOOR: &str = r#"
trap '' INT TERM
command -v "$needs" >/dev/null || { rm -rf "$rec"; say failed tool "$needs"; exit 9; }
if [ -n "$device" ]; then
  [ -b "$device" ] || { rm -rf "$rec"; say failed door "\`$device\` is no device"; exit 9; }
  # dd cannot open a device for itself alone. This does, which fails for what is mounted or in use in any namespace, and writes nothing.
  wipefs --all --no-act "$device" >/dev/null 2>&1 || {
    rm -rf "$rec"
    say failed door "\`$device\` is in use"
    exit 9
  }
fi
write_door >"$rec/door"
until=$(date -d '+1 day' +%Y%m%d%H%M 2>/dev/null) && until=",expiry-time=\"$until\""
mkdir -p "${keys%/*}" && chmod 700 "${keys%/*}"
lock
[ -e "$keys" ] || : >"$keys"
{
  # The last line of a file that somebody edited may have no end.
  [ -z "$(tail -c 1 "$keys")" ] || echo
  echo "restrict,command=\"/bin/sh $rec/door\"$until $key lastgood-sync-$id"
} >>"$keys"
rmdir "$base/keys.lock"
#@ opened
for file in /etc/ssh/ssh_host_*_key.pub; do
  read -r kind public _ <"$file" && say hostkey "$kind $public"
done
say 'open'
IFS= read -r answer
forget "lastgood-sync-$id"
rm -rf "$rec"
say 'done' 0
"#;

const FILES_DOOR: &str = r#"
case ${SSH_ORIGINAL_COMMAND:-} in
  'rsync --server '*)
    set -f
    cd / && exec $SSH_ORIGINAL_COMMAND
    ;;
esac
echo 'this key is for rsync only' >&2
exit 1
"#;

/// What is read back comes from the disk: the buffers are dropped in between.
const BLOCKS_DOOR: &str = r#"
set -e
size=${SSH_ORIGINAL_COMMAND#blocks }
case $size in '' | *[!0-9]*) exit 2 ;; esac
[ "$(blockdev --getsize64 "$device")" -ge "$size" ] || { echo "\`$device\` is smaller than the source" >&2; exit 3; }
dd of="$device" bs=4M iflag=fullblock conv=nocreat,notrunc,fsync 2>/dev/null
blockdev --flushbufs "$device"
head -c "$size" "$device" | sha256sum
"#;

const SEND: &str = r#"
umask 077
for tool in ssh ssh-keygen "$needs"; do
  command -v "$tool" >/dev/null || { rm -rf "$rec"; say failed tool "$tool"; exit 9; }
done
ssh-keygen -q -t ed25519 -N '' -C '' -f "$rec/key" </dev/null || { rm -rf "$rec"; say failed key; exit 9; }
read -r kind public _ <"$rec/key.pub"
say key "$kind $public"
#@ keyed
name=$address
[ "$port" = 22 ] || name="[$address]:$port"
while IFS= read -r line; do
  [ -n "$line" ] || break
  printf '%s %s\n' "$name" "$line" >>"$rec/known"
done
[ -s "$rec/known" ] || { rm -rf "$rec"; exit 9; }
way="ssh -F /dev/null -i $rec/key -p $port -oIdentitiesOnly=yes -oIdentityAgent=none -oUserKnownHostsFile=$rec/known \
  -oGlobalKnownHostsFile=/dev/null -oStrictHostKeyChecking=yes -oBatchMode=yes -oConnectTimeout=15 \
  -oServerAliveInterval=15 -oServerAliveCountMax=4"
exec 3<&0
trap : TERM
send "$@" </dev/null &
job=$!
# Nobody there any more: the copy ends, with all that it started.
{ while IFS= read -r line; do :; done; kill -s TERM 0; } <&3 2>/dev/null &
watch=$!
#@ sending
wait "$job"
code=$?
kill "$watch" 2>/dev/null
rm -rf "$rec"
say sent "$code"
say 'done' 0
"#;

const SEND_FILES: &str = r#"
send() { exec rsync -aHAXxc --numeric-ids --inplace --protect-args "$@" -e "$way" -- "${source%/}/" "root@$host:${target%/}/"; }
"#;

/// The digest is that of what was sent, also of a device that changes meanwhile.
const SEND_BLOCKS: &str = r#"
send() {
  size=$(blockdev --getsize64 "$source") || exit 1
  mkfifo "$rec/pipe" || exit 1
  sha256sum <"$rec/pipe" >"$rec/sum" &
  stored=$(dd if="$source" bs=4M 2>/dev/null | tee "$rec/pipe" | $way "root@$address" "blocks $size") || exit $?
  wait
  say digests "$(cut -d ' ' -f 1 "$rec/sum") ${stored%% *}"
}
"#;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Files below one mount point to below another.
    Files {
        /// Where they are.
        source: String,
        /// Where they go.
        target: String,
        /// Deletes what the source does not have.
        delete: bool,
        /// What is left out.
        exclude: Vec<String>,
    },
    /// All blocks of a device to another.
    Blocks {
        /// The device at the source.
        source: String,
        /// The device at the destination.
        target: String,
    },
}

impl Task {
    fn tool(&self) -> &'static str {
        match self {
            Self::Files { .. } => "rsync",
            Self::Blocks { .. } => "sha256sum",
        }
    }
}

/// Lets the key in at the destination until it is told to stop or nobody talks to it any more.
pub(super) fn door(id: &str, key: &str, task: &Task) -> Script {
    let (device, door) = match task {
        Task::Files { .. } => ("", FILES_DOOR.to_owned()),
        Task::Blocks { target, .. } => (target.as_str(), assignment("device", target) + BLOCKS_DOOR),
    };
    // Not the name of the source's record: both may be on one host.
    let head = assignment("id", &format!("{id}d"))
        + &assignment("key", key)
        + &assignment("device", device)
        + &assignment("needs", task.tool())
        + "write_door() {\ncat <<'LASTGOOD_DOOR'\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        + &door
        + "LASTGOOD_DOOR\n}\n";
    Script::new(&head, &[RECORD, DOOR].concat())
}

/// Sends from the source to `address`.
pub(super) fn send(id: &str, address: &str, port: u16, task: &Task) -> Script {
    let (source, target, options, body) = match task {
        Task::Files { source, target, delete, exclude } => {
            let delete = delete.then(|| "--delete".to_owned());
            let options: Vec<String> =
                delete.into_iter().chain(exclude.iter().map(|path| format!("--exclude={path}"))).collect();
            (source, target, options, SEND_FILES)
        }
        Task::Blocks { source, target } => (source, target, Vec::new(), SEND_BLOCKS),
    };
    // `rsync` takes a colon for the end of the host.
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let port = port.to_string();
    let mut head = String::new();
    for (name, value) in [
        ("id", id),
        ("address", address),
        ("host", host.as_str()),
        ("port", port.as_str()),
        ("source", source.as_str()),
        ("target", target.as_str()),
        ("needs", task.tool()),
    ] {
        head.push_str(&assignment(name, value));
    }
    head.push_str(&parameters(options.iter().map(String::as_str)));
    Script::new(&head, &[RECORD, body, SEND].concat())
}

/// Tells what is on a device.
pub(super) fn read_label(device: &str) -> Script {
    let body = r#"
kind=$(blkid -p -o value -s TYPE "$device") && say label "$kind" "$(blkid -p -o value -s LABEL "$device")"
say 'done' 0
"#;
    Script::new(&assignment("device", device), body)
}

/// Sets the label of a mounted file system.
pub(super) fn write_label(device: &str, mount: &str, kind: &str, label: &str) -> Script {
    let body = r#"
case $kind in
  ext*) said=$(e2label "$device" "$label" 2>&1) ;;
  # Its commands know no quotes: a label with spaces is refused.
  xfs) said=$(xfs_io -c "label -s $label" "$mnt" 2>&1) ;;
  btrfs) said=$(btrfs filesystem label "$mnt" "$label" 2>&1) ;;
  *) said="labels of $kind are not known" ;;
esac
sync -f "$mnt" 2>/dev/null
if [ "$(blkid -p -o value -s LABEL "$device")" = "$label" ]; then say label-set; else say label-failed "${said:-it is another one}"; fi
"#;
    let head = assignment("device", device)
        + &assignment("mnt", mount)
        + &assignment("kind", kind)
        + &assignment("label", label);
    Script::new(&head, body)
}
