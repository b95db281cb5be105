//! Checkpoints: the text form, and the heads of a chain.

use hashloom::evidence::{Checkpoint, CheckpointError, IssueError, NoteSigner, OriginError, SignedNote};
use hashloom::primitives::merkle;
use hashloom::{Blockchain, ChainSpec, CompactTarget, Hash, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

/// The root of the tree without leaves, SHA-256 of nothing.
const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
/// 32 bytes of zero.
const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The origin, the size and the extension lines of a text.
#[rstest]
#[case::example_of_the_specification(
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    "example.com/behind-the-sofa", 20_852_163, &[]
)]
#[case::empty_tree(&format!("a\n0\n{EMPTY}\n"), "a", 0, &[])]
#[case::one(&format!("a\n1\n{ZERO}\n"), "a", 1, &[])]
#[case::largest(&format!("a\n18446744073709551615\n{ZERO}\n"), "a", u64::MAX, &[])]
#[case::origin_of_go(&format!("go.sum database tree\n1\n{ZERO}\n"), "go.sum database tree", 1, &[])]
#[case::plus(&format!("a+b\n1\n{ZERO}\n"), "a+b", 1, &[])]
#[case::space(&format!(" \n1\n{ZERO}\n"), " ", 1, &[])]
#[case::not_ascii(&format!("\u{fc}\u{85}\u{7f}\n1\n{ZERO}\n"), "\u{fc}\u{85}\u{7f}", 1, &[])]
#[case::longest_origin(&format!("{}\n1\n{ZERO}\n", "a".repeat(255)), &"a".repeat(255), 1, &[])]
#[case::longest_origin_in_utf_8(
    &format!("{}a\n1\n{ZERO}\n", "\u{e9}".repeat(127)), &format!("{}a", "\u{e9}".repeat(127)), 1, &[]
)]
#[case::extension(&format!("a\n1\n{ZERO}\nextension\n"), "a", 1, &["extension"])]
#[case::extensions(&format!("a\n1\n{ZERO}\n \n+\n\u{2014} a AAAAAQA=\n"), "a", 1, &[" ", "+", "\u{2014} a AAAAAQA="])]
fn text_that_is_accepted(
    #[case] text: &str,
    #[case] origin: &str,
    #[case] size: u64,
    #[case] extensions: &[&str],
) {
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), (origin, size));
    assert_eq!(checkpoint.extensions().collect::<Vec<_>>(), extensions);
    assert_eq!(checkpoint.to_string(), text);
    let plain = Checkpoint::new(origin, size, checkpoint.root()).unwrap();
    assert_eq!(plain == checkpoint, extensions.is_empty());

    let signer = NoteSigner::from_seed("log.example", &[1; 32]).unwrap();
    let note = SignedNote::sign(text, &signer).unwrap();
    assert_eq!(note.verify([&signer.verifier()]).unwrap().text.parse(), Ok(checkpoint));
}

