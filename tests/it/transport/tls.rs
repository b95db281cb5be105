//! TLS: runs the public suite over it, and checks who is refused, by which end, and with which message.

use hashloom::protocol::Reach;
use hashloom::transport::{AddressProblem, Secret, Tls, TlsBuilder, TlsError, TlsPart, TlsProblem};
use hashloom::{Event, Node, NodeHandle};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa};

use super::*;
use crate::authority::{Authority, Identity};
use crate::kit::{easy_spec, within};

const ANY_TLS_PORT: &str = "wss://127.0.0.1:0";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

fn json(tls: TlsBuilder) -> WsJson {
    WsJson::default().with_config(WebSocketConfig::default().with_tls(tls.build().unwrap()))
}

async fn listen_tls(transport: &dyn Transport) -> (Box<dyn Listener>, PeerAddr) {
    let listener = transport.listen(&addr(ANY_TLS_PORT)).await.unwrap();
    let address = listener.local_addr().clone();
    assert!(address.as_str().starts_with("wss://127.0.0.1:"), "{address}");
    (listener, address)
}

/// The parties of a case and their configurations: by default, two nodes with certificates of one authority
/// and no further requirements.
struct Pair {
    authority: Authority,
    stranger: Authority,
    dialer: TlsBuilder,
    listener: TlsBuilder,
}

impl Pair {
    fn new() -> Self {
        let authority = Authority::new("parties");
        Self {
            dialer: authority.identity().trusting(&authority),
            listener: authority.identity().trusting(&authority),
            stranger: Authority::new("stranger"),
            authority,
        }
    }

    fn dialer(self, change: impl FnOnce(&Authority, &Authority, TlsBuilder) -> TlsBuilder) -> Self {
        Self { dialer: change(&self.authority, &self.stranger, self.dialer), ..self }
    }

    fn listener(self, change: impl FnOnce(&Authority, &Authority, TlsBuilder) -> TlsBuilder) -> Self {
        Self { listener: change(&self.authority, &self.stranger, self.listener), ..self }
    }
}

#[rstest]
#[case::certificates(Pair::new().dialer(|_, _, dialer| dialer.require_certificates()))]
#[case::secret(Pair::new().dialer(|_, _, dialer| dialer.secret(secret("a secret of all parties"))))]
#[tokio::test]
async fn suite_passes_over_tls(#[case] pair: Pair) {
    suite(&json(pair.dialer), &addr(ANY_TLS_PORT)).await;
}

#[tokio::test]
async fn suite_passes_over_tls_in_every_format() {
    let authority = Authority::new("parties");
    let tls = authority.identity().trusting(&authority).build().unwrap();
    let config = WebSocketConfig::default().with_tls(tls);
    suite(&WsBincode::default().with_config(config.clone()), &addr(ANY_TLS_PORT)).await;
    suite(&WsPostcard::default().with_config(config.clone()), &addr(ANY_TLS_PORT)).await;
    suite(&WsMulti::new(Bincode).and(Json).with_config(config), &addr("wss://localhost:0")).await;
}

/// The two reports of a failed dial: the dialer's error, and the listener's log.
async fn refusal(
    dialer: &dyn Transport,
    listener: &dyn Transport,
    address: &str,
) -> (TransportError, String) {
    let (log, _guard) = Log::collect();
    let mut listener = listener.listen(&addr(address)).await.unwrap();
    let port = listener.local_addr().as_str().rsplit_once(':').unwrap().1.to_owned();
    let scheme = if address.starts_with("wss") { "wss" } else { "ws" };
    let dialled = format!("{scheme}://127.0.0.1:{port}");
    // With the other scheme if the dialer does not support this one.
    let dialled = match dialer.check_address(&addr(&dialled)) {
        Ok(()) => addr(&dialled),
        Err(_) => addr(&format!("{}://127.0.0.1:{port}", if scheme == "ws" { "wss" } else { "ws" })),
    };
    let error =
        within(while_accepting(listener.as_mut(), dialer.dial(&dialled, Reach::ANY))).await.unwrap_err();
    let logged = within(while_accepting(listener.as_mut(), log.refusal())).await;
    assert!(error.to_string().contains(dialled.as_str()), "the error names the address: {error}");
    (error, logged)
}

