//! The certificate of the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion_postgres::pgwire::tokio::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A certificate and what it takes to use it.
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// As PEM, for binding a login to the channel.
    pub(super) certificate: Vec<u8>,
}

/// Why the certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not read {}: give a file in PEM", .file.display())]
    Pem {
        file: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("could not read {}", .file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("certificate and key do not go together")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads the certificate, the server's own first, and its key.
    ///
    /// # Errors
    ///
    /// A file can't be read, or the two do not go together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let fault = |file: &Path| {
            let file = file.to_owned();
            move |source| TlsError::Pem { file, source }
        };
        let chain = CertificateDer::pem_file_iter(certificate).map_err(fault(certificate))?;
        let chain = chain.collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(fault(certificate))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(fault(key))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        let read = |source| TlsError::Read {
            file: certificate.to_owned(),
            source,
        };
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate: std::fs::read(certificate).map_err(read)?,
        })
    }
}
