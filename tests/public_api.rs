//! Prints the public interface of the crate, one item in a line, from the JSON that rustdoc writes.
//! `docs/public-api.txt` has the output, so that a change of the interface is seen in review.

use std::env;

use public_api::Builder;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).ok_or_else(|| anyhow::anyhow!("usage: public_api <rustdoc JSON>"))?;
    let interface = Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    for item in interface.items() {
        println!("{item}");
    }
    Ok(())
}
