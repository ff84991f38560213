//! A volume on its host: found by its id, formatted, mounted, and unmounted when the connection ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::error::{Ec2Error, Ec2Result};
use crate::host::{Conversation, HostError, Shell, assignment};
use crate::model::VolumeId;
use crate::sync::find;

/// How long a host may take to show a device, to format it and to mount it: replaying a journal takes a while.
const READY_WITHIN: Duration = Duration::from_secs(600);

/// How long unmounting may take: what is not on the disk yet is written then.
const UNMOUNTED_WITHIN: Duration = Duration::from_secs(900);

const MOUNT: &str = r#"
for tool in mount umount blkid ${make:+"mkfs.$make"}; do
  command -v "$tool" >/dev/null || { say failed tool "$tool"; exit 9; }
done
if [ -n "$make" ]; then
  kind=$make
  case $kind in
    ext*) said=$(mkfs."$kind" -q -F ${uuid:+-U "$uuid"} "$device" 2>&1 </dev/null) ;;
    xfs) said=$(mkfs.xfs -q -f ${uuid:+-m "uuid=$uuid"} "$device" 2>&1 </dev/null) ;;
    btrfs) said=$(mkfs.btrfs -q -f ${uuid:+-U "$uuid"} "$device" 2>&1 </dev/null) ;;
    *) said="how to make $kind is not known"; false ;;
  esac || { say failed mkfs "$(echo "$said" | tail -n 1)"; exit 9; }
else
  kind=$(blkid -p -o value -s TYPE "$device")
  uuid=$(blkid -p -o value -s UUID "$device")
fi
case $kind in
  '' | crypto_LUKS | LVM2_member) say failed none "$kind"; exit 9 ;;
  # The volume it was a snapshot of may be mounted here, with the same UUID.
  xfs) options=$options,nouuid ;;
esac
mnt=$base/mnt-$volume
mkdir -p "$mnt"
said=$(mount -o "$options" "$device" "$mnt" 2>&1) || {
  rmdir "$mnt"
  say failed mount "$(echo "$said" | tail -n 1)"
  exit 9
}
say fs "$kind $uuid"
say mounted "$mnt"
IFS= read -r answer
sync -f "$mnt" 2>/dev/null
tries=0
until umount "$mnt" 2>/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -lt 600 ] || { umount -l "$mnt"; break; }
  nap
done
rmdir "$mnt" 2>/dev/null
say 'done' 0
"#;

/// How a volume is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How<'a> {
    /// For reading.
    Read,
    /// For writing.
    Write,
    /// For writing, formatted anew as this kind of file system and with this UUID.
    Format(&'a str, &'a str),
}

/// The device of `volume`, which is attached as `attached`.
pub(super) async fn device(shell: &dyn Shell, volume: &VolumeId, attached: &str) -> Ec2Result<String> {
    let found = find::device(shell, volume.as_str(), attached).await?;
    found.ok_or_else(|| failed(shell.host(), volume, "device"))
}

/// A volume that is mounted. Dropping it unmounts it too.
#[derive(Debug)]
pub(super) struct Mounted {
    host: String,
    talk: Box<dyn Conversation>,
    volume: VolumeId,
    /// Where.
    pub(super) at: String,
    /// `ext4`, `xfs`, …
    pub(super) kind: String,
    /// The file system's.
    pub(super) uuid: String,
}

impl Mounted {
    pub(super) async fn open(
        shell: &Arc<dyn Shell>,
        volume: &VolumeId,
        attached: &str,
        how: How<'_>,
    ) -> Ec2Result<Self> {
        let (options, make, uuid) = match how {
            How::Read => ("ro", "", ""),
            How::Write => ("rw", "", ""),
            How::Format(kind, uuid) => ("rw", kind, uuid),
        };
        let head = assignment("options", options) + &assignment("make", make) + &assignment("uuid", uuid);
        let host = shell.host().to_owned();
        let talk = shell.talk(&find::with_device(volume.as_str(), attached, &head, MOUNT)).await?;
        let Some(mut talk) = talk else {
            return Err(HostError::Unreachable { host, said: "it cannot be talked to".to_owned() }.into());
        };
        let (mut kind, mut uuid) = (String::new(), String::new());
        while let Some(line) = next(&mut *talk, READY_WITHIN).await {
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "fs" => {
                    let (one, other) = rest.split_once(' ').unwrap_or((rest, ""));
                    (kind, uuid) = (one.to_owned(), other.to_owned());
                }
                "mounted" => {
                    let at = rest.to_owned();
                    return Ok(Self { host, talk, volume: volume.clone(), at, kind, uuid });
                }
                "failed" => return Err(failed(&host, volume, rest)),
                _ => {}
            }
        }
        Err(HostError::Unreachable { host, said: talk.complaint().await }.into())
    }

    /// Unmounts it.
    pub(super) async fn close(mut self) -> Ec2Result<()> {
        self.talk.tell("").await;
        while let Some(line) = next(&mut *self.talk, UNMOUNTED_WITHIN).await {
            if line.starts_with("done") {
                return Ok(());
            }
        }
        Err(Ec2Error::Machine { what: format!("whether {} was unmounted on {} is not known", self.volume, self.host) })
    }
}

/// The next line of our program; none after its end or `limit`.
async fn next(talk: &mut dyn Conversation, limit: Duration) -> Option<String> {
    // For all lines together: a host that never stops talking must not keep us here.
    let ours = async {
        loop {
            if let Some(line) = talk.line().await?.strip_prefix("lastgood ") {
                return Some(line.to_owned());
            }
        }
    };
    timeout(limit, ours).await.ok().flatten()
}

fn failed(host: &str, volume: &VolumeId, said: &str) -> Ec2Error {
    let (why, what) = said.split_once(' ').unwrap_or((said, ""));
    let host = host.to_owned();
    match why {
        "root" => HostError::NotRoot { host }.into(),
        "tool" => HostError::Tool { host, tool: what.to_owned() }.into(),
        "device" => Ec2Error::Machine { what: format!("{host} does not show {volume}") },
        "none" => Ec2Error::Machine {
            what: format!("{volume} has no file system as a whole that {host} can read: copy its blocks instead"),
        },
        "mkfs" => Ec2Error::Machine { what: format!("{host} did not format {volume}: {what}") },
        _ => Ec2Error::Machine { what: format!("{host} did not mount {volume}: {what}") },
    }
}
