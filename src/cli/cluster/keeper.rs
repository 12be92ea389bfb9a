//! One process that never outlives us: a shell starts it, and ends it when the pipe from here closes.
//!
//! The shell does not reap a process that ended before it is told to, so a signal never reaches a stranger
//! that was given the same id.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::{PartError, failed};
use crate::clock::Clock;
use crate::limits;

/// Arguments: the signal that ends the process at once, its log, and the program with its arguments.
const KEEPER: &str = r#"
end=$1 log=$2 pid=
shift 2
while read -r word rest; do
    case $word in
        start) "$@" </dev/null 2>>"$log" & pid=$!; echo "the keeper: pid $pid" ;;
        signal) kill $rest 2>/dev/null; echo "the keeper: sent" ;;
        reap) wait "$pid"; echo "the keeper: status $?"; pid= ;;
    esac
done
if [ -n "$pid" ]; then
    kill "-$end" "$pid"; kill -CONT "$pid"
    wait "$pid"
fi
"#;

/// What the keeper says begins with this; other lines are the process's own.
const SAID: &str = "the keeper: ";

/// Lines of the process's output that wait to be read here. Full → further ones are dropped.
const LINES_WAITING: usize = 64;

/// What a process can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End gracefully.
    Term,
    /// What Ctrl-C sends; Postgres ends fast.
    Int,
    /// Postgres ends at once.
    Quit,
    /// Ended by the kernel.
    Kill,
    /// Frozen until [`Signal::Cont`].
    Stop,
    /// Goes on.
    Cont,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// What is to be kept.
pub(super) struct Keep {
    /// For messages.
    pub(super) what: String,
    /// The program with its arguments, environment and folder.
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Environment,
    /// Where its stderr is added to.
    pub(super) log: PathBuf,
    /// Who it runs as, if not as ourselves.
    pub(super) user: Option<(u32, u32)>,
    /// What ends it when nobody is left to care.
    pub(super) end: Signal,
}

/// Variables over our own environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    pub(super) set: Vec<(String, String)>,
    pub(super) removed: Vec<String>,
}

/// The process with its keeper.
pub(super) struct Keeper {
    what: String,
    log: PathBuf,
    shell: Child,
    /// `None` once it was told to end.
    words: Option<ChildStdin>,
    answers: Receiver<String>,
    lines: Receiver<String>,
    pid: Option<u32>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keeper").field("what", &self.what).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Starts the keeper, and the process with it.
    pub(super) fn start(keep: Keep) -> Result<Self, PartError> {
        let Keep { what, program, arguments, environment, log, user, end } = keep;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", KEEPER, "keeper", end.name()]).arg(&log).arg(&program).args(arguments);
        shell.current_dir(log.parent().unwrap_or(Path::new("/")));
        for name in environment.removed {
            shell.env_remove(name);
        }
        shell.envs(environment.set);
        // A signal to our terminal is ours to pass on.
        shell.process_group(0);
        if let Some((uid, gid)) = user {
            shell.uid(uid).gid(gid);
        }
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(failed(format!("{what} cannot be started")))?;
        let words = shell.stdin.take();
        let (answered, answers) = sync_channel(LINES_WAITING);
        let (said, lines) = sync_channel(LINES_WAITING);
        if let Some(output) = shell.stdout.take() {
            let reading = std::thread::Builder::new().name("keeper".to_owned());
            reading.spawn(move || sort(output, &answered, &said)).map_err(failed("a thread cannot be started"))?;
        }
        let mut keeper = Self { what, log, shell, words, answers, lines, pid: None };
        keeper.start_again()?;
        Ok(keeper)
    }

    /// Starts the process once more, after it was reaped.
    pub(super) fn start_again(&mut self) -> Result<(), PartError> {
        while self.lines.try_recv().is_ok() {}
        let answer = self.say("start")?;
        self.pid = answer.strip_prefix("pid ").and_then(|pid| pid.parse().ok());
        if self.pid.is_some() { Ok(()) } else { Err(self.gone()) }
    }

