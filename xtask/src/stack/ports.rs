//! Free ports of this machine, below those that the system hands out for outgoing connections: a server that is started
//! again finds its port free, and a client that keeps dialling a server that is away never meets itself.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// So many ports on which nobody listens now, and that were not given to somebody who may listen later. Processes with
/// different numbers begin to look at different places.
///
/// # Errors
/// All are taken.
pub(crate) fn free(count: usize, given: &[u16]) -> Result<Vec<u16>> {
    let span = u32::from(LAST - FIRST);
    // A prime, so that neighbours are far from each other.
    let start = std::process::id().wrapping_mul(7_919) % span;
    let all = (0..span).filter_map(|i| u16::try_from((start + i) % span).ok()).map(|offset| FIRST + offset);
    let found: Vec<u16> = all.filter(|port| !given.contains(port) && is_free(*port)).take(count).collect();
    if found.len() < count {
        bail!("no free ports from {FIRST} to {LAST}");
    }
    Ok(found)
}

/// Whether a server could listen on this port of the loopback interface now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_different_and_in_range() {
        let ports = free(3, &[]).unwrap();
        assert!(ports.iter().all(|port| (FIRST..LAST).contains(port)), "{ports:?}");
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
        assert!(!is_free(ports[0]) && !free(3, &[]).unwrap().contains(&ports[0]));
        assert!(!free(3, &ports).unwrap().contains(&ports[1]));
        drop(taken);
    }
}
