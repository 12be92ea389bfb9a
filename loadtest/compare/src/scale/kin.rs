//! Processes by name among those that another one started.

use std::collections::BTreeMap;

use crate::process::{self, Process};

/// The nearest descendant of `root` whose program is `name`.
pub(super) fn named(root: u32, name: &str) -> Option<u32> {
    nearest(&process::all(), root, |pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|program| program.trim_end() == name)
    })
}

fn nearest(all: &BTreeMap<u32, Process>, root: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
    let mut generation = vec![root];
    while !generation.is_empty() {
        let children = all.iter().filter(|(_, process)| generation.contains(&process.parent));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        if let Some(pid) = children.iter().find(|pid| is_it(**pid)) {
            return Some(*pid);
        }
        generation = children;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_a_name_is_found_below_others() {
        let process = |parent| Process { parent, cpu_s: 0.0 };
        let all = BTreeMap::from([(1, process(0)), (2, process(1)), (3, process(2)), (4, process(3)), (5, process(9))]);
        assert_eq!(nearest(&all, 1, |pid| [3, 4].contains(&pid)), Some(3));
        assert_eq!(nearest(&all, 1, |pid| pid == 5), None, "somebody else's");
    }

    #[test]
    fn a_child_is_found_by_its_program() {
        // No other test here starts this program: all of them are children of one process.
        let mut child = std::process::Command::new("tail").args(["-f", "/dev/null"]).spawn().unwrap();
        let found = named(std::process::id(), "tail");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(child.id()));
        assert_eq!(named(std::process::id(), "no such program"), None);
    }
}