    /// The process, unless it was reaped.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal, if the process was not reaped. After [`Signal::Stop`] all of it stands still.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), PartError> {
        let Some(pid) = self.pid else { return Ok(()) };
        self.signal_each(signal, &[pid])?;
        if signal == Signal::Stop && !until(limits::PART_STOP_WITHIN, || stands_still(pid)) {
            return Err(PartError::NotFrozen { what: self.what.clone() });
        }
        Ok(())
    }

    /// Sends a signal to these processes, which must be the kept one and children of it.
    pub(super) fn signal_each(&mut self, signal: Signal, pids: &[u32]) -> Result<(), PartError> {
        let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        self.say(&format!("signal -{} {pids}", signal.name())).map(drop)
    }

    /// Whether the process has ended, reaped or not.
    pub(super) fn has_ended(&self) -> bool {
        self.pid.is_none_or(has_ended)
    }

    /// Waits for the process's end, up to `within`.
    ///
    /// The exit code; 128 and the signal's number when a signal ended it. `None` when it still runs.
    pub(super) fn wait(&mut self, within: Duration) -> Result<Option<i32>, PartError> {
        if self.pid.is_none() {
            return Ok(Some(0));
        }
        if !until(within, || self.has_ended()) {
            return Ok(None);
        }
        let answer = self.say("reap")?;
        self.pid = None;
        Ok(answer.strip_prefix("status ").and_then(|status| status.parse().ok()))
    }

    /// Sends `signal` and waits; past `within` the process is killed, which is an error.
    pub(super) fn end(&mut self, signal: Signal, within: Duration) -> Result<i32, PartError> {
        self.signal(signal)?;
        if let Some(status) = self.wait(within)? {
            return Ok(status);
        }
        self.signal(Signal::Kill)?;
        self.wait(within)?;
        Err(PartError::NotEnded { what: self.what.clone() })
    }

    /// The next line that the process wrote to stdout, if it comes within `within`. `None` also when it ended.
    pub(super) fn line(&mut self, within: Duration) -> Option<String> {
        let clock = Clock::system();
        let until = clock.now().plus(span(within));
        loop {
            match self.lines.recv_timeout(clock.until(until).min(limits::PART_LOOK_EVERY)) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.has_ended() => return self.lines.try_recv().ok(),
                Err(RecvTimeoutError::Timeout) if clock.now() >= until => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// That it did not start, with the end of its log.
    pub(super) fn not_started(&self) -> PartError {
        PartError::NotStarted { what: self.what.clone(), log: tail(&self.log) }
    }

    fn say(&mut self, words: &str) -> Result<String, PartError> {
        let told = self.words.as_mut().is_some_and(|shell| writeln!(shell, "{words}").is_ok());
        if !told {
            return Err(self.gone());
        }
        self.answers.recv_timeout(limits::PART_STOP_WITHIN).map_err(|_ended| self.gone())
    }

    fn gone(&self) -> PartError {
        PartError::KeeperGone { what: self.what.clone() }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.words.take());
        drop(self.shell.wait());
    }
}

/// Sorts what comes out: the keeper's answers, and the process's lines.
fn sort(output: ChildStdout, answered: &SyncSender<String>, said: &SyncSender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        // They share a pipe: before an answer may stand what the process wrote without a line's end.
        let (own, answer) = line.rsplit_once(SAID).map_or((&*line, None), |(own, answer)| (own, Some(answer)));
        if let Some(answer) = answer {
            drop(answered.try_send(answer.to_owned()));
        }
        if answer.is_none() || !own.is_empty() {
            drop(said.try_send(own.to_owned()));
        }
    }
}

/// Looks until `done`, up to `within`; whether it was.
pub(super) fn until(within: Duration, mut done: impl FnMut() -> bool) -> bool {
    let clock = Clock::system();
    let end = clock.now().plus(span(within));
    loop {
        if done() {
            return true;
        }
        if clock.now() >= end {
            return false;
        }
        std::thread::sleep(limits::PART_LOOK_EVERY);
    }
}

