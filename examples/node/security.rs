//! The TLS options and their conversion to types of the library. A build without TLS refuses these options,
//! so that no operator relies on missing protection, and hides them from the help.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use hashloom::transport::{WebSocketConfig, WsMulti};

use crate::Record;
use crate::program::values::{List, flag, words};

/// The identity of this node, and the peers that it accepts.
#[derive(Debug, Args)]
pub(crate) struct Security {
    /// Certificate of this node, with those that it is signed by, in PEM: peers dial wss://.
    #[arg(long, env, value_name = "FILE", requires = "tls_key", help_heading = "TLS", hide = !cfg!(feature = "tls"))]
    tls_cert: Option<PathBuf>,

    /// Private key to the certificate, in PEM.
    #[arg(long, env, value_name = "FILE", requires = "tls_cert", help_heading = "TLS", hide = !cfg!(feature = "tls"))]
    tls_key: Option<PathBuf>,

    /// Certificates that sign those of the peers, in PEM.
    #[arg(long, env, value_name = "FILE", help_heading = "TLS", hide = !cfg!(feature = "tls"))]
    tls_ca: Option<PathBuf>,

    /// Accept only peers that present a certificate signed by one of `TLS_CA`.
    #[arg(long, env, value_parser = flag, requires = "tls_ca", help_heading = "TLS", hide = !cfg!(feature = "tls"))]
    tls_require: bool,

    /// Accept only peers with these certificates: SHA-256 fingerprints, separated by commas.
    #[arg(long, env, value_name = "HEX", value_parser = words, requires = "tls_ca", help_heading = "TLS",
          hide = !cfg!(feature = "tls"))]
    tls_allow: Vec<List<String>>,

    /// Accept only peers with the same secret, of 16 bytes or more: the text in this file.
    #[arg(long, env, value_name = "FILE", requires = "tls_cert", help_heading = "TLS", hide = !cfg!(feature = "tls"))]
    peer_secret_file: Option<PathBuf>,
}

impl Security {
    /// The scheme of the node's own address.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "wss" } else { "ws" }
    }

    /// The transport, secured as the options require.
    #[cfg(feature = "tls")]
    pub(crate) fn secure(
        &self,
        transport: WsMulti<Record>,
        config: WebSocketConfig,
    ) -> Result<WsMulti<Record>> {
        use anyhow::{Context, anyhow, bail};
        use hashloom::transport::{Secret, Tls, TlsError, TlsPart};

        if self.is_unused() {
            return Ok(transport.with_config(config));
        }
        let mut tls = Tls::builder();
        if let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) {
            tls = tls.identity(read(chain)?, read(key)?);
        }
        if let Some(trusted) = &self.tls_ca {
            tls = tls.trust(read(trusted)?);
        }
        if self.tls_require {
            tls = tls.require_certificates();
        }
        if !self.allows_all() {
            let allowed = self.tls_allow.iter().flat_map(|list| &list.0).map(|text| text.parse());
            tls = tls.allow(allowed.collect::<Result<Vec<_>, TlsError>>().context("TLS_ALLOW")?);
        }
        if let Some(path) = &self.peer_secret_file {
            // Blanks and line breaks at the end of the file are not part of the secret.
            let secret = Secret::new(read(path)?.trim_ascii_end());
            tls = tls.secret(secret.with_context(|| path.display().to_string())?);
        }
        if self.tls_cert.is_none() && (self.tls_require || !self.allows_all()) {
            bail!("TLS_REQUIRE and TLS_ALLOW need TLS_CERT and TLS_KEY: both sides present a certificate");
        }
        let tls = tls.build().map_err(|error| {
            let path = match &error {
                TlsError::NoKey | TlsError::BadKey { .. } | TlsError::BadPem { part: TlsPart::Key, .. } => {
                    &self.tls_key
                }
                TlsError::NoCertificate { part: TlsPart::Trusted }
                | TlsError::BadCertificate { part: TlsPart::Trusted, .. }
                | TlsError::BadPem { part: TlsPart::Trusted, .. } => &self.tls_ca,
                _ => &self.tls_cert,
            };
            let path = path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default();
            anyhow!("{path}{error}")
        })?;
        Ok(transport.with_config(config.with_tls(tls)))
    }

    /// Returns the transport unchanged. Fails if a TLS option is set.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn secure(
        &self,
        transport: WsMulti<Record>,
        config: WebSocketConfig,
    ) -> Result<WsMulti<Record>> {
        anyhow::ensure!(
            self.is_unused(),
            "TLS_CERT, TLS_KEY, TLS_CA, TLS_REQUIRE, TLS_ALLOW and PEER_SECRET_FILE need a build with --features tls"
        );
        Ok(transport.with_config(config))
    }

    fn allows_all(&self) -> bool {
        self.tls_allow.iter().all(|list| list.0.is_empty())
    }

    fn is_unused(&self) -> bool {
        let files = [&self.tls_cert, &self.tls_key, &self.tls_ca, &self.peer_secret_file];
        files.iter().all(|file| file.is_none()) && !self.tls_require && self.allows_all()
    }
}

#[cfg(feature = "tls")]
fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    use anyhow::Context;
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
