//! Where and when a benchmark ran.

use std::fs;

use crate::server::Server;

/// Machine, versions, date and command, as a Markdown list.
pub(crate) fn description(server: Option<&Server>, lastgood: &str) -> String {
    let args = as_typed(std::env::args().skip(1));
    let server = server.map(|server| format!("- PostgreSQL: {}\n", server.version())).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- machine: {}, {cores} cores, {} GiB of memory, Linux {}\n{server}- lastgood: {lastgood}\n- date: {}\n- command: `cargo xtask bench {}`\n",
        processor(),
        memory_gib(),
        rustix::system::uname().release().to_string_lossy(),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        args.join(" "),
    )
}

/// The arguments without the interpreter's path, which the workshop adds and which means something on one machine only.
fn as_typed(args: impl Iterator<Item = String>) -> Vec<String> {
    let mut typed = Vec::new();
    let mut args = args;
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "--python" => drop(args.next()),
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
    fn the_command_names_no_path_of_the_machine() {
        let args = ["pgclone", "--scale", "0.5", "--python", "/somewhere/bin/python"].map(str::to_owned);
        assert_eq!(as_typed(args.into_iter()), ["pgclone", "--scale", "0.5"]);
    }
}
