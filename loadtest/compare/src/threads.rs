//! CPU time of a process by its scheduler's nanoseconds, for loads too small for the ticks of `/proc/PID/stat`.
//!
//! Of its living threads only: what ended in between, and its children, are not in it.

/// CPU seconds that the living threads of process `pid` have used; `None` where the kernel does not tell.
pub(crate) fn cpu_s(pid: u32) -> Option<f64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    threads.map(|thread| run_s(&std::fs::read_to_string(thread.path().join("schedstat")).ok()?)).sum()
}

/// The first field of a `schedstat`: nanoseconds on a core.
fn run_s(schedstat: &str) -> Option<f64> {
    let nanoseconds: f64 = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_is_the_time_on_a_core() {
        assert_eq!(run_s("2500000000 15020518 155\n"), Some(2.5));
        assert_eq!(run_s(""), None);
    }

    #[test]
    fn this_process_has_used_some() {
        assert!(cpu_s(std::process::id()).unwrap() > 0.0);
        assert_eq!(cpu_s(u32::MAX), None);
    }
}