#[rstest]
#[case::empty("", CheckpointError::MissingLine { line: 1 })]
#[case::origin_alone("a\n", CheckpointError::MissingLine { line: 2 })]
#[case::no_root("a\n1\n", CheckpointError::MissingLine { line: 3 })]
#[case::no_newline_after_the_origin("a", CheckpointError::NoFinalNewline { line: 1 })]
#[case::no_newline_after_the_size("a\n1", CheckpointError::NoFinalNewline { line: 2 })]
#[case::no_newline_after_the_root(&format!("a\n1\n{ZERO}"), CheckpointError::NoFinalNewline { line: 3 })]
#[case::no_newline_at_the_end(&format!("a\n1\n{ZERO}\nb\nc"), CheckpointError::NoFinalNewline { line: 5 })]
#[case::empty_origin(&format!("\n1\n{ZERO}\n"), CheckpointError::Origin(OriginError::Empty))]
#[case::long_origin(
    &format!("{}\n1\n{ZERO}\n", "a".repeat(256)),
    CheckpointError::Origin(OriginError::TooLong { got: 256 })
)]
#[case::long_origin_in_utf_8(
    &format!("{}\n1\n{ZERO}\n", "\u{e9}".repeat(128)),
    CheckpointError::Origin(OriginError::TooLong { got: 256 })
)]
#[case::control_character_in_the_origin(
    &format!("a\t\n1\n{ZERO}\n"),
    CheckpointError::Origin(OriginError::ControlCharacter { got: '\t' })
)]
#[case::carriage_returns(
    &format!("a\r\n1\r\n{ZERO}\r\n"),
    CheckpointError::Origin(OriginError::ControlCharacter { got: '\r' })
)]
#[case::empty_extension(&format!("a\n1\n{ZERO}\n\n"), CheckpointError::EmptyExtension { line: 4 })]
#[case::empty_extension_later(&format!("a\n1\n{ZERO}\nb\n\nc\n"), CheckpointError::EmptyExtension { line: 5 })]
#[case::control_character_in_an_extension(
    &format!("a\n1\n{ZERO}\nb\nc\u{1f}\n"),
    CheckpointError::ControlCharacter { line: 5, got: '\u{1f}' }
)]
#[case::empty_tree_with_another_root(
    &format!("a\n0\n{ZERO}\n"),
    CheckpointError::EmptyTree { got: Hash::ZERO, expected: merkle::root(&[]) }
)]
fn text_that_is_refused(#[case] text: &str, #[case] expected: CheckpointError) {
    assert_eq!(text.parse::<Checkpoint>(), Err(expected));
}

#[rstest]
#[case::empty("")]
#[case::leading_zero("01")]
#[case::zeros("00")]
#[case::plus("+1")]
#[case::minus("-1")]
#[case::minus_zero("-0")]
#[case::space_before(" 1")]
#[case::space_after("1 ")]
#[case::hex("0x1")]
#[case::fraction("1.0")]
#[case::exponent("1e3")]
#[case::separators("1_000")]
#[case::other_digits("\u{661}")]
#[case::too_large("18446744073709551616")]
#[case::carriage_return("1\r")]
fn size_that_is_refused(#[case] size: &str) {
    let refused = format!("a\n{size}\n{ZERO}\n").parse::<Checkpoint>();
    assert_eq!(refused, Err(CheckpointError::Size { got: size.to_owned() }));
}

#[rstest]
#[case::empty("")]
#[case::hex("0000000000000000000000000000000000000000000000000000000000000000")]
#[case::byte_too_short("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")]
#[case::byte_too_long("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
#[case::no_padding("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
#[case::bits_behind_the_last_byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=")]
#[case::base64_for_urls("CsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=")]
#[case::space_before(" AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
#[case::space_after("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ")]
fn root_that_is_refused(#[case] root: &str) {
    let refused = format!("a\n1\n{root}\n").parse::<Checkpoint>();
    assert_eq!(refused, Err(CheckpointError::Root { got: root.to_owned() }));
}

#[test]
fn errors_quote_the_start_of_a_line() {
    let (long, quoted) = ("\u{fc}".repeat(2_000), "\u{fc}".repeat(80));
    let refused = format!("a\n{long}\n{ZERO}\n").parse::<Checkpoint>();
    assert_eq!(refused, Err(CheckpointError::Size { got: quoted.clone() }));
    let refused = format!("a\n1\n{long}\n").parse::<Checkpoint>();
    assert_eq!(refused, Err(CheckpointError::Root { got: quoted }));
}

#[test]
fn longest_text() {
    let start = format!("a\n1\n{ZERO}\n");
    let extension = "b".repeat(Checkpoint::MAX_BYTES - start.len() - 1);
    let longest: Checkpoint = format!("{start}{extension}\n").parse().unwrap();
    assert_eq!(longest.extensions().collect::<Vec<_>>(), [extension.as_str()]);
    let refused = format!("{start}{extension}b\n").parse::<Checkpoint>();
    assert_eq!(refused, Err(CheckpointError::TooLong { got: Checkpoint::MAX_BYTES + 1 }));
}