#[rstest]
#[case::the_listener_s_root_is_not_trusted(
    Pair::new().listener(|parties, stranger, _| stranger.identity().trusting(parties)),
    "nobody who is trusted here has signed the peer's certificate",
    "the peer does not accept the certificate of this node, or asks for one: it does not trust the authority that signed the certificate"
)]
#[case::the_listener_s_certificate_has_expired(
    Pair::new().listener(|parties, _, _| parties.expired().trusting(parties)),
    "the peer's certificate has expired",
    "the peer does not accept the certificate of this node, or asks for one: by its clock the certificate is not valid now"
)]
#[case::the_listener_s_certificate_is_not_valid_yet(
    Pair::new().listener(|parties, _, _| parties.not_valid_yet().trusting(parties)),
    "the peer's certificate is not valid yet",
    "the peer does not accept the certificate of this node, or asks for one: by its clock the certificate is not valid now"
)]
#[case::the_listener_has_another_name(
    Pair::new().listener(|parties, _, _| {
        parties.identity_with(&["127.0.0.2", "elsewhere.example"], |_| ()).trusting(parties)
    }),
    "the peer's certificate is not for the host that was dialled",
    "the peer does not accept the certificate of this node, or asks for one: it finds the certificate not good for this use or this host"
)]
#[case::the_listener_has_the_certificate_of_an_authority(
    Pair::new().listener(|parties, _, _| {
        let of_authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parties.identity_with(&["127.0.0.1"], of_authority).trusting(parties)
    }),
    "the peer's certificate is not good: it is the certificate of an authority (basicConstraints CA:TRUE)",
    "the peer does not accept the certificate of this node, or asks for one: "
)]
#[case::the_listener_s_certificate_is_not_for_servers(
    Pair::new().listener(|parties, _, _| {
        let for_clients = |params: &mut CertificateParams| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        };
        parties.identity_with(&["127.0.0.1"], for_clients).trusting(parties)
    }),
    "the peer's certificate is not good: its extendedKeyUsage lacks server authentication",
    "the peer does not accept the certificate of this node, or asks for one: "
)]
#[case::the_listener_s_certificate_is_not_allowed(
    Pair::new().dialer(|parties, _, dialer| dialer.allow([parties.identity().fingerprint])),
    "the peer's certificate is not among those that are allowed, its fingerprint is ",
    "WebSocket handshake with"
)]
#[case::the_dialer_shows_no_certificate(
    Pair::new()
        .dialer(|parties, _, _| Tls::builder().trust(parties.pem()))
        .listener(|_, _, listener| listener.require_certificates()),
    "the peer does not accept the certificate of this node, or asks for one: it asks for a certificate",
    "the peer shows no certificate"
)]
#[case::the_dialer_s_root_is_not_trusted(
    Pair::new()
        .dialer(|parties, stranger, _| stranger.identity().trusting(parties))
        .listener(|_, _, listener| listener.require_certificates()),
    "the peer does not accept the certificate of this node, or asks for one: it does not trust the authority that signed the certificate",
    "nobody who is trusted here has signed the peer's certificate"
)]
#[case::the_dialer_s_certificate_has_expired(
    Pair::new()
        .dialer(|parties, _, _| parties.expired().trusting(parties))
        .listener(|_, _, listener| listener.require_certificates()),
    "the peer does not accept the certificate of this node, or asks for one: by its clock the certificate is not valid now",
    "the peer's certificate has expired"
)]
#[case::the_dialer_s_certificate_is_not_allowed(
    Pair::new().listener(|parties, _, listener| listener.allow([parties.identity().fingerprint])),
    "answered with HTTP status 403: \"this node does not take peers with your certificate\"",
    "the peer's certificate is not among those that are allowed, its fingerprint is "
)]
#[case::the_dialer_has_another_secret(
    Pair::new()
        .dialer(|_, _, dialer| dialer.secret(secret("a secret of strangers")))
        .listener(|_, _, listener| listener.secret(secret("a secret of all parties"))),
    "answered with HTTP status 401: \"this node takes peers only that prove to have its secret\"",
    "the peer does not prove that it has the shared secret"
)]
#[case::the_dialer_has_no_secret(
    Pair::new().listener(|_, _, listener| listener.secret(secret("a secret of all parties"))),
    "answered with HTTP status 401: \"this node takes peers only that prove to have its secret\"",
    "the peer does not prove that it has the shared secret"
)]
#[tokio::test]
async fn a_stranger_is_refused_and_both_ends_say_why(
    #[case] pair: Pair,
    #[case] dialer_says: &str,
    #[case] listener_says: &str,
) {
    let (error, logged) = refusal(&json(pair.dialer), &json(pair.listener), ANY_TLS_PORT).await;
    assert!(error.to_string().contains(dialer_says), "{error}");
    assert!(logged.contains(listener_says), "{logged}");
}

