//! Who may be spoken to in clear text: this machine, and nobody else unless that is meant. The one place where it is
//! decided, for every server. Judges by names alone; resolves nothing.

use std::net::IpAddr;

/// The first of these hosts that must not be spoken to: it is beyond this machine, and neither is the road `protected`
/// (encrypted, and the other end checked) nor is it `meant` that it is not.
pub(crate) fn exposed<'a>(
    hosts: impl IntoIterator<Item = &'a str>,
    protected: bool,
    meant: bool,
) -> Option<&'a str> {
    if protected || meant {
        return None;
    }
    hosts.into_iter().find(|host| !is_here(host))
}

/// Whether a host is this machine: `localhost`, a loopback address, the folder of a socket.
pub(crate) fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    host.eq_ignore_ascii_case("localhost") || host.starts_with('/') || loopback
}

/// The host of `host:port`, `[::1]:port`, `PROTOCOL://host:port`, or a bare host.
#[cfg(any(test, feature = "kafka", feature = "settings"))]
pub(crate) fn host_of(address: &str) -> &str {
    let address = address.trim();
    let address = address.rsplit_once("://").map_or(address, |(_, rest)| rest);
    if let Some((host, _)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host;
    }
    match address.rsplit_once(':') {
        // More than one colon without brackets is an address of version 6.
        Some((host, _)) if !host.contains(':') => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_by_its_names() {
        for here in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.8.9.1",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "/run/pg",
        ] {
            assert!(is_here(here), "{here}");
        }
        for beyond in
            ["", "db", "localhost.example", "10.0.0.1", "0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example"]
        {
            assert!(!is_here(beyond), "{beyond}");
        }
    }

    #[test]
    fn hosts_of_addresses() {
        for (address, host) in [
            ("a:1", "a"),
            (" a:1 ", "a"),
            ("a", "a"),
            ("[::1]:9092", "::1"),
            ("::1", "::1"),
            ("SSL://a.b:1", "a.b"),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }

    #[test]
    fn clear_text_stays_on_this_machine() {
        assert_eq!(exposed(["127.0.0.1", "localhost"], false, false), None);
        assert_eq!(exposed(["127.0.0.1", "db.example"], false, false), Some("db.example"));
        assert_eq!(exposed(["db.example"], true, false), None);
        assert_eq!(exposed(["db.example"], false, true), None);
    }
}
