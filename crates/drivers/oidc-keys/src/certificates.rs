//! Which certificate of an issuer's server is believed: one that a trusted authority vouches for, or one whose
//! thumbprint the provider lists.
//!
//! INVARIANT: a pinned authority vouches for a server's certificate as a trusted one would (chain, name, dates); a server
//! certificate that is itself pinned needs its name to fit, and is believed until the pin is gone.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha1::{Digest, Sha1};

/// The SHA-1 thumbprint of a certificate, in lower-case hexadecimal.
pub(crate) fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    hex::encode(Sha1::digest(certificate.as_ref()))
}

/// The system's trusted authorities; none where it has none.
pub(crate) fn system_verifier(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    build(roots, provider)
}

fn build(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    if roots.is_empty() {
        return None;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok()
}

/// Believes what the system trusts, or what is pinned.
#[derive(Debug)]
pub(crate) struct TrustedOrPinned {
    pub(crate) system: Option<Arc<WebPkiServerVerifier>>,
    pub(crate) pins: Vec<String>,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl TrustedOrPinned {
    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        let own = thumbprint(certificate);
        self.pins.contains(&own)
    }
}

impl ServerCertVerifier for TrustedOrPinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let check = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let mut refusal = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        if let Some(system) = &self.system {
            match check(system) {
                Ok(verified) => return Ok(verified),
                Err(error) => refusal = error,
            }
        }
        if self.is_pinned(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        for authority in intermediates.iter().filter(|certificate| self.is_pinned(certificate)) {
            let mut roots = RootCertStore::empty();
            if roots.add(authority.clone().into_owned()).is_ok()
                && let Some(verifier) = build(roots, &self.provider)
                && let Ok(verified) = check(&verifier)
            {
                return Ok(verified);
            }
        }
        Err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Believes nothing: notes the topmost certificate it is shown and ends the handshake.
#[derive(Debug, Default)]
pub(crate) struct Topmost(pub(crate) Mutex<Option<String>>);

impl ServerCertVerifier for Topmost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock() = Some(thumbprint(intermediates.last().unwrap_or(end_entity)));
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
