//! Where and when a benchmark ran.

use std::fs;

/// Machine, what `about` says, date and command, as a Markdown list.
pub(crate) fn description(about: &[String]) -> String {
    let args = typed(std::env::args().skip(1));
    let about: String = about.iter().map(|line| format!("- {line}\n")).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- machine: {}, {cores} cores, {} GiB of memory, Linux {}\n{about}- date: {}\n- command: `cargo xtask bench {}`\n",
        processor(),
        memory_gib(),
        rustix::system::uname().release().to_string_lossy(),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        args.join(" "),
    )
}

/// The arguments somebody typed: programs of this machine, which `xtask` adds, are left out.
fn typed(args: impl Iterator<Item = String>) -> Vec<String> {
    let mut args = args;
    let mut typed = Vec::new();
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "--python" | "--measure" | "--examples" | "--coldsnap" => drop(args.next()),
            _ => typed.push(argument),
        }
    }
    typed
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

fn memory_gib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_ascii_whitespace().next()?.parse().ok());
    (kib.unwrap_or(0_u64) + 512 * 1024) / 1024 / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_this_machine_are_no_part_of_the_command() {
        let args = ["dict", "--python", "/here/python", "--scale", "0.1", "--measure", "/here/measure"];
        assert_eq!(typed(args.into_iter().map(ToOwned::to_owned)), ["dict", "--scale", "0.1"]);
    }
}
