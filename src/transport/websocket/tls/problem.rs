//! Texts for errors of TLS. rustls displays most of its errors as the names of their variants.

use std::io;

use tokio_rustls::rustls::pki_types::pem;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// A readable text for an error of rustls.
pub(super) fn of_error(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(problem) => of_certificate(problem),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::PeerIncompatible(problem) => {
            format!("the peer's TLS does not fit: {}", words(&format!("{problem:?}")))
        }
        Error::PeerMisbehaved(problem) => {
            format!("the peer breaks the rules of TLS: {}", words(&format!("{problem:?}")))
        }
        Error::InvalidMessage(problem) => {
            format!("what the peer sends is no TLS: {}", words(&format!("{problem:?}")))
        }
        Error::InvalidCertRevocationList(problem) => {
            format!("the revocation list is not good: {}", words(&format!("{problem:?}")))
        }
        error => error.to_string(),
    }
}

/// A text for a PEM error, which the library displays as a list of bytes.
pub(super) fn of_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a line with END is missing, so it is cut off".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line with BEGIN is not as PEM asks for".to_owned(),
        error => error.to_string(),
    }
}

/// A text for an error of an operation on a TLS connection, which wraps one of rustls if TLS failed.
pub(super) fn of_io(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map_or_else(|| error.to_string(), of_error)
}

/// What is wrong with a certificate, as the end of a sentence that names its owner.
pub(super) fn of_certificate(problem: &CertificateError) -> String {
    let known = match problem {
        CertificateError::BadEncoding => "it is damaged, or no X.509 certificate",
        CertificateError::Revoked => "it has been revoked",
        CertificateError::UnhandledCriticalExtension => {
            "it has an extension that is marked as critical and not supported here"
        }
        CertificateError::UnknownRevocationStatus => "whether it has been revoked is not known",
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates has expired"
        }
        CertificateError::BadSignature => "its signature, or that of one above it, is wrong",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed by an algorithm that is not supported here"
        }
        CertificateError::InvalidPurpose => "its extendedKeyUsage does not allow this use",
        CertificateError::InvalidPurposeContext { required, .. } => {
            return format!("its extendedKeyUsage lacks {required}");
        }
        CertificateError::InvalidOcspResponse => "the proof that it is not revoked (OCSP) is wrong",
        CertificateError::ApplicationVerificationFailure => "it was refused by a check of the application",
        CertificateError::Other(other) => return of_name(&other.to_string()),
        other => return words(&format!("{other:?}")),
    };
    known.to_owned()
}

/// A text for an error of webpki, the library that checks certificates, for which rustls has no variant.
fn of_name(name: &str) -> String {
    let known = match name {
        "CaUsedAsEndEntity" => {
            "it is the certificate of an authority (basicConstraints CA:TRUE), and a node needs one of its own that an \
             authority has signed"
        }
        "EndEntityUsedAsCa" => {
            "it is signed with a certificate that is not one of an authority (basicConstraints CA:TRUE)"
        }
        "UnsupportedCertVersion" => "it is of an old version of X.509, and version 3 is needed",
        "NameConstraintViolation" => "its names are not among those that its authority may sign for",
        "PathLenConstraintViolated" => "there are more authorities above it than the highest one allows",
        "MaximumPathDepthExceeded" => "there are too many authorities above it",
        _ => return words(name),
    };
    known.to_owned()
}

/// A text for an alert of a peer.
pub(super) fn of_alert(alert: AlertDescription) -> String {
    let known = match alert {
        AlertDescription::NoCertificate | AlertDescription::CertificateRequired => {
            "it asks for a certificate"
        }
        AlertDescription::BadCertificate => "it finds the certificate not good for this use or this host",
        AlertDescription::UnsupportedCertificate => "it does not support certificates of this kind",
        AlertDescription::CertificateRevoked => "to the peer the certificate is revoked",
        AlertDescription::CertificateExpired => "by its clock the certificate is not valid now",
        AlertDescription::CertificateUnknown => "it does not accept the certificate",
        AlertDescription::UnknownCA => "it does not trust the authority that signed the certificate",
        AlertDescription::AccessDenied => "it does not let this certificate in",
        AlertDescription::HandshakeFailure => "the two ends have no cryptography in common",
        AlertDescription::ProtocolVersion => "it speaks no TLS 1.3",
        other => return format!("the peer ended TLS: {}", words(&format!("{other:?}"))),
    };
    known.to_owned()
}

/// The name of a variant as words: `NoCipherSuitesInCommon` as "no cipher suites in common". Anything after
/// the name, such as fields, is dropped.
fn words(name: &str) -> String {
    let name: Vec<char> = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut words = String::new();
    for (index, letter) in name.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| name.get(before));
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit());
        if begins_word {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tokio_rustls::rustls::{ExtendedKeyPurpose, PeerIncompatible};

    #[rstest]
    #[case(CertificateError::BadEncoding, "no X.509 certificate")]
    #[case(CertificateError::Revoked, "it has been revoked")]
    #[case(CertificateError::BadSignature, "its signature, or that of one above it, is wrong")]
    #[case(
        CertificateError::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: Vec::new() },
        "its extendedKeyUsage lacks server authentication"
    )]
    fn certificate_errors_are_in_words(#[case] error: CertificateError, #[case] expected: &str) {
        let text = of_certificate(&error);
        assert!(text.contains(expected) && !text.contains(&format!("{error:?}")), "{text}");
    }

    #[test]
    fn a_variant_without_a_text_of_its_own_is_shown_as_words() {
        assert_eq!(words("ExtensionValueInvalid"), "extension value invalid");
        assert_eq!(words("TrailingData(Certificate)"), "trailing data");
        assert_eq!(of_name("SomethingNew { of: 1 }"), "something new");
        let incompatible = Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon);
        assert_eq!(of_error(&incompatible), "the peer's TLS does not fit: no cipher suites in common");
        let io = io::Error::new(io::ErrorKind::InvalidData, incompatible);
        assert_eq!(of_io(&io), "the peer's TLS does not fit: no cipher suites in common");
        assert_eq!(of_io(&io::Error::other("broken pipe")), "broken pipe");
        assert_eq!(of_alert(AlertDescription::InternalError), "the peer ended TLS: internal error");
    }
}
