//! Ports for private parts.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{PartError, failed};

/// The range that is searched: below the ports that the system gives out by itself. While a part is down, a client that
/// tries to reach it on one of those may be given that very port as its own, be connected to itself, and keep the part
/// from returning.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;
/// Ports tried before giving up.
const TRIES: u32 = 1_000;

static LOOKED: AtomicU32 = AtomicU32::new(0);

/// A port of the loopback address that nobody listens on, and that was not given out by this process lately. It stays
/// the caller's only by being listened on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, PartError> {
    free_port_of(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

pub(super) fn free_port_of(ip: IpAddr) -> Result<u16, PartError> {
    let mut last = None;
    for _ in 0..TRIES {
        // Other processes look at the same time: each starts elsewhere.
        let step = std::process::id().wrapping_mul(101).wrapping_add(LOOKED.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + step % COUNT).unwrap_or_default();
        match TcpListener::bind((ip, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(failed(format!("no free port on {ip}"))(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_time_get_different_ports() {
        let ports: std::collections::HashSet<u16> = (0..20).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| (10_000..30_000).contains(port)));
    }
}
