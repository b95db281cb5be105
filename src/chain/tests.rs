//! The chain as its users see it: every rule at its boundary, fork choice, arrival in any order, bounds,
//! proofs, verification, headers alone, and a naive model that the whole is compared with. And what its store makes of it: opened
//! again, failing, damaged, pruned.

mod arrival;
mod batches;
mod bounds;
mod branches;
mod damage;
mod failures;
mod finality;
mod forge;
mod fork_choice;
mod genesis;
mod headers;
mod identity;
mod invariants;
mod model;
mod on_demand;
mod proofs;
mod pruning;
mod reopen;
mod rules;
mod states;
mod stored;
mod unreadable;
mod verify;
