//! Addresses as text: their checksum, and what is refused.

use std::path::PathBuf;
use std::{env, fs};

use hashloom::Address;
use hashloom::ledger::{AddressError, AddressPrefix, PrefixError};
use proptest::prelude::*;
use rstest::rstest;

use crate::kit::account;

/// The characters of the data part, in the order of their values.
const CHARACTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn coin() -> AddressPrefix {
    AddressPrefix::new("coin").unwrap()
}

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/addresses.txt")
}

#[test]
fn addresses_are_frozen() {
    let mut lines = vec!["# an address in hex, a prefix, and the text with it".to_owned()];
    for address in [Address::ZERO, Address::from_bytes([0xff; 20]), account(1), account(2)] {
        for prefix in ["coin", "c"] {
            let text = AddressPrefix::new(prefix).unwrap().encode(&address);
            lines.push(format!("{address} {prefix} {text}"));
        }
    }
    let today = lines.join("\n") + "\n";
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(golden(), &today).unwrap();
    }
    let frozen = fs::read_to_string(golden()).unwrap_or_default();
    assert_eq!(today, frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test ledger address");
}

#[test]
fn each_single_wrong_character_is_noticed() {
    let text = coin().encode(&account(1));
    let start = "coin1".len();
    let mut tried = 0;
    for at in start..text.len() {
        for wrong in CHARACTERS.chars().filter(|wrong| !text[at..].starts_with(*wrong)) {
            let typo = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
            assert_eq!(coin().decode(&typo), Err(AddressError::Checksum), "{typo}");
            tried += 1;
        }
    }
    assert_eq!(tried, 38 * 31);
    for wrong in 'a'..='z' {
        for at in (0..start - 1).filter(|at| !text[*at..].starts_with(wrong)) {
            let typo = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
            assert_eq!(coin().decode(&typo), Err(AddressError::Checksum), "{typo}");
        }
    }
}

#[test]
fn missing_doubled_and_swapped_characters_are_noticed() {
    let text = coin().encode(&account(1));
    for at in "coin1".len()..text.len() {
        let missing = format!("{}{}", &text[..at], &text[at + 1..]);
        assert_eq!(coin().decode(&missing), Err(AddressError::Checksum), "{missing}");
        let doubled = format!("{}{}", &text[..=at], &text[at..]);
        assert_eq!(coin().decode(&doubled), Err(AddressError::Checksum), "{doubled}");
    }
    for at in "coin1".len()..text.len() - 1 {
        let (left, right) = (&text[at..=at], &text[at + 1..at + 2]);
        let swapped = format!("{}{right}{left}{}", &text[..at], &text[at + 2..]);
        assert_eq!(coin().decode(&swapped).is_ok(), left == right, "{swapped}");
    }
}

#[test]
fn each_mistake_has_its_error() {
    let text = coin().encode(&account(1));
    assert_eq!(coin().decode(&text.to_uppercase()), Ok(account(1)));
    assert_eq!(coin().decode(&text.replace("coin", "Coin")), Err(AddressError::MixedCase));
    assert_eq!(coin().decode(&text.replacen('m', "M", 1)), Err(AddressError::MixedCase));

    let prefix = |got: &str| AddressError::Prefix { got: got.to_owned(), expected: "coin".to_owned() };
    let tin = AddressPrefix::new("tin").unwrap().encode(&account(1));
    assert_eq!(coin().decode(&tin), Err(prefix("tin")));
    assert_eq!(coin().decode(&tin.to_uppercase()), Err(prefix("tin")));

    assert_eq!(coin().decode(""), Err(AddressError::NoPrefix));
    assert_eq!(coin().decode(&text[5..]), Err(AddressError::NoPrefix));
    assert_eq!(coin().decode(&text[4..]), Err(AddressError::NoPrefix));
    assert_eq!(coin().decode("coin1"), Err(AddressError::Checksum));
    // Its last 1 is taken for the end of a prefix.
    assert_eq!(coin().decode(&account(1).to_string()), Err(AddressError::Checksum));
    let character = |at, got| Err(AddressError::Character { at, got });
    assert_eq!(coin().decode(&format!("{text} ")), character(text.len(), ' '));
    assert_eq!(coin().decode(&format!("{}ü{}", &text[..9], &text[10..])), character(9, 'ü'));
    assert_eq!(coin().decode(&format!("{}b{}", &text[..9], &text[10..])), character(9, 'b'));
}

