//! Finds the device of a volume on its host, mounted or not.

use std::time::Duration;

use crate::host::{HostError, Script, Shell, assignment};

/// How often a host that is to show a device is looked at, ten times a second.
const PATIENT: &str = "600";

/// How often one that shows it already.
const AT_ONCE: &str = "1";

/// How long it may take in all.
const LIMIT: Duration = Duration::from_secs(180);

/// Sets `device`. Its head sets `volume`, `attached`, the device that EC2 calls it if that is known, and `looks`.
const FIND: &str = r#"
trap '' HUP PIPE INT TERM
[ "$(id -u)" = 0 ] || { say failed root; exit 9; }
bare=$(printf %s "$volume" | tr -d -)
letter=${attached#/dev/sd}
find_device() {
  for dir in /sys/block/*; do
    serial=$(cat "$dir/device/serial" "$dir/serial" 2>/dev/null | head -n 1 | tr -d ' -')
    [ "$serial" != "$bare" ] || { device=/dev/${dir##*/}; return 0; }
  done
  # Xen shows `/dev/sdf` as `/dev/xvdf`.
  for device in "/dev/xvd$letter" "/dev/sd$letter"; do
    [ ! -b "$device" ] || return 0
  done
  return 1
}
until find_device; do
  looks=$((looks - 1))
  [ "$looks" -gt 0 ] || { say failed device; exit 9; }
  nap
done
"#;

const TELL: &str = r#"
say device "$device"
"#;

/// A program that begins with the device of `volume` in `device`, once the host shows it, and goes on with `body`. It says
/// `failed root` or `failed device` otherwise.
pub(crate) fn with_device(volume: &str, attached: &str, head: &str, body: &str) -> Script {
    let own = assignment("volume", volume) + &assignment("attached", attached) + &assignment("looks", PATIENT) + head;
    Script::new(&own, &[FIND, body].concat())
}

/// The device of `volume`, which is attached as `attached` and shown soon.
pub(crate) async fn device(shell: &dyn Shell, volume: &str, attached: &str) -> Result<Option<String>, HostError> {
    ask(shell, &with_device(volume, attached, "", TELL)).await
}

/// The device of `volume`, if the host shows it.
pub(super) async fn shown(shell: &dyn Shell, volume: &str) -> Result<Option<String>, HostError> {
    ask(shell, &with_device(volume, "", &assignment("looks", AT_ONCE), TELL)).await
}

async fn ask(shell: &dyn Shell, script: &Script) -> Result<Option<String>, HostError> {
    let answer = shell.run(script, LIMIT).await?;
    if answer.lines().any(|line| line == "lastgood failed root") {
        return Err(HostError::NotRoot { host: shell.host().to_owned() });
    }
    Ok(answer.lines().find_map(|line| line.strip_prefix("lastgood device ")).map(str::to_owned))
}
