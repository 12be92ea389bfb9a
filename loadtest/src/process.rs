//! CPU and memory of processes, read from `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks in a second: what Linux reports `/proc` times in, whatever the kernel's own rate.
const TICKS_PER_S: f64 = 100.0;

/// What a process and its descendants have used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// User and system time, with that of children already gone.
    pub(crate) cpu_s: f64,
    pub(crate) memory_bytes: u64,
}

/// A process and what it started, now; `None` when it does not exist.
pub(crate) fn tree(pid: u32) -> Option<Usage> {
    let processes = all();
    processes.get(&pid)?;
    let mut usage = Usage::default();
    let mut family = vec![pid];
    while let Some(member) = family.pop() {
        let Some(process) = processes.get(&member) else { continue };
        usage.cpu_s += process.cpu_s;
        usage.memory_bytes += memory_bytes(member);
        family.extend(processes.iter().filter(|(_, child)| child.parent == member).map(|(id, _)| *id));
    }
    Some(usage)
}

/// This process.
pub(crate) fn own() -> Usage {
    let pid = std::process::id();
    let cpu_s = read_stat(pid).map_or(0.0, |process| process.cpu_s);
    Usage { cpu_s, memory_bytes: memory_bytes(pid) }
}

/// How many files this process may open.
pub(crate) fn open_files_max() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// One process.
pub(crate) struct Process {
    pub(crate) parent: u32,
    /// As [`Usage::cpu_s`], its own.
    pub(crate) cpu_s: f64,
}

/// Every process, by its id.
pub(crate) fn all() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read_stat(pid)?))).collect()
}

fn read_stat(pid: u32) -> Option<Process> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `/proc/PID/stat`: the name in parentheses may hold spaces and parentheses itself.
fn parse_stat(stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // proc(5): after the name come state (3), parent (4), … utime (14) stime (15) cutime (16) cstime (17).
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().unwrap_or(0.0)).sum::<f64>();
    Some(Process { parent: fields.get(1)?.parse().ok()?, cpu_s: ticks / TICKS_PER_S })
}

fn memory_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0_u64) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 3 7 7 0 -1 0 1 2 3 4 100 50 25 25 20 0 1 0 99";
        let process = parse_stat(stat).unwrap();
        assert_eq!(process.parent, 3);
        assert!((process.cpu_s - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_tree_includes_its_children() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let alone = memory_bytes(std::process::id());
        let with_child = tree(std::process::id()).unwrap().memory_bytes;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(alone > 0 && with_child > alone / 2);
        assert!(tree(u32::MAX).is_none());
    }

    #[test]
    fn this_process_uses_memory_and_may_open_files() {
        assert!(own().memory_bytes > 0);
        assert!(open_files_max().unwrap() > 16);
    }
}
