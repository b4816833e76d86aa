//! How PostgreSQL is reached, and how hard it is worked. Plain data that a program fills in; refuses what would send
//! words in clear over a network that nobody vouched for. Prints no password.

use std::{fmt, path::Path, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    checkpoint::ApplyError,
    network::{exposed, is_here},
};

/// Whether the road to the server is encrypted, and whom one believes to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Clear text.
    None,
    /// Encrypted; the server may be anybody.
    Unchecked,
    /// Encrypted; somebody with a certificate of a known authority.
    CheckedAuthority,
    /// Encrypted; the host that was asked for.
    Checked,
}

/// How PostgreSQL is reached.
///
/// ```
/// use palinode::store::postgres::PgSettings;
/// let settings = PgSettings::url("postgres://booking:secret@127.0.0.1:5432/booking")?.schema("hotel").writers(8);
/// assert!(!format!("{settings:?}").contains("secret"));
/// # Ok::<(), palinode::projection::ApplyError>(())
/// ```
#[derive(Clone)]
#[must_use = "settings do nothing until somebody connects with them"]
pub struct PgSettings {
    server: PgConnectOptions,
    encryption: Option<Encryption>,
    clear_text: bool,
    schema: String,
    node: String,
    statement: Duration,
    lock: Duration,
    pub(super) transaction: Duration,
    pub(super) connect: Duration,
    pub(super) writers: u32,
    pub(super) readers: u32,
    relaxed: bool,
}

impl PgSettings {
    /// By parts. A host that begins with `/` is the folder of a socket.
    pub fn new(host: &str, port: u16, user: &str, database: &str) -> Self {
        let server = PgConnectOptions::new_without_pgpass().host(host).port(port).username(user);
        let server = if host.starts_with('/') { server.socket(host) } else { server };
        Self::of(server.database(database), None)
    }

