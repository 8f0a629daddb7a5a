//! A TCP proxy that stands between a replica and its primary and misbehaves on request: cuts, refuses, stalls, fragments.
//!
//!     replica ---> Cut (its own port) ---> primary
//!
//! Used by the scenarios about broken links. Always: a cut closes both halves at once, as a dying network does; bytes that were passed on
//! are passed on in order and unchanged; all threads end when the `Cut` is dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(20);

/// What the proxy is told to do; read by its threads, written by the test. All Relaxed: each is a wish that takes effect soon.
#[derive(Default)]
struct Wishes {
    stalled: AtomicBool,
    refusing: AtomicBool,
    ended: AtomicBool,
    /// Largest write in bytes; 0 for no limit.
    fragment: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

/// The proxy's handle.
pub struct Cut {
    /// Where replicas connect to.
    pub port: u16,
    wishes: Arc<Wishes>,
}

impl Cut {
    /// Listens on a free port and passes every connection on to `target`.
    pub fn new(target: u16) -> Cut {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let wishes = Arc::new(Wishes::default());
        let shared = Arc::clone(&wishes);
        thread::spawn(move || accept_loop(&listener, target, &shared));
        Cut { port, wishes }
    }

    /// Breaks every connection there is; new ones are let through.
    pub fn cut(&self) {
        for stream in self.wishes.open.lock().expect("no thread panics with it").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Breaks every connection and refuses new ones until `heal`.
    pub fn refuse(&self) {
        self.wishes.refusing.store(true, Ordering::Relaxed);
        self.cut();
    }

    /// Lets connections and bytes through again.
    pub fn heal(&self) {
        self.wishes.refusing.store(false, Ordering::Relaxed);
        self.wishes.stalled.store(false, Ordering::Relaxed);
    }

    /// Keeps connections open and passes nothing on, until `heal`.
    pub fn stall(&self) {
        self.wishes.stalled.store(true, Ordering::Relaxed);
    }

    /// From now on no write is longer than `bytes`; 0 lifts the limit.
    pub fn fragment(&self, bytes: usize) {
        self.wishes.fragment.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.wishes.ended.store(true, Ordering::Relaxed);
        self.cut();
    }
}

fn accept_loop(listener: &TcpListener, target: u16, wishes: &Arc<Wishes>) {
    while !wishes.ended.load(Ordering::Relaxed) {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(POLL);
            continue;
        };
        if wishes.refusing.load(Ordering::Relaxed) {
            continue;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
        let _ = (near.set_nonblocking(false), near.set_nodelay(true), far.set_nodelay(true));
        let handles = [near.try_clone(), near.try_clone(), far.try_clone(), far.try_clone()];
        let [Ok(near_in), Ok(near_out), Ok(far_in), Ok(far_out)] = handles else { continue };
        wishes.open.lock().expect("no thread panics with it").extend([near, far]);
        for (from, to) in [(near_in, far_out), (far_in, near_out)] {
            let wishes = Arc::clone(wishes);
            thread::spawn(move || pump(from, to, &wishes));
        }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, wishes: &Wishes) {
    let mut buffer = vec![0; 64 * 1024];
    let _ = from.set_read_timeout(Some(POLL));
    while !wishes.ended.load(Ordering::Relaxed) {
        if wishes.stalled.load(Ordering::Relaxed) {
            thread::sleep(POLL);
            continue;
        }
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(_) => break,
        };
        if pass_on(&buffer[..length], &mut to, wishes).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn pass_on(bytes: &[u8], to: &mut TcpStream, wishes: &Wishes) -> std::io::Result<()> {
    let limit = match wishes.fragment.load(Ordering::Relaxed) {
        0 => bytes.len(),
        limit => limit,
    };
    for piece in bytes.chunks(limit) {
        to.write_all(piece)?;
        if limit < bytes.len() {
            thread::sleep(Duration::from_micros(50));
        }
    }
    Ok(())
}
