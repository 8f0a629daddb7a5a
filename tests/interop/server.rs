//! One server process of any product: spawned with directives on a free port in a directory of its own, killed when the test drops it.
//!
//! Called by every scenario. Always: the process that a `Server` names is a child of this test; the log is kept over restarts; a restart
//! uses the same port, directory and directives, so identity and data come from what the process itself saved.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::client::Client;

const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Ports below the ephemeral range and below those of Redis' suite, so that neither takes one between our look and the bind.
const PORTS: std::ops::Range<u32> = 10_100..20_900;

/// Who wrote the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Starling,
    Redis7,
    Valkey8,
}

impl Product {
    fn binary(self) -> PathBuf {
        match self {
            Product::Starling => starling_binary(),
            Product::Redis7 => peer("REDIS_SERVER"),
            Product::Valkey8 => peer("VALKEY_SERVER"),
        }
    }
}

/// True if `STARLING_BIN` names another product: scenarios about what only Starling promises have nothing to prove then.
pub fn standing_in() -> bool {
    starling_binary().file_name().is_none_or(|name| name != "starling-server")
}

/// A path from tests/peers/install's env file; a variable of the same name wins.
pub fn peer(name: &str) -> PathBuf {
    if let Some(path) = env::var_os(name) {
        return path.into();
    }
    let directory = env::var_os("STARLING_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"), PathBuf::from);
    let text = fs::read_to_string(directory.join("env")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.unwrap_or_else(|| panic!("{name} is not known: run tests/peers/install first")).into()
}

fn starling_binary() -> PathBuf {
    env::var_os("STARLING_BIN").map_or_else(|| env!("CARGO_BIN_EXE_starling-server").into(), PathBuf::from)
}

/// A running (or just stopped) server.
pub struct Server {
    pub product: Product,
    pub port: u16,
    directives: Vec<(String, String)>,
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl Server {
    /// Starts a server with the harness' usual directives: no automatic saves, fast pings, DEBUG allowed.
    pub fn start(product: Product) -> Server {
        Server::start_with(product, &[])
    }

    /// Starts a server with further directives, e.g. `&[("repl-backlog-size", "16kb")]`.
    pub fn start_with(product: Product, directives: &[(&str, &str)]) -> Server {
        let directory =
            tempfile::Builder::new().prefix("starling-interop-").tempdir().expect("a temporary directory");
        Server::start_in(product, directory, directives)
    }

    /// Starts a server over a directory that may hold a dump.rdb.
    pub fn start_in(product: Product, directory: tempfile::TempDir, directives: &[(&str, &str)]) -> Server {
        let mut all: Vec<(String, String)> = Vec::new();
        let usual = [
            ("bind", "127.0.0.1"),
            ("save", ""),
            ("enable-debug-command", "yes"),
            ("repl-diskless-sync-delay", "0"),
            ("repl-ping-replica-period", "1"),
        ];
        for (name, value) in usual.iter().chain(directives) {
            all.retain(|(known, _)| known != name);
            all.push((name.to_string(), value.to_string()));
        }
        let mut server = Server { product, port: free_port(), directives: all, directory, child: None };
        server.launch();
        server
    }

    /// Changes a directive for the next start.
    pub fn set_directive(&mut self, name: &str, value: &str) {
        self.directives.retain(|(known, _)| known != name);
        self.directives.push((name.to_string(), value.to_string()));
    }

    /// Starts the process again after `shutdown`, `terminate` or `kill`.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = Command::new(self.product.binary());
        for (name, value) in &self.directives {
            command.arg(format!("--{name}"));
            // The value of a directive with several words is given as several arguments, an empty one as an empty argument.
            if value.is_empty() {
                command.arg("");
            }
            command.args(value.split_whitespace());
        }
        // Last, so that they hold even if a file is included.
        command.arg("--port").arg(self.port.to_string()).arg("--dir").arg(self.directory.path());
        let errors = log.try_clone().expect("a second handle of the log");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child =
            Some(command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.product.binary())));
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(mut client) = Client::connect(self.port)
                && let Ok(reply) = client.try_command(&["PING"])
                && !reply.text().starts_with("LOADING")
            {
                return;
            }
            let child = self.child.as_mut().expect("it was just spawned");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{:?} ended at start with {status}:\n{}", self.product, self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{:?} did not answer in time:\n{}", self.product, self.log());
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.port)
            .unwrap_or_else(|error| panic!("{:?} on {}: {error}", self.product, self.port))
    }

    /// Everything that the process has logged, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The directory of dump.rdb.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Gives up the process (it has to be stopped) and keeps its files, for another product to start over.
    pub fn into_directory(mut self) -> tempfile::TempDir {
        assert!(self.child.is_none(), "stop the server first");
        let empty = tempfile::tempdir().expect("a temporary directory");
        std::mem::replace(&mut self.directory, empty)
    }

    /// SHUTDOWN with a save, and waits for the end.
    pub fn shutdown_save(&mut self) {
        let _ = self.client().try_command(&["SHUTDOWN", "SAVE"]);
        self.wait_for_end();
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) {
        self.signal(libc::SIGTERM);
        self.wait_for_end();
    }

    /// SIGKILL: nothing is saved.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Stops the process without ending it, as a machine that hangs. Returns when each of its threads stands still: the signal is
    /// taken by one thread, and until that one gets a processor the others go on, and acknowledge what they receive.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !self.is_frozen() {
            assert!(Instant::now() < deadline, "{:?} goes on after SIGSTOP", self.product);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Are all threads of the process stopped by a signal?
    fn is_frozen(&self) -> bool {
        let pid = self.child.as_ref().expect("the server runs").id();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
        tasks.flatten().all(|task| {
            // `tid (name) state ...`; a thread that has just ended has no such file any more.
            let line = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            line.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Continues after `freeze`.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    /// True while the process lives.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = self.child.as_ref().expect("the server runs").id();
        // SAFETY: kill takes two numbers; the pid is that of a child which has not been waited for, so it is not reused.
        let status = unsafe { libc::kill(pid as libc::pid_t, signal) };
        assert_eq!(status, 0, "signal {signal} to {pid}");
    }

    fn wait_for_end(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("{:?} did not stop in time:\n{}", self.product, self.log());
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            println!("--- last lines of {:?} on port {} ---\n{}", self.product, self.port, tail.join("\n"));
        }
    }
}

/// A port that nobody listens on, different at each call of this process.
pub fn free_port() -> u16 {
    // Written and read by the threads of this process only; Relaxed, since each just needs a different number.
    static TURN: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .subsec_nanos();
    let start = std::process::id().wrapping_mul(7919).wrapping_add(now / 1000);
    loop {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + start.wrapping_add(turn.wrapping_mul(37)) % (PORTS.end - PORTS.start);
        if TcpListener::bind(("127.0.0.1", port as u16)).is_ok() {
            return port as u16;
        }
    }
}
