//! Where and when a benchmark ran.

use std::fs;

use crate::server::Server;

/// Machine, versions, date and command, as a Markdown list.
pub(crate) fn description(server: &Server, lastgood: &str) -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- machine: {}, {cores} cores, {} GiB of memory, Linux {}\n- PostgreSQL: {}\n- lastgood: {lastgood}\n- date: {}\n- command: `cargo xtask bench {}`\n",
        processor(),
        memory_gib(),
        rustix::system::uname().release().to_string_lossy(),
        server.version(),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        args.join(" "),
    )
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
