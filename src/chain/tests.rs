//! The chain as its users see it: every rule at its boundary, fork choice, arrival in any order, bounds,
//! proofs, verification, and a naive model that the whole is compared with.

mod arrival;
mod bounds;
mod finality;
mod forge;
mod fork_choice;
mod invariants;
mod model;
mod proofs;
mod rules;
mod verify;
