use hashloom::{Address, AuthenticatedMap, Context, Hash, Rejected, Transaction};
use serde::{Deserialize, Serialize};

/// Moves an amount from one account to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pay {
    from: Address,
    to: Address,
    amount: u64,
}

impl Transaction for Pay {
    type State = AuthenticatedMap<Address, u64>;

    fn apply(&self, balances: &mut Self::State, _context: &Context<'_>) -> Result<(), Rejected> {
        balances.update(self.from, |balance| {
            let rest = balance.copied().unwrap_or(0).checked_sub(self.amount);
            let rest = rest.ok_or_else(|| Rejected::new("balance", "the sender has too little"))?;
            // An account without a balance is removed, so that the map does not grow without bound.
            Ok::<_, Rejected>((rest > 0).then_some(rest))
        })?;
        balances.update(self.to, |balance| {
            let sum = balance.copied().unwrap_or(0).checked_add(self.amount);
            sum.map(Some).ok_or_else(|| Rejected::new("overflow", "the balance is above 2^64 - 1"))
        })
    }

    /// The opening balances, which the spec of the chain contains.
    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        postcard::from_bytes(data).map_err(|error| Rejected::new("genesis_data", error.to_string()))
    }

    fn state_root(balances: &Self::State) -> Hash {
        balances.root()
    }
}
