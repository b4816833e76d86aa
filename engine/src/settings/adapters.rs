//! What a process was told, in the words of the adapters. What is not said there is as each adapter has it.

#[cfg(feature = "postgres")]
use secrecy::ExposeSecret as _;

use super::Settings;
#[cfg(feature = "kafka")]
use crate::log::kafka::{GroupProtocol, KafkaSettings};
#[cfg(feature = "postgres")]
use crate::{
    checkpoint::ApplyError,
    store::postgres::{Encryption, PgSettings},
};

impl Settings {
    /// The log on Kafka, if anybody said where that is; topics that are created are made as `create` says.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn kafka_settings(&self) -> Option<KafkaSettings> {
        let told = self.kafka.as_ref()?;
        let mut settings = KafkaSettings::new(&told.bootstrap);
        settings.prefix.clone_from(&told.prefix);
        settings.passed = told.properties();
        settings.clear_text = told.insecure;
        settings.protocol = match told.group_protocol {
            super::GroupProtocol::Classic => GroupProtocol::Classic,
            super::GroupProtocol::Consumer => GroupProtocol::Consumer,
        };
        settings.session = told.session_timeout;
        settings.producers = told.producers;
        settings.topics.replication = self.create.replication.into();
        settings.topics.min_in_sync = self.create.min_in_sync.into();
        Some(settings)
    }

    /// The database of everything derived, if anybody said where that is.
    ///
    /// # Errors
    /// The URL is none. Where it came from was said by [`Sources::settings`](super::Sources::settings) already.
    #[cfg(feature = "postgres")]
    pub fn postgres_settings(&self) -> Result<Option<PgSettings>, ApplyError> {
        let Some(told) = &self.postgres else { return Ok(None) };
        let mut settings = match &told.server {
            super::Server::Url(url) => PgSettings::url(url.expose_secret())?,
            super::Server::Parts { host, port, user, database } => {
                PgSettings::new(host, *port, user, database)
            }
        };
        settings = settings.schema(&told.schema).writers(told.writers).readers(told.readers);
        if let Some(node) = &self.node {
            settings = settings.name(node);
        }
        if let Some(password) = &told.password {
            settings = settings.password(password.expose_secret());
        }
        if let Some(mode) = told.sslmode {
            settings = settings.encryption(match mode {
                super::SslMode::Disable => Encryption::None,
                super::SslMode::Require => Encryption::Unchecked,
                super::SslMode::VerifyCa => Encryption::CheckedAuthority,
                super::SslMode::VerifyFull => Encryption::Checked,
            });
        }
        if let Some(file) = &told.ssl_ca {
            settings = settings.root_certificate(file);
        }
        if let Some((certificate, key)) = &told.ssl_identity {
            settings = settings.client_certificate(certificate, key);
        }
        Ok(Some(if told.insecure { settings.trust_the_network() } else { settings }))
    }
}
