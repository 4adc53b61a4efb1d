//! Free ports of the loopback, each claimed by one server.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections: one of those could take a server's port while it is
/// down, or even connect to itself there.
const FIRST: u16 = 16_000;
const COUNT: u16 = 6_000;

/// Where a node of a Redis cluster talks to its peers.
pub(crate) fn of_bus(port: u16) -> u16 {
    port + 10_000
}

/// A port that no other server of ours takes while this lives, on whatever runs.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    #[cfg(target_os = "linux")]
    _claim: std::os::unix::net::UnixListener,
}

impl Port {
    /// Claims a port on which nobody listens.
    pub(crate) fn claim() -> io::Result<Self> {
        // A client that still looks for a server that is gone should not find the next one in its place.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(std::process::id() * 37 % u32::from(COUNT)).unwrap_or(0);
        for _ in 0..COUNT {
            let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
            if let Some(port) = Self::claim_this(FIRST + offset) {
                return Ok(port);
            }
        }
        Err(io::Error::other("every port is taken"))
    }

    #[cfg(target_os = "linux")]
    fn claim_this(number: u16) -> Option<Self> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        // The kernel keeps this name, and forgets it with the process.
        let name = SocketAddr::from_abstract_name(format!("retell-port-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        is_free(number).then_some(Self { number, _claim: claim })
    }

    #[cfg(not(target_os = "linux"))]
    fn claim_this(number: u16) -> Option<Self> {
        is_free(number).then_some(Self { number })
    }
}

fn is_free(number: u16) -> bool {
    [number, of_bus(number)].into_iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}
