//! Processes by name among those that another one started, read from `/proc`.

use std::collections::HashMap;
use std::fs;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u32,
}

/// The nearest descendant of `root` whose program is `name`.
pub(super) fn named(root: u32, name: &str) -> Option<u32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid: u32| parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    nearest(&pids.filter_map(|pid| Some((pid, read(pid)?))).collect(), root, name)
}

fn nearest(all: &HashMap<u32, Process>, root: u32, name: &str) -> Option<u32> {
    let mut generation = vec![root];
    while !generation.is_empty() {
        let children = all.iter().filter(|(_, process)| generation.contains(&process.parent));
        let children: Vec<(u32, &Process)> = children.map(|(pid, process)| (*pid, process)).collect();
        if let Some((pid, _)) = children.iter().find(|(_, process)| process.name == name) {
            return Some(*pid);
        }
        generation = children.into_iter().map(|(pid, _)| pid).collect();
    }
    None
}

/// Reads `/proc/PID/stat`: the name in parentheses may hold spaces and parentheses itself.
fn parse(stat: &str) -> Option<Process> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    Some(Process { name: name.to_owned(), parent: after.split_whitespace().nth(1)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_a_name_is_found_below_others() {
        let process = |name: &str, parent| Process { name: name.to_owned(), parent };
        let all = HashMap::from([
            (1, process("root", 0)),
            (2, process("sh", 1)),
            (3, process("postgres", 2)),
            (4, process("postgres", 3)),
            (5, process("redis-server", 9)),
        ]);
        assert_eq!(nearest(&all, 1, "postgres"), Some(3));
        assert_eq!(nearest(&all, 1, "redis-server"), None, "somebody else's");
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) b (c)) S 3 7 7 0 -1";
        assert_eq!(parse(stat), Some(Process { name: "a) b (c)".to_owned(), parent: 3 }));
        assert_eq!(parse("no process"), None);
    }
}
