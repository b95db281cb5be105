//! Tests of the chain: every consensus rule at its boundary, fork choice, arrival in any order, limits,
//! proofs, verification, header-only chains, and a comparison with a naive model. Also its store: reopened,
//! failing, damaged, and pruned.

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
mod prepared;
mod proofs;
mod pruning;
mod reopen;
mod rules;
mod states;
mod stored;
mod unreadable;
mod verify;
