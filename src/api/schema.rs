//! The schemas of values that are one string or one number in JSON.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::primitives::{Address, CompactTarget, Difficulty, Hash, Timestamp, Work};
use crate::protocol::{PeerAddr, PeerHost};

macro_rules! schemas {
    ($($name:ident: $schema:expr;)*) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

schemas! {
    Hash: hex(64, "A hash of SHA-256.");
    Address: hex(40, "The address of a miner, whose meaning the application defines.");
    Work: hex(64, "A number of hashes, of 256 bits.");
    CompactTarget: hex(8, "A target in 32 bits: a hash must be at most the target.");
    Difficulty: ObjectBuilder::new()
        .schema_type(Type::Number)
        .description(Some("How many times harder a target is than the easiest one of the chain."));
    Timestamp: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .description(Some("Milliseconds since 1970-01-01 UTC."));
    PeerAddr: text("The address of a peer, such as `ws://localhost:5001`.");
    PeerHost: text("A host: a name, an IPv4 address, or the network of an IPv6 address, such as `2001:db8:1:2::/64`.");
}

fn hex(digits: usize, description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^[0-9a-f]{{{digits}}}$")))
        .description(Some(description))
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]+$"))
        .max_length(Some(PeerAddr::MAX_LEN))
        .description(Some(description))
}

/// Any JSON, until an application says what its transactions are: the schema of `T` in a generic type.
#[derive(Debug)]
pub(crate) struct AnyTransaction;

impl AnyTransaction {
    /// The name of the schema.
    pub(crate) const NAME: &str = "Transaction";
}

impl PartialSchema for AnyTransaction {
    fn schema() -> RefOr<Schema> {
        utoipa::openapi::schema::empty().into()
    }
}

impl ToSchema for AnyTransaction {
    fn name() -> Cow<'static, str> {
        Self::NAME.into()
    }
}

/// The `data` of `POST /mine`: a list of transactions, or one that is no list itself.
#[derive(Debug)]
pub(crate) struct Transactions;

impl PartialSchema for Transactions {
    fn schema() -> RefOr<Schema> {
        let one = || reference::<AnyTransaction>();
        AnyOfBuilder::new().item(ArrayBuilder::new().items(one())).item(one()).into()
    }
}

impl ToSchema for Transactions {
    fn name() -> Cow<'static, str> {
        "Transactions".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((AnyTransaction::NAME.to_owned(), AnyTransaction::schema()));
    }
}

/// Any JSON: the schema of a state.
#[derive(Debug)]
pub(crate) struct AnyState;

impl PartialSchema for AnyState {
    fn schema() -> RefOr<Schema> {
        utoipa::openapi::schema::empty().into()
    }
}

impl ToSchema for AnyState {
    fn name() -> Cow<'static, str> {
        "State".into()
    }
}

/// A reference to the schema of a type.
pub(crate) fn reference<S: ToSchema>() -> Ref {
    Ref::from_schema_name(S::name())
}