fn span(duration: Duration) -> crate::domain::Span {
    crate::domain::Span(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

fn has_ended(pid: u32) -> bool {
    state(&Path::new("/proc").join(pid.to_string())).is_none_or(|state| state == 'Z')
}

/// Whether every thread of a process is stopped, or has ended.
fn stands_still(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| state(&thread.path())).all(|state| state.is_none_or(|state| matches!(state, 'T' | 't' | 'Z')))
}

/// The state of a process or a thread, by its folder; `None` when it is gone.
fn state(folder: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // pid (name) state …: the name may hold anything, so read from behind it.
    stat.rsplit(')').next()?.split_whitespace().next()?.chars().next()
}

/// The end of a log: some lines.
pub(super) fn tail(log: &Path) -> String {
    let read = || {
        let mut file = std::fs::File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(limits::LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(limits::LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("({}: {error})", log.display()))
}

#[cfg(test)]
mod tests {
    use super::super::TempFolder;
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn keep(folder: &TempFolder, script: &str) -> Keeper {
        let keep = Keep {
            what: "a test".to_owned(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: Environment { set: vec![("WORD".to_owned(), "hello".to_owned())], ..Environment::default() },
            log: folder.path().join("log"),
            user: None,
            end: Signal::Kill,
        };
        Keeper::start(keep).unwrap()
    }

    #[test]
    fn a_kept_process_is_heard_signalled_reaped_and_started_again() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let mut keeper = keep(&folder, "echo trouble >&2; echo $WORD; exec sleep 600");
        assert_eq!(keeper.line(SOON).unwrap(), "hello");
        let first = keeper.pid().unwrap();
        assert!(!keeper.has_ended());
        assert_eq!(keeper.wait(Duration::ZERO).unwrap(), None);
        assert_eq!(keeper.end(Signal::Term, SOON).unwrap(), 128 + 15);
        assert!(keeper.has_ended() && keeper.pid().is_none());
        keeper.start_again().unwrap();
        assert_eq!(keeper.line(SOON).unwrap(), "hello");
        assert_ne!(keeper.pid().unwrap(), first);
        assert_eq!(tail(keeper.log()), "trouble\ntrouble\n");
    }

    #[test]
    fn what_a_process_leaves_unfinished_does_not_hide_an_answer() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let mut keeper = keep(&folder, "printf \"$WORD\\nhalf\"; exec sleep 600");
        assert_eq!(keeper.line(SOON).unwrap(), "hello");
        assert_eq!(keeper.end(Signal::Term, SOON).unwrap(), 128 + 15);
        assert_eq!(keeper.line(SOON).unwrap(), "half");
    }

    #[test]
    fn a_process_that_ends_without_a_word_is_noticed() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let mut keeper = keep(&folder, "exit 7");
        assert_eq!(keeper.line(SOON), None);
        assert_eq!(keeper.wait(SOON).unwrap(), Some(7));
    }

    #[test]
    fn a_process_ends_with_its_keeper_even_when_it_is_frozen() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let mut keeper = keep(&folder, "echo $WORD; trap '' TERM; exec sleep 600");
        keeper.line(SOON).unwrap();
        let pid = keeper.pid().unwrap();
        keeper.signal(Signal::Stop).unwrap();
        assert!(stands_still(pid));
        drop(keeper);
        assert!(has_ended(pid));
    }

    #[test]
    fn a_process_that_does_not_listen_is_killed_and_told_of() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let mut keeper = keep(&folder, "trap '' TERM; echo $WORD; exec sleep 600");
        keeper.line(SOON).unwrap();
        let error = keeper.end(Signal::Term, Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, PartError::NotEnded { .. }), "{error}");
        assert!(keeper.pid().is_none());
    }
}
