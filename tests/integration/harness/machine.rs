//! What others do to the machine while a test measures: a figure taken on a busy machine, or on one that stood still,
//! says nothing of Gavel.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A thread that only wakes up does so this often.
const PULSE: Duration = Duration::from_millis(5);
/// A block is brought to the disk this often.
const WRITE_EVERY: Duration = Duration::from_millis(50);

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
    pulse: Arc<Pulse>,
}

#[derive(Default)]
struct Pulse {
    longest_us: AtomicU64,
    over: AtomicBool,
}

impl Pulse {
    fn note(&self, took: Duration) {
        self.longest_us.fetch_max(u64::try_from(took.as_micros()).unwrap(), Ordering::SeqCst);
    }

    fn beat(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let due = Instant::now() + PULSE;
            std::thread::sleep(PULSE);
            self.note(due.elapsed());
        }
    }

    fn write(&self, file: &File) {
        while !self.over.load(Ordering::SeqCst) {
            let began = Instant::now();
            file.write_all_at(&[0; 4_096], 0).unwrap();
            file.sync_data().unwrap();
            self.note(began.elapsed());
            std::thread::sleep(WRITE_EVERY);
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.pulse.over.store(true, Ordering::SeqCst);
    }
}

impl Others {
    /// All but this process and `server`, whose disk is that of `folder`.
    pub(crate) fn beside(server: u32, folder: &Path) -> Self {
        let pulse = Arc::<Pulse>::default();
        let (beating, writing) = (Arc::clone(&pulse), Arc::clone(&pulse));
        let file = tempfile::tempfile_in(folder).unwrap();
        std::thread::spawn(move || beating.beat());
        std::thread::spawn(move || writing.write(&file));
        Self { server, began: look(server), pulse }
    }

    /// The longest that one of two threads was held up: one that had nothing to do but to wake up, and one that had to
    /// bring a block to the disk.
    pub(crate) fn standstill(&self) -> Duration {
        Duration::from_micros(self.pulse.longest_us.load(Ordering::SeqCst))
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
