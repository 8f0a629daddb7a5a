//! Listening sockets: TCP on every `bind` address, and the unix socket.
//!
//! The server opens them at start and after CONFIG SET of `bind` or `port`, and gives them to the acceptor. Always: either all
//! addresses that are not optional are listened on, or none.

use mio::net::{TcpListener, UnixListener};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// TCP at the given address.
    Tcp(TcpListener),
    /// A unix socket; its file is removed with it.
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket. It is removed on drop, unless another socket has taken its path since.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_path_buf(), identity: identity(path)? })
    }

    /// Where it is, as configured.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Somebody else may remove it at this moment; there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// `address:port` or the path.
    pub address: String,
    /// What the system said.
    pub cause: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Could not listen on {}: {}", self.address, self.cause)
    }
}

impl std::error::Error for ListenError {}

impl Listener {
    /// The TCP address, with the port that the system chose if it was asked to.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

/// Listens on `port` of every address of `bind`: IPs, host names, `*` (all IPv4) and `::*` (all IPv6). An address with `-` before
/// it is skipped when this machine does not have it, and every one is when its protocol is missing. Port 0 listens on nothing.
/// `backlog` is `tcp-backlog`.
pub fn listen_tcp(bind: &[String], port: u16, backlog: u32) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    if port == 0 {
        return Ok(listeners);
    }
    for address in bind.iter().filter(|address| !address.is_empty()) {
        let (optional, host) = match address.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, address.as_str()),
        };
        match resolve(host, port).and_then(|address| bind_tcp(address, backlog)) {
            Ok(listener) => listeners.push(Listener::Tcp(listener)),
            Err(cause) => {
                let error = ListenError { address: format!("{host}:{port}"), cause };
                if !may_skip(&error.cause, optional) {
                    return Err(error);
                }
                log::warn!("{error}");
            }
        }
    }
    Ok(listeners)
}

/// As [`listen_tcp`] on one port of the system's choice on the loopback, for tests.
pub fn listen_anywhere() -> io::Result<Listener> {
    bind_tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 511).map(Listener::Tcp)
}

/// Listens on a unix socket at `path`; a file that is there already is replaced. `mode` is `unixsocketperm`.
pub fn listen_unix(path: &Path, mode: Option<u32>, backlog: u32) -> Result<Listener, ListenError> {
    let open = || -> io::Result<Listener> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile::at(path)?;
        if let Some(mode) = mode.filter(|mode| *mode != 0) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        socket.listen(backlog_of(backlog))?;
        socket.set_nonblocking(true)?;
        Ok(Listener::Unix(UnixListener::from_std(socket.into()), file))
    };
    open().map_err(|cause| ListenError { address: path.display().to_string(), cause })
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    match host {
        "*" => return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "::*" => return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        _ => {}
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::from((ip, port)));
    }
    (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address"))
}

fn bind_tcp(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // `* ::*` must be able to stand side by side.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog_of(backlog))?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn backlog_of(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

fn may_skip(error: &io::Error, optional: bool) -> bool {
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL) => optional,
        Some(
            libc::ENOPROTOOPT
            | libc::EPROTONOSUPPORT
            | libc::ESOCKTNOSUPPORT
            | libc::EPFNOSUPPORT
            | libc::EAFNOSUPPORT,
        ) => true,
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_port() -> u16 {
        let listener = listen_anywhere().expect("a port");
        listener.tcp_address().expect("an address").port()
    }

    #[test]
    fn optional_addresses_are_skipped_and_others_are_not() {
        let listen = |bind: &[&str]| {
            let bind: Vec<String> = bind.iter().map(|address| address.to_string()).collect();
            listen_tcp(&bind, free_port(), 16).map(|listeners| listeners.len())
        };
        // 192.0.2.0/24 is reserved for documentation, so no machine has it.
        assert_eq!(listen(&["127.0.0.1", "-192.0.2.1"]).ok(), Some(1));
        assert!(listen(&["127.0.0.1", "192.0.2.1"]).is_err());
        assert!(listen(&["*", "-::*"]).is_ok());
        assert_eq!(listen(&[]).ok(), Some(0));
        assert_eq!(listen_tcp(&["*".to_string()], 0, 16).map(|l| l.len()).ok(), Some(0));
    }

    #[test]
    fn a_port_in_use_names_the_address() {
        let taken = listen_anywhere().expect("a port");
        let port = taken.tcp_address().expect("an address").port();
        let error = listen_tcp(&["127.0.0.1".to_string()], port, 16).expect_err("in use");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }

    #[test]
    fn the_unix_socket_has_its_mode_and_goes_with_its_listener() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.sock");
        std::fs::write(&path, "left over").expect("writable");
        let listener = listen_unix(&path, Some(0o700), 16).expect("listening");
        let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let successor = listen_unix(&path, None, 16).expect("listening");
        drop(listener);
        assert!(path.exists(), "the path belongs to its successor");
        drop(successor);
        assert!(!path.exists());
    }
}
