//! Device numbers, which tell file systems apart.

use std::fmt;
use std::str::FromStr;

/// The number of a block device, or the one the kernel made up for a file system without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

impl DeviceNumber {
    /// As `stat` prints it with `%d`: Linux's layout of `st_dev`.
    #[must_use]
    pub fn of_stat(number: u64) -> Self {
        Self { major: rustix::fs::major(number), minor: rustix::fs::minor(number) }
    }

    /// The opposite of [`Self::of_stat`].
    #[must_use]
    pub fn as_stat(self) -> u64 {
        rustix::fs::makedev(self.major, self.minor)
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for DeviceNumber {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once(':').ok_or(())?;
        Ok(Self { major: major.parse().map_err(|_| ())?, minor: minor.parse().map_err(|_| ())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_stat_and_as_mountinfo_print_them() {
        let nvme: DeviceNumber = "259:5".parse().unwrap();
        assert_eq!((nvme.as_stat(), DeviceNumber::of_stat(nvme.as_stat())), (66_309, nvme));
        assert_eq!(nvme.to_string(), "259:5");
        assert!("259".parse::<DeviceNumber>().is_err());
    }
}
