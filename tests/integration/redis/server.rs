//! A private Redis: in a temporary folder, on a free port of 127.0.0.1, gone when its test is.
//!
//! A small shell process keeps it: when the test's end of the pipe closes, however the test ends, the server is killed
//! and the folder removed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::postgres::server::free_port;

const KEEPER: &str = r#"
while read -r word; do
    case $word in
        start)
            redis-server --port "$2" --bind 127.0.0.1 --dir "$1" --save "" --appendonly no --databases 4096 \
                >>"$1/log" 2>&1 &
            pid=$! ;;
        kill) kill -KILL "$pid"; wait "$pid" ;;
        freeze) kill -STOP "$pid" ;;
        thaw) kill -CONT "$pid" ;;
    esac
    echo done
done
kill -KILL "$pid" 2>/dev/null
wait "$pid"
rm -rf "$1"
"#;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    process: Child,
    /// `None` once it was told to end.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

static SHARED: OnceCell<Server> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a database of one's own on the server that the tests of this process share. Not for tests that harm it.
pub(crate) async fn database() -> String {
    let server = SHARED.get_or_init(Server::start).await;
    server.url(DATABASES.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("gavel-redis-").tempdir().unwrap().keep();
        let port = free_port();
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(KEEPER).arg("keeper").arg(&folder).arg(port.to_string());
        // A signal to the tests' terminal is not the server's.
        shell.current_dir(&folder).env("LC_ALL", "C").process_group(0);
        let mut process = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let words = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let server = Self { port, keeper: Mutex::new(Keeper { process, words, answers }) };
        server.restart().await;
        server
    }

    pub(crate) fn url(&self, database: u32) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    fn say(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.words.as_ref().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        keeper.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "done");
    }

    /// Ends the server at once.
    pub(crate) fn kill(&self) {
        self.say("kill");
    }

    /// Starts it again, and waits until it answers.
    pub(crate) async fn restart(&self) {
        self.say("start");
        for _ in 0..1_000 {
            if self.command::<String>(&["PING"]).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server did not start: is it installed (Debian: apt-get install redis-server)?");
    }

    /// From now on it does nothing, and its connections stay open.
    pub(crate) fn freeze(&self) {
        self.say("freeze");
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        self.say("thaw");
    }

    /// Ends the connections of those who are subscribed; they are still told so.
    pub(crate) async fn cut_off_subscribers(&self) -> i64 {
        self.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap()
    }

    /// How many connections are subscribed to the channel for ticks and sign-outs of database 0.
    pub(crate) async fn subscribers(&self) -> i64 {
        let (_, count): (String, i64) = self.command(&["PUBSUB", "NUMSUB", "gavel:0:words"]).await.unwrap();
        count
    }

    async fn command<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> ::redis::RedisResult<T> {
        let client = ::redis::Client::open(self.url(0))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]).query_async(&mut connection).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(keeper) = self.keeper.get_mut() {
            drop(keeper.words.take());
            drop(keeper.process.wait());
        }
    }
}
