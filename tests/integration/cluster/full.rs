//! A disk of Postgres that is really full: its data are on a small file system of their own.
//!
//! To mount one takes root, or sudo that does not ask. Where neither is to be had, a line says that nothing was tested;
//! root must be able to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gavel::cli::cluster::TempFolder;

use super::crowd::Manners;
use super::{Crowd, House, Viewers, rounds};
use crate::harness::eventually;

/// Room for a new database, some bids, and several segments of 16 MB of its log.
const SIZE: &str = "size=160m,mode=1777";
const FULL: &str = "No space left on device";
/// Unmounts when its input ends, which is when the test does.
const MOUNTER: &str = r#"mount -t tmpfs -o "$1" gavel-small "$2" && echo mounted && read -r _; umount -l "$2""#;

/// Gone when dropped, also when the test is killed.
struct SmallDisk {
    mounter: Child,
    path: PathBuf,
    _folder: TempFolder,
}

impl SmallDisk {
    /// `None` for who is not root and has no leave to be.
    fn mount() -> Option<Self> {
        let folder = TempFolder::new("gavel-small-").unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
        let (program, before): (_, &[&str]) = if root { ("sh", &[]) } else { ("sudo", &["-n", "sh"]) };
        let mut mounter = Command::new(program);
        mounter.args(before).args(["-c", MOUNTER, "mounter", SIZE]).arg(&path);
        let mut mounter = mounter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
        let mut said = String::new();
        BufReader::new(mounter.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said == "mounted\n" {
            return Some(Self { mounter, path, _folder: folder });
        }
        let failed = mounter.wait_with_output().unwrap();
        let why = String::from_utf8_lossy(&failed.stderr);
        assert!(!root, "a small file system cannot be mounted, not even by root: {why}");
        None
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves no byte.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[1; 4_096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.mounter.stdin.take());
        drop(self.mounter.wait());
    }
}

/// How often Postgres found its disk full.
fn complaints(log: &Path) -> usize {
    std::fs::read_to_string(log).unwrap().matches(FULL).count()
}

struct Fullness {
    of_the_log: bool,
    complained_at: Duration,
    room_at: Duration,
    ready_at: Duration,
    had_ended: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_of_postgres_is_full_nobody_is_told_accepted_and_nothing_is_lost() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("full disk: NOT TESTED, there is no leave to mount a small file system");
        return;
    };
    let mut house = House::with_data(&disk.path.join("data")).await;
    let auctions = house.sell(3).await;
    let users = house.users(6).await;
    let viewers = Viewers::of_each(&house, &auctions);
    let crowd = Crowd::begin(&house, &users, &auctions, Manners::Pushing);
    let mut times = Vec::new();
    // First a table cannot grow, which is an error; then the log cannot, which ends Postgres.
    for round in 0..rounds(2) {
        let of_the_log = round % 2 == 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = complaints(house.postgres.log());
        disk.fill();
        if of_the_log {
            // The rest of the segment at hand is skipped; Postgres may die of it before it answers.
            drop(house.execute("SELECT pg_switch_wal()"));
        }
        eventually("Postgres to find its disk full", || async {
            (complaints(house.postgres.log()) > before).then_some(())
        })
        .await;
        let complained_at = crowd.began.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let room_at = crowd.began.elapsed();
        disk.make_room();
        let had_ended = house.postgres.has_ended();
        if had_ended {
            tokio::task::block_in_place(|| house.postgres.restart()).unwrap();
        }
        eventually("Postgres to let someone in", || async { house.execute("SELECT 1").ok() }).await;
        let ready_at = crowd.began.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        times.push(Fullness { of_the_log, complained_at, room_at, ready_at, had_ended });
    }
    let work = crowd.finish().await;
    let ended = Instant::now();
    work.assert_kept(&house).await;
    let late = Viewers::finish_each_unbroken(viewers, &house, ended).await;
    assert!(late < Duration::from_secs(3), "the last viewer had everything only after {late:?}");
    house.verify().await;
    for Fullness { of_the_log, complained_at, room_at, ready_at, had_ended } in times {
        // An answer may have been on its way.
        let accepted = work.accepted_between(complained_at + Duration::from_millis(100), room_at);
        let resumed = work.accepted.iter().find(|bid| bid.at > room_at).expect("accepts resume").at;
        eprintln!(
            "full disk, {}: Postgres ended: {had_ended}; {accepted} accepted while full; accepts resumed {:?} after \
             room was made, {:?} after Postgres was ready; {} acknowledged in all",
            if of_the_log { "its log" } else { "a table" },
            resumed.saturating_sub(room_at),
            resumed.saturating_sub(ready_at),
            work.accepted.len(),
        );
        // What fits into the pages that a table has is still stored, and may be accepted; without a log nothing is.
        assert!(accepted == 0 || !of_the_log, "{accepted} accepted while the log could not grow");
        assert!(resumed < ready_at + Duration::from_secs(2), "{resumed:?}");
    }
}
