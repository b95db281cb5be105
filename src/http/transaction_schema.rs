//! What `GET /openapi.json` says of the application's transactions.

use serde_json::Value;
use utoipa::ToSchema;

/// The schema of an application's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionSchema {
    pub(super) own: Value,
    /// What it refers to, by name.
    pub(super) parts: Vec<(String, Value)>,
}

/// Where a schema is.
const SCHEMAS: &str = "#/components/schemas/";

impl TransactionSchema {
    pub(super) fn of<T: ToSchema>() -> Self {
        // A type that contains itself refers to its own name.
        let mut parts = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut parts);
        // A schema is made of strings, numbers and lists.
        let value = |schema| serde_json::to_value(schema).unwrap_or_default();
        let parts = parts.into_iter().map(|(name, schema)| (format!("Transaction.{name}"), value(schema)));
        let mut schema = Self { own: value(T::schema()), parts: parts.collect() };
        // So that no name of the application is one of this crate.
        rename(&mut schema.own);
        schema.parts.iter_mut().for_each(|(_, part)| rename(part));
        schema
    }
}

/// Lets the references in a schema refer to `Transaction.{name}`.
fn rename(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "$ref" => {
                        if let Some(part) = text.strip_prefix(SCHEMAS) {
                            *text = format!("{SCHEMAS}Transaction.{part}");
                        }
                    }
                    value => rename(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(rename),
        _ => {}
    }
}
