//! PostgreSQL as it was told: where it is, who we are there, how the road is protected, how many connections.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::given::Given;
use crate::network::{exposed, host_of};

/// A PostgreSQL database. Its secrets print as such.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Which one.
    pub server: Server,
    /// The proof of who we are; wins over one in a URL.
    pub password: Option<SecretString>,
    /// How the road is protected; nothing: not at all on this machine, checked to the end beyond it.
    pub sslmode: Option<SslMode>,
    /// The authorities to believe, a PEM file; otherwise those of the system.
    pub ssl_ca: Option<PathBuf>,
    /// Our certificate and its key, PEM files.
    pub ssl_identity: Option<(PathBuf, PathBuf)>,
    /// Whether less than [`SslMode::VerifyFull`] beyond this machine is meant.
    pub insecure: bool,
    /// Where everything is kept.
    pub schema: String,
    /// Transactions at the same time.
    pub writers: u32,
    /// Connections for queries.
    pub readers: u32,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Server {
    /// By a URL; there may be a password in it.
    Url(SecretString),
    /// By parts.
    Parts {
        /// A name, an address, or the folder of a socket.
        host: String,
        /// Its port.
        port: u16,
        /// Who we are.
        user: String,
        /// The database.
        database: String,
    },
}

/// How the road is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Clear text.
    Disable,
    /// Encrypted; the server may be anybody.
    Require,
    /// Encrypted; somebody with a certificate of a known authority.
    VerifyCa,
    /// Encrypted; the host that was asked for.
    VerifyFull,
}

const PARTS: [&str; 4] = ["postgres.host", "postgres.port", "postgres.user", "postgres.database"];
const SSL: [&str; 3] = ["postgres.ssl_ca", "postgres.ssl_certificate", "postgres.ssl_key"];

impl Postgres {
    pub(super) fn of(given: &mut Given) -> Option<Self> {
        let (server, key) = server(given)?;
        let sslmode = given.text("postgres.sslmode").and_then(|mode| SslMode::named(&mode));
        let insecure = given.flag("postgres.insecure");
        check_road(given, &server, key, sslmode, insecure);
        if sslmode == Some(SslMode::Disable)
            && let Some(said) = given.any(&SSL)
        {
            given.wrong(said, "postgres.sslmode disable has no use for it", "use verify-full");
        }
        let ssl_identity = match (given.file("postgres.ssl_certificate"), given.file("postgres.ssl_key")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => {
                given.wrong(
                    "postgres.ssl_certificate",
                    "it is of no use without its key",
                    "say postgres.ssl_key",
                );
                None
            }
            (None, Some(_)) => {
                let allowed = "say postgres.ssl_certificate";
                given.wrong("postgres.ssl_key", "it is of no use without its certificate", allowed);
                None
            }
            (None, None) => None,
        };
        Some(Self {
            server,
            password: given.secret("postgres.password"),
            sslmode,
            ssl_ca: given.file("postgres.ssl_ca"),
            ssl_identity,
            insecure,
            schema: given.text("postgres.schema").unwrap_or_default(),
            writers: given.number("postgres.writers"),
            readers: given.number("postgres.readers"),
        })
    }
}

impl SslMode {
    /// As PostgreSQL calls them.
    fn named(name: &str) -> Option<Self> {
        match name {
            "disable" => Some(Self::Disable),
            "require" => Some(Self::Require),
            "verify-ca" => Some(Self::VerifyCa),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}

/// Which database, and the key that said so.
fn server(given: &mut Given) -> Option<(Server, &'static str)> {
    let url = given.secret("postgres.url");
    match (url, given.any(&PARTS)) {
        (Some(url), said) => {
            if let Some(said) = said {
                let what = format!("{} says it as well, as a URL", given.origin("postgres.url"));
                given.wrong(said, what, "say the URL, or its parts");
            }
            #[cfg(feature = "postgres")]
            if let Err(why) = crate::store::postgres::PgSettings::url(url.expose_secret()) {
                given.wrong("postgres.url", why.what.to_string(), "postgres://user@host:port/database");
                return None;
            }
            Some((Server::Url(url), "postgres.url"))
        }
        (None, _) => {
            let Some(host) = given.text("postgres.host") else {
                if let Some(said) = given.of_section("postgres.") {
                    let what = "this is for PostgreSQL, and nobody says where that is";
                    given.wrong(said, what, "say postgres.url or postgres.host");
                }
                return None;
            };
            let parts = Server::Parts {
                host,
                port: given.number("postgres.port"),
                user: given.text("postgres.user").unwrap_or_default(),
                database: given.text("postgres.database").unwrap_or_default(),
            };
            Some((parts, "postgres.host"))
        }
    }
}

fn check_road(given: &mut Given, server: &Server, key: &str, said: Option<SslMode>, insecure: bool) {
    let (hosts, in_url) = match server {
        Server::Parts { host, .. } => (vec![host.as_str()], None),
        Server::Url(url) => of_url(url.expose_secret()),
    };
    // When nothing is said it is the strictest beyond this machine.
    let protected = said.or(in_url).is_none_or(|mode| mode == SslMode::VerifyFull);
    if let Some(host) = exposed(hosts, protected, insecure) {
        let what = format!("{host} is not this machine, and who answers there would not be checked");
        given.wrong(key, what, "use sslmode verify-full, or postgres.insecure if that is meant");
    }
}

/// The hosts that a URL names, and its mode.
fn of_url(url: &str) -> (Vec<&str>, Option<SslMode>) {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.split('/').next().unwrap_or_default();
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    // The folder of a socket has its slashes escaped.
    let host = if host.to_ascii_lowercase().starts_with("%2f") { "/" } else { host };
    let option = |names: [&str; 2]| {
        let pairs = options.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| names.contains(name)).map(|(_, value)| value).next_back()
    };
    let hosts = [Some(host_of(host)), option(["host", "hostaddr"])].into_iter().flatten();
    let mode = option(["sslmode", "ssl-mode"]).map(|mode| {
        // What a server may decide against is no protection.
        SslMode::named(mode).unwrap_or(SslMode::Disable)
    });
    (hosts.filter(|host| !host.is_empty()).collect(), mode)
}
