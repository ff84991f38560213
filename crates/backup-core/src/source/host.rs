//! The name of this machine.

/// The variable that says it. Containers have names that change with every start.
pub const HOST_VARIABLE: &str = "LASTGOOD_HOST";

/// The name in [`HOST_VARIABLE`], or else the one the system has. Backups of files and folders are of the machine of that
/// name.
#[must_use]
pub fn host() -> String {
    std::env::var(HOST_VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}
