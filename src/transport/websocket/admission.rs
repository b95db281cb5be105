//! Limits concurrent handshakes per network address, and checks the origins of web pages.

use core::net::IpAddr;
use std::collections::BTreeMap;

use tokio::task::AbortHandle;
use tungstenite::http::HeaderMap;

use crate::protocol::host::network;

/// The handshakes in progress. A new handshake is never refused: if the limit is reached, the oldest
/// handshake of the source with the most is aborted. A source with one handshake loses it to another source
/// only if all handshakes are of different sources and a new source arrives.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    limit_per_source: usize,
    /// From the oldest to the newest.
    taken: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    /// An IPv4 address, or the /64 network of an IPv6 address.
    source: IpAddr,
    handshake: AbortHandle,
}

impl Places {
    /// Permits `limit` handshakes, and `limit_per_source` for each source; at least one of each.
    pub(super) fn new(limit: usize, limit_per_source: usize) -> Self {
        Self { limit: limit.max(1), limit_per_source: limit_per_source.max(1), taken: Vec::new() }
    }

    /// Registers a new handshake, and aborts an older one if a limit is exceeded.
    pub(super) fn take(&mut self, address: IpAddr, handshake: AbortHandle) {
        self.taken.retain(|place| !place.handshake.is_finished());
        let source = network(address);
        self.taken.push(Place { source, handshake });
        let of_source = self.taken.iter().filter(|place| place.source == source).count();
        let crowded = if of_source > self.limit_per_source {
            Some(source)
        } else if self.taken.len() > self.limit {
            self.most_crowded()
        } else {
            None
        };
        let oldest = crowded.and_then(|source| self.taken.iter().position(|place| place.source == source));
        if let Some(oldest) = oldest {
            self.taken.remove(oldest).handshake.abort();
        }
    }

    /// The source with the most handshakes; among equals the one with the oldest handshake.
    fn most_crowded(&self) -> Option<IpAddr> {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for place in &self.taken {
            *counts.entry(place.source).or_default() += 1;
        }
        let most = counts.values().max()?;
        self.taken.iter().map(|place| place.source).find(|source| counts.get(source) == Some(most))
    }
}

/// The origin of the web page for which a browser connects, unless it is in `allowed`. Peers are not browsers
/// and send no origin (RFC 6455, section 10.2).
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

    use rstest::rstest;

    /// A handshake that does not end by itself.
    fn begin(places: &mut Places, address: &str) -> AbortHandle {
        let handshake = tokio::spawn(core::future::pending::<()>()).abort_handle();
        places.take(address.parse().unwrap(), handshake.clone());
        handshake
    }

    /// Which of the handshakes are in progress.
    async fn under_way<const N: usize>(handshakes: [&AbortHandle; N]) -> [bool; N] {
        // The runtime ends an aborted task when it next schedules the task.
        tokio::task::yield_now().await;
        handshakes.map(|handshake| !handshake.is_finished())
    }

    #[tokio::test]
    async fn a_source_beyond_its_share_loses_its_oldest() {
        let mut places = Places::new(8, 2);
        let other = begin(&mut places, "10.0.0.2");
        let first = begin(&mut places, "10.0.0.1");
        let second = begin(&mut places, "::ffff:10.0.0.1");
        assert_eq!(under_way([&other, &first, &second]).await, [true; 3]);
        let third = begin(&mut places, "10.0.0.1");
        assert_eq!(under_way([&other, &first, &second, &third]).await, [true, false, true, true]);
        second.abort();
        assert_eq!(under_way([&second]).await, [false]);
        let fourth = begin(&mut places, "10.0.0.1");
        assert_eq!(under_way([&third, &fourth]).await, [true, true], "what has ended takes no place");
    }

    #[tokio::test]
    async fn an_ipv6_network_is_one_source() {
        let mut places = Places::new(8, 1);
        let first = begin(&mut places, "2001:db8::1");
        let neighbour = begin(&mut places, "2001:db8:0:1::1");
        let second = begin(&mut places, "2001:db8::ffff:2");
        assert_eq!(under_way([&first, &neighbour, &second]).await, [false, true, true]);
    }

    #[tokio::test]
    async fn a_newcomer_takes_the_oldest_place_of_the_most_crowded_source() {
        let mut places = Places::new(4, 3);
        let honest = begin(&mut places, "10.0.0.9");
        let few = begin(&mut places, "10.0.0.2");
        let [first, second] = [(); 2].map(|()| begin(&mut places, "10.0.0.1"));
        let newcomer = begin(&mut places, "10.0.0.3");
        assert_eq!(
            under_way([&honest, &few, &first, &second, &newcomer]).await,
            [true, true, false, true, true]
        );
        let alone = begin(&mut places, "10.0.0.4");
        assert_eq!(
            under_way([&honest, &few, &second, &newcomer, &alone]).await,
            [false, true, true, true, true]
        );
    }

    /// The guarantee of the threat model: if there are fewer sources than places, no source loses its only
    /// handshake.
    #[rstest]
    #[case(1)]
    #[case(4)]
    #[case(30)]
    #[tokio::test]
    async fn fewer_sources_than_places_keep_nobody_out(#[case] attackers: u32) {
        let mut places = Places::new(32, 8);
        let flood = |places: &mut Places| {
            for round in 0..40 {
                for attacker in 0..attackers {
                    // In a different order each time.
                    let attacker = (attacker * 7 + round) % attackers;
                    begin(places, &format!("10.1.0.{attacker}"));
                }
            }
        };
        flood(&mut places);
        let honest = begin(&mut places, "192.0.2.1");
        flood(&mut places);
        assert_eq!(under_way([&honest]).await, [true]);
        assert_eq!(places.taken.len(), 32.min(attackers as usize * 8 + 1));
    }

    /// With more sources than places, a handshake lasts until each other place was taken by a new one.
    #[tokio::test]
    async fn many_sources_have_to_fill_all_places_anew() {
        let mut places = Places::new(32, 8);
        let mut attackers = (0..=u8::MAX).map(|attacker| format!("10.1.0.{attacker}"));
        for attacker in attackers.by_ref().take(64) {
            begin(&mut places, &attacker);
        }
        let honest = begin(&mut places, "192.0.2.1");
        for attacker in attackers.by_ref().take(31) {
            begin(&mut places, &attacker);
        }
        assert_eq!(under_way([&honest]).await, [true]);
        begin(&mut places, &attackers.next().unwrap());
        assert_eq!(under_way([&honest]).await, [false]);
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