#[tokio::test]
async fn a_listener_without_the_secret_is_not_talked_to() {
    let pair = Pair::new().dialer(|_, _, dialer| dialer.secret(secret("a secret of all parties")));
    let (dialer, listener) = (json(pair.dialer), json(pair.listener));
    let (mut listener, address) = listen_tls(&listener).await;
    let dialer: &dyn Transport = &dialer;
    let (dialled, accepted) =
        within(async { tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept()) }).await;
    let error = dialled.unwrap_err();
    assert!(matches!(error, TransportError::Tls { problem: TlsProblem::NoProof, .. }), "{error}");
    let received = accepted.unwrap().split().1.recv().await;
    assert!(received.is_err(), "the connection is dropped before anything is said: {received:?}");
}

/// Reads up to the empty line at the end of an HTTP head.
async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A party with a valid certificate but without the secret is dialled by one that has the secret, and relays
/// the proof that it receives word for word.
#[tokio::test]
async fn a_proof_is_worth_nothing_to_the_one_who_gets_it() {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    let pair = Pair::new();
    let thief = pair.authority.identity();
    let chain = vec![CertificateDer::from_pem_slice(thief.chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(thief.key.as_bytes()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pair.authority.pem().as_bytes()).unwrap()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();

    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap_address = addr(&format!("wss://{}", trap.local_addr().unwrap()));
    let both = |_: &Authority, _: &Authority, tls: TlsBuilder| tls.secret(secret("a secret of all parties"));
    let pair = pair.dialer(both).listener(both);
    let (mut listener, address) = listen_tls(&json(pair.listener)).await;
    let dialer: &dyn Transport = &json(pair.dialer);
    let pass_on = async {
        let (tcp, _) = trap.accept().await.unwrap();
        let mut victim = TlsAcceptor::from(Arc::new(server)).accept(tcp).await.unwrap();
        let request = head(&mut victim).await;
        assert!(request.contains("\r\nauthorization: Hashloom proof="), "{request}");
        let tcp = TcpStream::connect(address.as_str().strip_prefix("wss://").unwrap()).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut real = TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap();
        real.write_all(request.as_bytes()).await.unwrap();
        let answer = head(&mut real).await;
        victim.write_all(answer.as_bytes()).await.unwrap();
        victim.shutdown().await.unwrap();
        answer
    };
    let theft = async { tokio::join!(dialer.dial(&trap_address, Reach::ANY), pass_on) };
    let (dialled, answer) = within(Box::pin(while_accepting(listener.as_mut(), theft))).await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(!answer.contains("authentication-info"), "{answer}");
    dialled.unwrap_err();

    // The relayed bytes are accepted from the party that may send them.
    let (dialled, accepted) =
        within(async { tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept()) }).await;
    dialled.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn certificates_that_are_allowed_are_let_in() {
    let authority = Authority::new("parties");
    let [alice, bob] = [authority.identity(), authority.identity()];
    let alice_takes = alice.trusting(&authority).allow([bob.fingerprint]);
    let bob_takes = bob.trusting(&authority).allow([alice.fingerprint]);
    let (mut listener, address) = listen_tls(&json(alice_takes)).await;
    let dialer: &dyn Transport = &json(bob_takes);
    let (dialled, accepted) =
        within(async { tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept()) }).await;
    dialled.unwrap().split().0.send(&ping(1)).await.unwrap();
    assert_eq!(accepted.unwrap().split().1.recv().await.unwrap(), Some(Message::Ping(1)));
}

#[tokio::test]
async fn plain_and_tls_find_out_that_they_do_not_match() {
    let pair = Pair::new();
    let tls = json(pair.dialer);
    let (error, logged) = refusal(&WsJson::default(), &tls, ANY_TLS_PORT).await;
    assert!(matches!(error, TransportError::TlsRequired { .. }), "{error}");
    assert!(logged.contains("the peer does not speak TLS"), "{logged}");

    // A dialer that must authenticate its peers dials with TLS only.
    let closed = json(pair.listener.require_certificates());
    let (error, logged) = refusal(&closed, &WsJson::default(), ANY_PORT).await;
    assert!(matches!(error, TransportError::Tls { problem: TlsProblem::NotTls, .. }), "{error}");
    assert!(logged.contains("speaks TLS where ws:// is listened at"), "{logged}");
}

#[tokio::test]
async fn a_plain_request_to_a_tls_port_is_answered_in_plain_words() {
    let (mut listener, address) = listen_tls(&json(Pair::new().dialer)).await;
    let mut client = TcpStream::connect(address.as_str().strip_prefix("wss://").unwrap()).await.unwrap();
    let ask = async {
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = within(while_accepting(listener.as_mut(), ask)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\n"), "{answer}");
    assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{answer}");
    assert_eq!(body, "this port speaks TLS only: dial wss://\n");
}

#[rstest]
#[case::nothing(b"")]
#[case::half_a_handshake(b"\x16\x03\x01\x02\x00\x01")]
#[tokio::test]
async fn a_peer_that_falls_silent_in_the_handshake_is_closed_at_its_deadline(#[case] first: &[u8]) {
    let pair = Pair::new();
    let config = WebSocketConfig::default()
        .with_handshake_timeout(Duration::from_millis(50))
        .with_max_pending_handshakes(1)
        .with_tls(pair.listener.build().unwrap());
    let (mut listener, address) = listen_tls(&WsJson::default().with_config(config)).await;
    let mut silent = TcpStream::connect(address.as_str().strip_prefix("wss://").unwrap()).await.unwrap();
    silent.write_all(first).await.unwrap();
    let read = within(while_accepting(listener.as_mut(), silent.read(&mut [0]))).await;
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0), "closed");
    // The slot is free again.
    let dialer: &dyn Transport = &json(pair.dialer);
    let (dialled, accepted) =
        within(async { tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept()) }).await;
    dialled.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_given_up() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = addr(&format!("wss://{}", server.local_addr().unwrap()));
    let config = WebSocketConfig::default()
        .with_handshake_timeout(Duration::from_millis(50))
        .with_tls(Pair::new().dialer.build().unwrap());
    let transport: &dyn Transport = &WsJson::default().with_config(config);
    let error = within(transport.dial(&address, Reach::ANY)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the handshake with {address} took longer than 50 ms"));
}

#[tokio::test]
async fn a_node_that_has_to_know_its_peers_uses_no_plain_address() {
    for tls in [Pair::new().dialer.require_certificates(), Pair::new().dialer.secret(secret(&"x".repeat(16)))]
    {
        let transport: &dyn Transport = &json(tls);
        for error in [
            transport.dial(&addr("ws://localhost:5001"), Reach::ANY).await.unwrap_err(),
            transport.listen(&addr(ANY_PORT)).await.unwrap_err(),
            transport.check_address(&addr("ws://localhost:5001")).unwrap_err(),
        ] {
            assert!(
                matches!(error, TransportError::BadAddress { problem: AddressProblem::Plain, .. }),
                "{error}"
            );
        }
    }
    // A transport without that requirement does.
    let transport: &dyn Transport = &json(Pair::new().dialer);
    transport.check_address(&addr("ws://localhost:5001")).unwrap();
}

#[tokio::test]
async fn a_node_without_a_certificate_dials_and_does_not_listen() {
    let pair = Pair::new().dialer(|parties, _, _| Tls::builder().trust(parties.pem()));
    let dialer: &dyn Transport = &json(pair.dialer);
    let error = dialer.listen(&addr(ANY_TLS_PORT)).await.unwrap_err();
    assert!(matches!(error, TransportError::Tls { problem: TlsProblem::NoIdentity, .. }), "{error}");
    let (mut listener, address) = listen_tls(&json(pair.listener)).await;
    let (dialled, accepted) =
        within(async { tokio::join!(dialer.dial(&address, Reach::ANY), listener.accept()) }).await;
    dialled.unwrap();
    accepted.unwrap();
}

async fn node(tls: TlsBuilder, peers: &[&NodeHandle]) -> NodeHandle {
    let peers: Vec<_> = peers.iter().map(|peer| peer.listen_addr().unwrap().clone()).collect();
    let builder =
        Node::builder(easy_spec("tls")).transport(json(tls)).listen(addr(ANY_TLS_PORT)).peers(peers);
    within(builder.start()).await.unwrap()
}

#[tokio::test]
async fn nodes_that_know_each_other_keep_one_chain() {
    let authority = Authority::new("parties");
    let party = |identity: Identity| {
        identity.trusting(&authority).require_certificates().secret(secret("a secret of all parties"))
    };
    let alice = node(party(authority.identity()), &[]).await;
    let bob = node(party(authority.identity()), &[&alice]).await;
    let carol = node(party(authority.identity()), &[&alice, &bob]).await;
    within(alice.mine(vec!["of alice".to_owned()])).await.unwrap();
    within(carol.wait_for(|chain| chain.height() == 1)).await.unwrap();
    let tip = within(carol.mine(vec!["of carol".to_owned()])).await.unwrap();
    for node in [alice, bob, carol] {
        within(node.wait_for(|chain| chain.height() == 2)).await.unwrap();
        assert_eq!(node.tip().hash(), tip.hash());
        let contents: Vec<_> = node.blocks(1..).unwrap().iter().map(|block| block.data().to_vec()).collect();
        assert_eq!(contents, [["of alice"], ["of carol"]]);
        within(node.shutdown()).await;
    }
}

#[tokio::test]
async fn a_node_that_is_refused_says_why_and_tries_again_later() {
    let authority = Authority::new("parties");
    let alice =
        node(authority.identity().trusting(&authority).secret(secret("a secret of all parties")), &[]);
    let alice = alice.await;
    let mallory = node(authority.identity().trusting(&authority).secret(secret("a guess of a secret")), &[]);
    let mallory = mallory.await;
    let mut events = mallory.subscribe();
    within(mallory.connect(alice.listen_addr().unwrap().clone())).await.unwrap();
    let mut waits = Vec::new();
    while waits.len() < 2 {
        let event = within(events.recv()).await.unwrap();
        if let Event::DialFailed { error, retry_in, .. } = event {
            assert!(error.to_string().contains("status 401"), "{error}");
            waits.push(retry_in);
        }
    }
    assert!(waits[0] <= Duration::from_millis(500) && waits[1] >= Duration::from_millis(500), "{waits:?}");
    assert_eq!(alice.status().peers, 0);
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let authority = Authority::new("parties");
    let (mine, other) = (authority.identity(), authority.identity());
    let build = |tls: TlsBuilder| tls.build().unwrap_err();
    let with_key = |key: &str| build(Tls::builder().identity(mine.chain.as_str(), key));
    let with_chain = |chain: &str| build(Tls::builder().identity(chain, mine.key.as_str()));

    assert_eq!(with_key(&other.key), TlsError::KeyMismatch);
    assert_eq!(with_key(""), TlsError::NoKey);
    assert_eq!(with_key(&mine.chain), TlsError::NoKey);
    let error = with_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(matches!(error, TlsError::BadKey { .. }), "{error}");
    assert_eq!(with_chain(&mine.key), TlsError::NoCertificate { part: TlsPart::Chain });
    let cut = &mine.chain[..mine.chain.len() / 2];
    let error = with_chain(cut);
    let cut_off = "a line with END is missing, so it is cut off".to_owned();
    assert_eq!(error, TlsError::BadPem { part: TlsPart::Chain, problem: cut_off });
    let error = build(Tls::builder().trust("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    let damaged = "it is damaged, or no X.509 certificate".to_owned();
    assert_eq!(error, TlsError::BadCertificate { part: TlsPart::Trusted, problem: damaged });
    assert_eq!(build(Tls::builder().trust("")), TlsError::NoCertificate { part: TlsPart::Trusted });
    assert_eq!(build(Tls::builder()), TlsError::NothingTrusted);
    let asking = Tls::builder().identity(mine.chain.as_str(), mine.key.as_str()).require_certificates();
    assert_eq!(build(asking), TlsError::NothingTrusted);
    let shown = format!("{:?}", Tls::builder().identity(mine.chain.as_str(), mine.key.as_str()));
    assert!(shown.contains("hidden") && !shown.contains("PRIVATE"), "{shown}");
}