    /// By a URL: `postgres://user:password@host:port/database`, with `?sslmode=verify-full` and its like if wanted.
    ///
    /// # Errors
    /// When it is none, or leaves it to the server whether to encrypt (`sslmode=allow`, `prefer`).
    pub fn url(url: &str) -> Result<Self, ApplyError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(ApplyError::broken("a URL of PostgreSQL begins with postgres://"));
        }
        // The error of a URL says what is wrong with it, not what it is: there may be a password in it.
        let server: PgConnectOptions =
            url.parse().map_err(|e| ApplyError::broken(format!("this is no URL of PostgreSQL: {e}")))?;
        let said = ["sslmode=", "ssl-mode="].iter().any(|name| url.contains(name));
        let encryption = match server.get_ssl_mode() {
            _ if !said => None,
            PgSslMode::Disable => Some(Encryption::None),
            PgSslMode::Require => Some(Encryption::Unchecked),
            PgSslMode::VerifyCa => Some(Encryption::CheckedAuthority),
            PgSslMode::VerifyFull => Some(Encryption::Checked),
            PgSslMode::Allow | PgSslMode::Prefer => {
                return Err(ApplyError::broken(
                    "with sslmode=allow or prefer it is the server who decides whether to encrypt: say verify-full, or \
                     disable",
                ));
            }
        };
        Ok(Self::of(server, encryption))
    }

    /// With everything else as it is when nothing is said.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn of_options(server: PgConnectOptions) -> Self {
        Self::of(server, None)
    }

    fn of(server: PgConnectOptions, encryption: Option<Encryption>) -> Self {
        Self {
            server,
            encryption,
            clear_text: false,
            schema: "public".into(),
            node: format!("palinode, pid {}", std::process::id()),
            statement: Duration::from_secs(30),
            lock: Duration::from_secs(5),
            transaction: Duration::from_secs(60),
            connect: Duration::from_secs(5),
            writers: 4,
            readers: 8,
            relaxed: false,
        }
    }

    /// The password.
    pub fn password(mut self, password: &str) -> Self {
        self.server = self.server.password(password);
        self
    }

    /// How the road is encrypted. When nothing is said: not at all on this machine, and [`Encryption::Checked`] off it.
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// The certificates of the authorities to believe, a PEM file; otherwise those of the system.
    pub fn root_certificate(mut self, file: impl AsRef<Path>) -> Self {
        self.server = self.server.ssl_root_cert(file);
        self
    }

    /// The certificate that tells the server who we are, and its key: PEM files.
    pub fn client_certificate(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.server = self.server.ssl_client_cert(certificate).ssl_client_key(key);
        self
    }

    /// Allows less than [`Encryption::Checked`] off this machine: the network in between is trusted.
    pub fn trust_the_network(mut self) -> Self {
        self.clear_text = true;
        self
    }

    /// The schema that everything is kept in (`public` when nothing is said); it is made when it is not there. Names
    /// that are not in it are looked for in `public`.
    pub fn schema(mut self, schema: &str) -> Self {
        self.schema = schema.to_owned();
        self
    }

    /// What sessions are called in `pg_stat_activity`: the node.
    pub fn name(mut self, node: &str) -> Self {
        self.node = node.to_owned();
        self
    }

    /// How long a statement may take (30 s).
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement = limit;
        self
    }

    /// How long a statement waits for a lock (5 s).
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.lock = limit;
        self
    }

    /// How long a transaction may take, all of it (60 s). After that its connection is given up, as if it was cut.
    pub fn transaction_timeout(mut self, limit: Duration) -> Self {
        self.transaction = limit;
        self
    }

    /// How long it may take to connect, and to get a connection to read with (5 s).
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// How many transactions run at the same time, each on a connection of its own (4). More than the server has cores
    /// gain little.
    pub fn writers(mut self, connections: u32) -> Self {
        self.writers = connections.max(1);
        self
    }

    /// How many connections there are for queries (8).
    pub fn readers(mut self, connections: u32) -> Self {
        self.readers = connections.max(1);
        self
    }

    /// Commits do not wait for the disk of the server (`synchronous_commit=off`). Rows and checkpoints stay together, so
    /// nothing is wrong after a crash of the server; readers may see time move back by a moment.
    pub fn relaxed_commits(mut self) -> Self {
        self.relaxed = true;
        self
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        let server = &self.server;
        let database = server.get_database().unwrap_or("?");
        let host = server.get_socket().map_or(server.get_host().into(), |socket| socket.to_string_lossy());
        format!("{}@{host}:{}/{database}, schema {}", server.get_username(), server.get_port(), self.schema)
    }

    pub(super) fn schema_name(&self) -> &str {
        &self.schema
    }

    /// What a session is opened with, or why that must not be.
    pub(super) fn options(&self) -> Result<PgConnectOptions, ApplyError> {
        if !well_named(&self.schema) {
            return Err(ApplyError::broken(format!(
                "{:?} is no name for a schema: 1 to 63 of a-z, 0-9 and _, beginning with a letter, not with pg_",
                self.schema
            )));
        }
        let ms = |limit: Duration| limit.as_millis().max(1).to_string();
        let path = if self.schema == "public" { "public".into() } else { format!("{},public", self.schema) };
        let mut options = vec![
            ("search_path", path),
            ("statement_timeout", ms(self.statement)),
            ("lock_timeout", ms(self.lock)),
            ("idle_in_transaction_session_timeout", ms(self.transaction)),
            // A session whose client is gone lets go of its locks.
            ("client_connection_check_interval", "5000".into()),
            ("tcp_keepalives_idle", "10".into()),
            ("tcp_keepalives_interval", "5".into()),
            ("tcp_keepalives_count", "3".into()),
        ];
        if self.relaxed {
            options.push(("synchronous_commit", "off".into()));
        }
        let server = self.server.clone().ssl_mode(self.ssl_mode()?).application_name(&self.node);
        Ok(server.options(options).disable_statement_logging())
    }

    fn ssl_mode(&self) -> Result<PgSslMode, ApplyError> {
        let host = if self.server.get_socket().is_some() { "/" } else { self.server.get_host() };
        let default = if is_here(host) { Encryption::None } else { Encryption::Checked };
        let encryption = self.encryption.unwrap_or(default);
        if exposed([host], encryption == Encryption::Checked, self.clear_text).is_some() {
            return Err(ApplyError::broken(format!(
                "{} is not on this machine, and who answers there would not be checked: use sslmode=verify-full, or say \
                 that the network in between is trusted",
                self.place()
            )));
        }
        if encryption != Encryption::None && !cfg!(feature = "postgres-tls") {
            return Err(ApplyError::broken(format!(
                "{} is to be reached over TLS, and this build has none: feature postgres-tls",
                self.place()
            )));
        }
        Ok(match encryption {
            Encryption::None => PgSslMode::Disable,
            Encryption::Unchecked => PgSslMode::Require,
            Encryption::CheckedAuthority => PgSslMode::VerifyCa,
            Encryption::Checked => PgSslMode::VerifyFull,
        })
    }
}

