//! Protects a node, which trusts every client that reaches it, from web pages: by the `Host` and `Origin`
//! headers, which a browser sets and a page cannot forge.

use hyper::Request;
use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

use super::cors;
use super::error::{ApiError, Code};
use super::header::{lossy, text};
use super::origin::Origin;
use crate::protocol::host::{Authority, Host};

/// Refuses a request whose `Host` is not a name of this node: with DNS rebinding, a page's own name resolves
/// to this node's address, and the browser sends that name. A request without the header passes, because
/// every browser sends it.
pub(super) fn check_host(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    for value in headers.get_all(HOST) {
        if !value.to_str().is_ok_and(|host| is_allowed(host, allowed)) {
            let message = format!(
                "host {:?} is not one of this node's: use an IP address or localhost, \
                 or add the name to the allowed hosts",
                lossy(value)
            );
            return Err(ApiError::new(Code::HostNotAllowed, message));
        }
    }
    Ok(())
}

/// Refuses a request from a page of another origin, unless that is listed. Only needed for methods that change something:
/// the browser does not let a page read the response to a cross-origin `GET`.
pub(super) fn check_origin(headers: &HeaderMap, origins: &[Origin]) -> Result<(), ApiError> {
    let Some(origin) = text(headers, &ORIGIN) else { return Ok(()) };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let same = authority.zip(text(headers, &HOST)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(&b));
    if same || cors::listed(origins, headers).is_some() {
        return Ok(());
    }
    let message = format!(
        "origin {origin:?} may not change anything here: add it to the allowed origins if it is trusted"
    );
    Err(ApiError::new(Code::CrossOrigin, message))
}

/// Replaces the `Host` header by the authority of an absolute URI (RFC 9112, section 3.2.2).
pub(super) fn adopt_authority<B>(request: &mut Request<B>) {
    if let Some(authority) = authority(request) {
        request.headers_mut().insert(HOST, authority);
    }
}

/// Adds the authority of an absolute URI to the `Host` headers, all of which are checked. It does not replace them: an
/// application that removes a prefix from a path may make an absolute URI of the path `/prefixhttp://localhost/`.
pub(super) fn check_authority_too<B>(request: &mut Request<B>) {
    if let Some(authority) = authority(request) {
        request.headers_mut().append(HOST, authority);
    }
}

fn authority<B>(request: &Request<B>) -> Option<HeaderValue> {
    HeaderValue::from_str(request.uri().authority()?.as_str()).ok()
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    match Authority::parse(host).map(|authority| authority.host) {
        Ok(Host::Ip(_)) => true,
        Ok(Host::Name(name)) => {
            name.eq_ignore_ascii_case("localhost")
                || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
        }
        Ok(Host::Numeric(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("localhost", true)]
    #[case("LOCALHOST:3001", true)]
    #[case("127.0.0.1:3001", true)]
    #[case("192.168.1.7", true)]
    #[case("[::1]:3001", true)]
    #[case("[::1]", true)]
    #[case("node.example:3001", true)]
    #[case("Node.Example", true)]
    #[case("", false)]
    #[case("::1", false)]
    #[case("[localhost]", false)]
    #[case("[::1", false)]
    #[case("127.1", false)]
    #[case("0x7f.1:3001", false)]
    #[case("node.example.", true)]
    #[case("[::1]evil.example", false)]
    #[case("127.0.0.1:http", false)]
    #[case("127.0.0.1.evil.example", false)]
    #[case("localhost.evil.example:3001", false)]
    #[case("evil.example", false)]
    fn hosts(#[case] host: &str, #[case] allowed: bool) {
        assert_eq!(is_allowed(host, &["node.example".to_owned()]), allowed);
    }
}
