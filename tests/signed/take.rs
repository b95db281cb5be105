use hashloom::primitives::PublicKey;
use hashloom::{AuthenticatedMap, Context, Hash, Rejected, Transaction};
use serde::{Deserialize, Serialize};

/// Takes a name, which belongs to the author who took it first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Take(String);

impl Transaction for Take {
    type State = AuthenticatedMap<String, PublicKey>;

    fn apply(&self, names: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        // `Node<Take>` refuses the transaction here, `Node<Signed<Take>>` has the author.
        let author = context.require_author()?;
        names.update(self.0.clone(), |owner| match owner {
            Some(owner) if *owner != author.key => Err(Rejected::new("taken", format!("by {owner}"))),
            _ => Ok(Some(author.key)),
        })
    }

    fn state_root(names: &Self::State) -> Hash {
        names.root()
    }
}
