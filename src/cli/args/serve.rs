//! The flags of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as Flags;

/// Answers SQL over the PostgreSQL protocol: psql, Metabase, Grafana, JDBC. Reads only.
///
/// The database is `purser`; the tables and views are those of `purser query`, and each statement
/// sees the newest commit. User `purser` sees everything and has the password of
/// PURSER_PG_PASSWORD (or of the file that PURSER_PG_PASSWORD_FILE names); user `reader` sees
/// neither `cost_usd` nor `data` and has that of PURSER_PG_READER_PASSWORD (or …_FILE). A user
/// without a password can't log in.
///
/// PURSER_PG_PASSWORD=… purser serve --pg 127.0.0.1:5432
#[derive(Debug, Flags)]
pub(in crate::cli) struct Serve {
    /// The address to listen on
    #[arg(long, env = "PURSER_PG", default_value = "127.0.0.1:5432")]
    pub(in crate::cli) pg: SocketAddr,
    /// Our certificate, as PEM; without it connections are not encrypted
    #[arg(long, env = "PURSER_TLS_CERT", requires = "tls_key")]
    pub(in crate::cli) tls_cert: Option<PathBuf>,
    /// The key of the certificate, as PEM
    #[arg(long, env = "PURSER_TLS_KEY", requires = "tls_cert")]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// Memory that all statements together may use before they spill to disk, in MiB
    #[arg(long, env = "PURSER_QUERY_MEMORY_MIB", default_value_t = 1024)]
    pub(in crate::cli) memory_mib: usize,
}