/// What is not parsed follows the same rules.
#[rstest]
#[case::origin("", 1, Hash::ZERO, CheckpointError::Origin(OriginError::Empty))]
#[case::newline("a\nb", 1, Hash::ZERO, CheckpointError::Origin(OriginError::ControlCharacter { got: '\n' }))]
#[case::long_origin(&"a".repeat(256), 1, Hash::ZERO, CheckpointError::Origin(OriginError::TooLong { got: 256 }))]
#[case::empty_tree("a", 0, Hash::ZERO, CheckpointError::EmptyTree { got: Hash::ZERO, expected: merkle::root(&[]) })]
fn head_that_is_refused(
    #[case] origin: &str,
    #[case] size: u64,
    #[case] root: Hash,
    #[case] expected: CheckpointError,
) {
    assert_eq!(Checkpoint::new(origin, size, root), Err(expected));
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A chain of this name with this many blocks after the genesis block.
fn chain(name: &str, blocks: usize) -> Blockchain {
    let spec = ChainSpec::on_demand(name).easiest_target(CompactTarget::from_bits(0x207f_ffff));
    let mut chain = Blockchain::new(spec.build().unwrap());
    for number in 0..blocks {
        let block = chain.template(vec![number.to_string()], NOW).unwrap().mine().unwrap();
        assert!(chain.import(block.into(), NOW).is_ok(), "block {number}");
    }
    chain
}

/// The root of a checkpoint is that of the tree over the hashes of the blocks, computed from all of them.
#[test]
fn checkpoints_of_a_chain() {
    let chain = chain("orders", 9);
    let leaf = |height| merkle::leaf_hash(chain.block_at(height).unwrap().unwrap().hash().as_bytes());
    let leaves: Vec<_> = (0..=9).map(leaf).collect();
    for size in 0..=9_u64 {
        let root = merkle::root(&leaves[..usize::try_from(size).unwrap()]);
        let checkpoint = Checkpoint::of_chain(&chain, size, "log.example").unwrap();
        assert_eq!(checkpoint, Checkpoint::new("log.example", size, root).unwrap());
    }
    for size in [10, 11, u64::MAX] {
        let refused = Checkpoint::of_chain(&chain, size, "log.example");
        assert_eq!(refused, Err(IssueError::AboveTip { size, height: 9 }));
    }
    let refused = Checkpoint::of_chain(&chain, 3, "a\nb");
    assert_eq!(refused, Err(IssueError::Origin(OriginError::ControlCharacter { got: '\n' })));
}

/// The default origin can also be the name of the log's key, whatever the name of the chain.
#[rstest]
#[case("orders", "orders")]
#[case("Vereinschronik \u{dc}bersee", "Vereinschronik-\u{dc}bersee")]
#[case(" a+b\u{a0}\u{3000}/", "-a-b--/")]
#[case(&"\u{fc}".repeat(32), &"\u{fc}".repeat(32))]
fn default_origin(#[case] name: &str, #[case] expected: &str) {
    let chain = chain(name, 0);
    let origin = Checkpoint::default_origin(&chain);
    assert_eq!(origin, format!("{expected}/{}", chain.genesis().hash()));
    assert_eq!(Checkpoint::of_chain(&chain, 0, &*origin).unwrap().origin(), origin);
    assert_eq!(NoteSigner::from_seed(&origin, &[1; 32]).unwrap().name(), origin);
}

/// A line that a checkpoint can have.
fn line(max: usize) -> impl Strategy<Value = String> {
    let character = proptest::char::range(' ', char::MAX);
    proptest::collection::vec(character, 1..max).prop_map(|characters| characters.into_iter().collect())
}

pub(crate) fn any_checkpoint() -> impl Strategy<Value = Checkpoint> {
    (line(60), any::<u64>(), any::<[u8; 32]>(), proptest::collection::vec(line(20), 0..3)).prop_map(
        |(origin, size, root, extensions)| {
            let plain = Checkpoint::new(origin, size.max(1), Hash::from_bytes(root)).unwrap();
            let text = extensions.iter().fold(plain.to_string(), |text, line| text + line + "\n");
            text.parse().unwrap()
        },
    )
}

proptest! {
    #[test]
    fn any_checkpoint_round_trips(checkpoint in any_checkpoint()) {
        prop_assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }

    /// Whatever parses is written as it was read.
    #[test]
    fn any_text(text in "[a \\u{1}\n]{0,3}\n?[0-9+-]{1,3}\n(A{42}[A-D][=A])?\n?[a\n]{0,5}") {
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }
}
