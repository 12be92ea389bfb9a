//! What others take of the machine while a test measures: a figure taken on a busy machine says nothing of Gavel.

/// A look at the machine's processor time, in clock ticks.
#[derive(Clone, Copy)]
struct Ticks {
    all: u64,
    /// Spent on some process, or taken by the machine's host; interrupts are nobody's.
    busy: u64,
    ours: u64,
}

/// Watches from its making on.
pub(crate) struct Others {
    server: u32,
    began: Ticks,
}

impl Others {
    /// All but this process and `server`.
    pub(crate) fn beside(server: u32) -> Self {
        Self { server, began: look(server) }
    }

    /// Their share of all processors since then, from 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        let now = look(self.server);
        let busy = (now.busy - self.began.busy).saturating_sub(now.ours - self.began.ours);
        #[allow(clippy::cast_precision_loss, reason = "ticks of some seconds")]
        let share = busy as f64 / (now.all - self.began.all).max(1) as f64;
        share
    }
}

fn look(server: u32) -> Ticks {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let columns: Vec<u64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|ticks| ticks.parse().unwrap()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = columns[..] else { panic!("{stat}") };
    let busy = user + nice + system + steal;
    Ticks { all: busy + idle + iowait + irq + softirq, busy, ours: spent(std::process::id()) + spent(server) }
}

/// User and system time of a process.
fn spent(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold anything; its bracket is the last one.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
