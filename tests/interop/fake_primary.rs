//! A primary made of a script: answers a replica's handshake by the book, then sends a prepared snapshot and stream, which may be rubbish.
//!
//!     replica: PING  REPLCONF..  PSYNC        script: +PONG  +OK..  +FULLRESYNC id offset, $length, RDB, stream
//!                                                     \______________ one text, any byte of it may be wrong ______/
//!
//! Used by the scenarios about primaries that send rubbish. Always: each connection is served by one script and then closed; the number of
//! finished connections tells the test when a replica has seen all of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long the fake waits for the replica's next word before it sends the next part anyway.
const PATIENCE: Duration = Duration::from_millis(500);

/// The bytes of one full sync, in the parts between which the replica speaks.
#[derive(Clone)]
pub struct Script {
    /// One reply line for each command before PSYNC, then the answer to PSYNC with snapshot and stream.
    pub parts: Vec<Vec<u8>>,
}

impl Script {
    /// A proper full sync of `rdb` followed by `stream`.
    pub fn full_sync(rdb: &[u8], stream: &[u8]) -> Script {
        let mut last = b"+FULLRESYNC 0123456789012345678901234567890123456789 1000\r\n".to_vec();
        last.extend_from_slice(format!("${}\r\n", rdb.len()).as_bytes());
        last.extend_from_slice(rdb);
        last.extend_from_slice(stream);
        Script { parts: vec![b"+PONG\r\n".to_vec(), last] }
    }

    /// All bytes of the script.
    pub fn length(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    /// The same script with the byte at `position` replaced.
    pub fn with_byte(&self, position: usize, byte: u8) -> Script {
        let mut script = self.clone();
        let mut left = position;
        for part in &mut script.parts {
            if left < part.len() {
                part[left] = byte;
                break;
            }
            left -= part.len();
        }
        script
    }

    /// The same script cut off at `position`.
    pub fn cut_at(&self, position: usize) -> Script {
        let mut left = position;
        let mut parts = Vec::new();
        for part in &self.parts {
            parts.push(part[..part.len().min(left)].to_vec());
            left = left.saturating_sub(part.len());
        }
        Script { parts }
    }
}

/// A listener that serves its script to every connection.
pub struct FakePrimary {
    pub port: u16,
    served: Arc<AtomicUsize>,
}

impl FakePrimary {
    /// Listens on a free port. The thread ends with the process.
    pub fn start(script: Script) -> FakePrimary {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &script);
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        FakePrimary { port, served }
    }

    /// How many connections have been served to their end.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

/// Answers PING with the first part, REPLCONF and AUTH with +OK, PSYNC with the last part; then waits until the replica goes.
fn serve(stream: TcpStream, script: &Script) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(command) = read_command(&mut reader)? {
        match command.as_str() {
            "ping" => out.write_all(&script.parts[0])?,
            "psync" | "sync" => {
                out.write_all(&script.parts[1])?;
                break;
            }
            _ => out.write_all(b"+OK\r\n")?,
        }
    }
    // A replica that has taken offence closes; one that is content acknowledges until the patience ends.
    let mut rest = [0; 1024];
    for _ in 0..3 {
        if reader.read(&mut rest)? == 0 {
            break;
        }
    }
    Ok(())
}

/// The first word of the next command in lower case, `None` at the end of the connection.
fn read_command(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    while line.trim().is_empty() {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
    }
    let Some(count) = line.trim().strip_prefix('*') else {
        return Ok(line.split_whitespace().next().map(str::to_lowercase));
    };
    let mut words = Vec::new();
    for _ in 0..count.parse::<usize>().unwrap_or(0) {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let mut bytes = vec![0; header.trim().trim_start_matches('$').parse::<usize>().unwrap_or(0) + 2];
        reader.read_exact(&mut bytes)?;
        words.push(String::from_utf8_lossy(&bytes).trim_end().to_lowercase());
    }
    Ok(words.into_iter().next())
}
