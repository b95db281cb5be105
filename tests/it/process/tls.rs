//! Nodes with TLS as processes: the effect of the TLS options, and the errors for mistakes in them.

use rstest::rstest;

use super::program::Start;
#[cfg(feature = "tls")]
use super::program::{Program, assert_equal_blocks};
#[cfg(feature = "tls")]
use crate::authority::{Authority, Identity};

#[cfg(feature = "tls")]
fn file(start: &Start, name: &str, text: &str) -> String {
    let path = start.directory().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A node with a certificate, configured as an operator would do it.
#[cfg(feature = "tls")]
fn party(authority: &Authority, identity: &Identity, secret: &str, peers: &[&Start]) -> Start {
    let mut start = Start::new("json");
    start.peers =
        peers.iter().map(|peer| format!("wss://127.0.0.1:{}", peer.p2p)).collect::<Vec<_>>().join(",");
    let [cert, key, ca, secret] = [
        file(&start, "cert.pem", &identity.chain),
        file(&start, "key.pem", &identity.key),
        file(&start, "ca.pem", &authority.pem()),
        file(&start, "secret", secret),
    ];
    start.with("TLS_CERT", cert).with("TLS_KEY", key).with("TLS_CA", ca).with("PEER_SECRET_FILE", secret)
}

#[cfg(feature = "tls")]
async fn has_logged(node: &Program, text: &str) {
    crate::kit::until(|| std::fs::read_to_string(node.start.log()).unwrap().contains(text)).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn three_parties_keep_one_chain_without_a_fourth() {
    let authority = Authority::new("parties");
    let identities = [authority.identity(), authority.identity(), authority.identity()];
    let allow = identities.each_ref().map(|identity| identity.fingerprint.to_string()).join(",");
    let secret = "a secret of all parties\n";
    let first = party(&authority, &identities[0], secret, &[]).with("TLS_ALLOW", allow.as_str());
    let second = party(&authority, &identities[1], secret, &[&first]).with("TLS_ALLOW", allow.as_str());
    let third = party(&authority, &identities[2], secret, &[&first, &second]).with("TLS_REQUIRE", "true");
    let stranger = party(&authority, &authority.identity(), secret, &[&first]);
    let careless = party(&authority, &identities[2], "a secret of somebody else", &[&third]);
    let first = first.run().await;
    let second = second.run().await;
    let third = third.run().await;
    third.has_peers(2).await;
    for (miner, data) in [(&first, "of the first"), (&third, "of the third")] {
        let block = miner.mine(data).await;
        assert_equal_blocks(&[&first, &second, &third], &block).await;
    }

    let stranger = stranger.run().await;
    has_logged(&stranger, "this node does not take peers with your certificate").await;
    has_logged(&first, "is not among those that are allowed").await;
    let careless = careless.run().await;
    has_logged(&careless, "this node takes peers only that prove to have its secret").await;
    has_logged(&third, "does not prove that it has the shared secret").await;
    first.has_peers(2).await;
    assert_eq!(first.get("/status").await["height"], 2);
    assert_eq!(stranger.get("/status").await["height"], 0);
}

#[cfg(feature = "tls")]
#[rstest]
#[case::no_file("TLS_CA", "no-such-file.pem", "cannot read no-such-file.pem")]
#[case::no_certificate("TLS_CERT", "key.pem", "key.pem: the certificate chain holds no certificate")]
#[case::no_key("TLS_KEY", "cert.pem", "cert.pem: no private key")]
#[case::another_key("TLS_KEY", "other.pem", "does not belong to the first certificate")]
#[case::short_secret("PEER_SECRET_FILE", "short", "short: the secret has 7 bytes, at least 16 are needed")]
#[case::no_fingerprint("TLS_ALLOW", "abc", "TLS_ALLOW: \"abc\" is no fingerprint")]
#[case::plain_peer("PEERS", "ws://127.0.0.1:5001", "peers have to prove who they are")]
#[tokio::test]
async fn a_slip_in_the_options_is_one_line_on_stderr(
    #[case] variable: &'static str,
    #[case] value: &str,
    #[case] says: &str,
) {
    let authority = Authority::new("parties");
    let start = party(&authority, &authority.identity(), "a secret of all parties", &[]);
    file(&start, "other.pem", &authority.identity().key);
    file(&start, "short", "hunter2\n");
    let error = start.with(variable, value).fails(&[]).await;
    assert!(error.contains(says), "{error}");
}

#[rstest]
#[case::cert_without_key("TLS_CERT", "--tls-key")]
#[case::key_without_cert("TLS_KEY", "--tls-cert")]
#[case::secret_in_the_clear("PEER_SECRET_FILE", "--tls-cert")]
#[case::nobody_to_sign("TLS_REQUIRE", "--tls-ca")]
#[tokio::test]
async fn options_that_need_others_name_them(#[case] variable: &'static str, #[case] says: &str) {
    let refused = Start::new("json").with(variable, "true").finish(&[]).await;
    assert_eq!((refused.exit_code, refused.stderr.lines().count()), (Some(2), 1), "{refused:?}");
    assert!(refused.stderr.contains(says), "{refused:?}");
}

#[tokio::test]
async fn a_tls_peer_needs_tls_to_be_set_up() {
    let error = Start::new("json").fails(&["--peers", "wss://localhost:5001"]).await;
    assert!(error.contains("wss:// needs TLS to be set up"), "{error}");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn a_build_without_tls_does_not_pretend() {
    let error = Start::new("json").with("TLS_CA", "ca.pem").fails(&[]).await;
    assert!(error.contains("need a build with --features tls"), "{error}");
}
