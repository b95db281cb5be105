//! Who may begin a handshake, and who may finish it: places for each network address, and the origins of web pages.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::http::HeaderMap;

/// The places in handshakes that network addresses take up.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    /// Each place is a clone, so that it is given up however its handshake ends.
    taken: BTreeMap<IpAddr, Arc<()>>,
}

/// A handshake's place, for as long as it is kept.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "counted, not read")] Arc<()>);

impl Places {
    /// At most `limit` places for one address, and at least one.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit: if limit == 0 { 1 } else { limit }, taken: BTreeMap::new() }
    }

    /// A place for an address, if it may have one more.
    pub(super) fn take(&mut self, address: IpAddr) -> Option<Place> {
        self.taken.retain(|_, places| Arc::strong_count(places) > 1);
        let places = self.taken.entry(address.to_canonical()).or_default();
        (Arc::strong_count(places) <= self.limit).then(|| Place(Arc::clone(places)))
    }
}

/// The origin of the web page that a browser connects for, where that is not one of `allowed`. Peers are not
/// browsers and name none (RFC 6455, section 10.2).
pub(super) fn foreign_origin(headers: &HeaderMap, allowed: &[String]) -> Option<String> {
    let mut origins = headers.get_all("Origin").iter();
    let is_foreign =
        |origin: &[u8]| !allowed.iter().any(|known| origin.eq_ignore_ascii_case(known.as_bytes()));
    let foreign = origins.find(|origin| is_foreign(origin.as_bytes()))?;
    Some(String::from_utf8_lossy(foreign.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_of_places_and_gets_them_back() {
        let [one, other]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let mut places = Places::new(2);
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(places.take(one).is_none());
        assert!(places.take("::ffff:10.0.0.1".parse().unwrap()).is_none(), "the same host by way of IPv6");
        let _third = places.take(other).unwrap();
        drop(first);
        let _fourth = places.take(one).unwrap();
        assert!(places.take(one).is_none());
        assert_eq!(places.taken.len(), 2);
    }

    #[test]
    fn addresses_without_a_place_are_forgotten() {
        let mut places = Places::new(1);
        for host in 0..=255 {
            drop(places.take([10, 0, 0, host].into()).unwrap());
        }
        assert_eq!(places.taken.len(), 1);
    }

    #[test]
    fn an_origin_has_to_be_allowed_whatever_stands_beside_it() {
        let allowed = ["https://Wallet.example".to_owned()];
        let mut headers = HeaderMap::new();
        assert_eq!(foreign_origin(&headers, &allowed), None);
        headers.append("Origin", "https://wallet.example".parse().unwrap());
        assert_eq!(foreign_origin(&headers, &allowed), None);
        assert_eq!(foreign_origin(&headers, &[]).as_deref(), Some("https://wallet.example"));
        headers.append("Origin", "null".parse().unwrap());
        assert_eq!(foreign_origin(&headers, &allowed).as_deref(), Some("null"));
    }
}