/// The length is that of 20 bytes, whatever the checksum says: with the texts of a library that has no such rule.
#[rstest]
#[case(0, 0)]
#[case(19, 31)]
#[case(21, 34)]
#[case(32, 52)]
fn other_lengths_are_refused(#[case] bytes: usize, #[case] got: usize) {
    let text =
        bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("coin").unwrap(), &vec![7; bytes]).unwrap();
    assert_eq!(coin().decode(&text), Err(AddressError::Length { got, expected: 32 }));
}

/// The valid texts of BIP 350 have a checksum that holds, so it is the prefix that is refused.
#[rstest]
#[case("A1LQFN3A", "a")]
#[case("a1lqfn3a", "a")]
#[case(
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1"
)]
#[case("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", "abcdef")]
#[case("11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8", "1")]
#[case("split1checkupstagehandshakeupstreamerranterredcaperredlc445v", "split")]
#[case("?1v759aa", "?")]
fn valid_texts_of_bip_350(#[case] text: &str, #[case] got: &str) {
    let refused = AddressError::Prefix { got: got.to_owned(), expected: "coin".to_owned() };
    assert_eq!(coin().decode(text), Err(refused));
}

/// The invalid texts of BIP 350, and a valid one of BIP 173.
#[rstest]
#[case("\u{20}1xj0phk", AddressError::NoPrefix)]
#[case("\u{7f}1g6xzxy", AddressError::NoPrefix)]
#[case("\u{80}1vctc34", AddressError::NoPrefix)]
#[case("qyrz8wqd2c9m", AddressError::NoPrefix)]
#[case("1qyrz8wqd2c9m", AddressError::NoPrefix)]
#[case("y1b0jsk6g", AddressError::Character { at: 2, got: 'b' })]
#[case("lt1igcx5c0", AddressError::Character { at: 3, got: 'i' })]
#[case("in1muywd", AddressError::Checksum)]
#[case("mm1crxm3i", AddressError::Character { at: 8, got: 'i' })]
#[case("au1s5cgom", AddressError::Character { at: 7, got: 'o' })]
#[case("M1VUXWEZ", AddressError::Checksum)]
#[case("16plkw9", AddressError::NoPrefix)]
#[case("1p2gdwpf", AddressError::NoPrefix)]
#[case("a12uel5l", AddressError::Bech32)]
fn invalid_texts_of_bip_350(#[case] text: &str, #[case] expected: AddressError) {
    assert_eq!(coin().decode(text), Err(expected));
}

#[test]
fn a_prefix_has_letters_and_leaves_room_for_the_address() {
    let longest = "a".repeat(AddressPrefix::MAX_LEN);
    let prefix = AddressPrefix::new(&longest).unwrap();
    let text = prefix.encode(&account(1));
    assert_eq!(text.len(), 90);
    assert_eq!(prefix.decode(&text), Ok(account(1)));
    assert_eq!(AddressPrefix::new(&format!("{longest}a")), Err(PrefixError::Length { got: 52 }));
    assert_eq!(AddressPrefix::new(""), Err(PrefixError::Length { got: 0 }));
    for got in ['C', '1', ' ', 'ä', '\0'] {
        assert_eq!(AddressPrefix::new(&format!("coin{got}")), Err(PrefixError::Character { got }));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(bytes in any::<[u8; 20]>(), prefix in "[a-z]{1,51}") {
        let prefix = AddressPrefix::new(&prefix).unwrap();
        let address = Address::from_bytes(bytes);
        let text = prefix.encode(&address);
        prop_assert_eq!(prefix.decode(&text), Ok(address));
        prop_assert_eq!(prefix.decode(&text.to_uppercase()), Ok(address));
    }

    #[test]
    fn what_is_read_is_written(text in "(coin1)?[ -~]{0,50}|coin1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{38}") {
        if let Ok(address) = coin().decode(&text) {
            prop_assert_eq!(coin().encode(&address), text.to_lowercase());
        }
    }

    #[test]
    fn up_to_four_wrong_characters_are_noticed(
        bytes in any::<[u8; 20]>(),
        wrong in prop::collection::btree_map(5_usize..43, 1_usize..32, 1..=4),
    ) {
        let mut text: Vec<char> = coin().encode(&Address::from_bytes(bytes)).chars().collect();
        for (at, by) in wrong {
            let value = CHARACTERS.chars().position(|c| c == text[at]).unwrap();
            text[at] = CHARACTERS.chars().nth((value + by) % 32).unwrap();
        }
        let text: String = text.into_iter().collect();
        prop_assert_eq!(coin().decode(&text), Err(AddressError::Checksum));
    }
}