impl fmt::Debug for PgSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgSettings")
            .field("place", &self.place())
            .field("encryption", &self.encryption)
            .field("trust_the_network", &self.clear_text)
            .field("writers", &self.writers)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

fn well_named(schema: &str) -> bool {
    (1..=63).contains(&schema.len())
        && schema.starts_with(|c: char| c.is_ascii_lowercase())
        && !schema.starts_with("pg_")
        && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(settings: &PgSettings) -> String {
        settings.options().unwrap_err().what.to_string()
    }

    #[test]
    fn clear_text_leaves_this_machine_only_when_the_network_is_trusted() {
        for here in ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"] {
            let settings = PgSettings::url(&format!("postgres://u@{here}/d")).unwrap();
            assert_eq!(settings.ssl_mode().unwrap() as u8, PgSslMode::Disable as u8, "{here}");
        }
        assert!(PgSettings::new("/run/postgresql", 5432, "u", "d").ssl_mode().is_ok());
        let there =
            |mode: &str| PgSettings::url(&format!("postgres://u@db.example/d?sslmode={mode}")).unwrap();
        for mode in ["disable", "require", "verify-ca"] {
            assert!(why(&there(mode)).contains("is not on this machine"), "{mode}");
        }
        assert!(there("disable").trust_the_network().ssl_mode().is_ok());
        for mode in ["prefer", "allow"] {
            let refused =
                PgSettings::url(&format!("postgres://u@db.example/d?sslmode={mode}")).err().unwrap();
            assert!(refused.what.contains("verify-full"), "{refused}");
        }
        let checked = PgSettings::url("postgres://u@db.example/d").unwrap().ssl_mode();
        assert_eq!(checked.is_ok(), cfg!(feature = "postgres-tls"));
    }

    #[test]
    fn nothing_prints_a_password() {
        let settings = PgSettings::url("postgres://u:hunter2@127.0.0.1/d").unwrap().password("hunter3");
        let printed = format!("{settings:?} {}", settings.place());
        assert!(!printed.contains("hunter"), "{printed}");
        for bad in
            ["postgres://u:hunter2@127.0.0.1:99999999/d", "u:hunter2@h", "postgres://u:hunter2@h/d?sslmode=x"]
        {
            let why = PgSettings::url(bad).err().unwrap().what;
            assert!(!why.contains("hunter"), "{why}");
        }
    }

    #[test]
    fn names_of_schemas_are_checked() {
        let settings = PgSettings::new("127.0.0.1", 5432, "u", "d");
        assert!(settings.clone().schema("hotel_2").options().is_ok());
        for bad in ["", "Hotel", "a b", "a;drop", "pg_x", "a,b", "\""] {
            assert!(why(&settings.clone().schema(bad)).contains("no name for a schema"), "{bad}");
        }
    }
}
