//! The application of `docs/signed.md`.

use hashloom::Blockchain;
use hashloom::signed::Signed;

use crate::kit::{NOW, genesis, key, mine, refused, spec};

include!("take.rs");

#[test]
fn the_page_shows_the_application_of_this_test() {
    let page = include_str!("../../docs/signed.md");
    assert!(page.contains(concat!("```rust\n", include_str!("take.rs"), "```")));
}

#[test]
fn a_name_is_of_its_first_owner() {
    let mut chain = Blockchain::<Signed<Take>>::new(spec("names"));
    let genesis = genesis(&chain);
    let take =
        |author, sequence| Signed::sign(Take("alice".to_owned()), sequence, &key(author), &genesis).unwrap();
    mine(&mut chain, vec![take(1, 0), take(1, 1)]);
    assert_eq!(refused(&chain.template(vec![take(2, 0)], NOW).unwrap_err()), (0, "taken"));
    let unsigned = Blockchain::<Take>::new(spec("names"));
    let error = unsigned.template(vec![Take("alice".to_owned())], NOW).unwrap_err();
    assert_eq!(refused(&error), (0, "unsigned"));
}
