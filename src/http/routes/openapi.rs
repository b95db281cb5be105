//! `GET /openapi.json`: the description of the routes in the form of OpenAPI 3.1, made from their table and from the types
//! of [`api`](crate::api).

mod description;
mod operations;

use std::collections::btree_map::Entry;

use hyper::Method;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder, Paths, RefOr};

use super::table::{Endpoint, ROUTES, Route};
use crate::api::ErrorBody;
use crate::api::schema::{AnyState, AnyTransaction, Transactions};
use crate::http::config::RoutesConfig;
use crate::http::error::ApiError;
use crate::http::json::{not_json, to_json};
use crate::http::transaction_schema::TransactionSchema;
use description::Description;

/// The name of the security scheme.
const TOKEN: &str = "token";

/// The document for routes with this configuration.
pub(super) fn document(config: &RoutesConfig) -> Result<Vec<u8>, ApiError> {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new().schemas_from_iter(base_schemas());
    for route in ROUTES {
        let (description, is_change, needs_token) = match route.endpoint {
            Endpoint::Read(read) => (operations::read(read), false, false),
            Endpoint::Change(change) => (operations::change(change), true, change.needs_token()),
        };
        let path = path_of(route, &description);
        components = components.schemas_from_iter(description.schemas.iter().cloned());
        let mut operation = operation(description, is_change, needs_token);
        if needs_token {
            // Without a token in the configuration, a request without one is answered as well.
            let anyone = config.token.is_none().then(SecurityRequirement::default);
            let token = SecurityRequirement::new(TOKEN, Vec::<String>::new());
            operation = operation.securities(Some(anyone.into_iter().chain([token])));
        }
        paths.add_path_operation(path, vec![method_of(&route.method)], operation);
    }
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let token = token.description(Some("The token of the node, for what changes something."));
    components = components.security_scheme(TOKEN, SecurityScheme::Http(token.build()));
    let document = OpenApiBuilder::new().info(info()).paths(paths).components(Some(components.build()));
    with_transactions(&document.build(), config.transaction_schema.as_ref())
}

/// The schemas of errors, to which every operation refers, and of the parameters of generic types, which these do not name.
fn base_schemas() -> Vec<(String, RefOr<Schema>)> {
    fn add<S: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((S::name().into_owned(), S::schema()));
        S::schemas(schemas);
    }
    let mut schemas = Vec::new();
    add::<ErrorBody>(&mut schemas);
    add::<AnyTransaction>(&mut schemas);
    add::<Transactions>(&mut schemas);
    add::<AnyState>(&mut schemas);
    schemas
}

fn info() -> Info {
    let mut info = Info::new("hashloom", env!("CARGO_PKG_VERSION"));
    info.description =
        Some("A node of a proof-of-work blockchain. Codes of errors are stable; messages are not.".into());
    info
}

fn operation(description: Description, is_change: bool, needs_token: bool) -> OperationBuilder {
    let mut common = operations::COMMON.to_vec();
    common.extend(is_change.then_some(operations::OF_CHANGES).into_iter().flatten());
    common.extend(needs_token.then_some(operations::OF_TOKENS).into_iter().flatten());
    let mut answers = description.error_answers(&common);
    for (status, answer) in description.answers {
        match answers.entry(status) {
            // A witness answers 409 with a size as well as with an error.
            Entry::Occupied(mut error) => error.get_mut().content.extend(answer.content),
            Entry::Vacant(entry) => {
                entry.insert(answer);
            }
        }
    }
    let mut operation = OperationBuilder::new()
        .operation_id(Some(description.id))
        .tag(description.tag)
        .summary(Some(description.summary))
        .parameters(Some(description.argument.into_iter().chain(description.query)))
        .request_body(description.body);
    for (status, answer) in answers {
        operation = operation.response(status.as_str(), answer);
    }
    operation
}

/// The path with the name of its argument.
fn path_of(route: &Route, description: &Description) -> String {
    match (route.path.split_once('{'), &description.argument) {
        (Some((prefix, _)), Some(argument)) => format!("{prefix}{{{}}}", argument.name),
        _ => route.path.to_owned(),
    }
}

fn method_of(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// The document in JSON, with the schema of the application's transactions.
fn with_transactions(
    document: &OpenApi,
    transactions: Option<&TransactionSchema>,
) -> Result<Vec<u8>, ApiError> {
    let mut document = serde_json::to_value(document).map_err(not_json)?;
    if let Some(schema) = transactions
        && let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas")
    {
        schemas.insert(AnyTransaction::NAME.to_owned(), schema.own.clone());
        schemas.extend(schema.parts.iter().cloned().collect::<Map<_, _>>());
    }
    to_json(&document)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::http::Token;
    use crate::http::body::BAN_SECONDS;

    fn document_of(config: &RoutesConfig) -> Value {
        serde_json::from_slice(&document(config).unwrap()).unwrap()
    }

    /// The operations of the document, each with its method and the part of its path before the argument.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let prefix = path.split('{').next().unwrap().to_owned();
            let operations = item.as_object().unwrap().iter();
            operations
                .map(|(method, operation)| (method.to_uppercase(), prefix.clone(), operation.clone()))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let table: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| (route.method.to_string(), route.path.split('{').next().unwrap().to_owned()))
            .collect();
        let document = document_of(&RoutesConfig::default());
        assert_eq!(document["openapi"], "3.1.0");
        let described = operations(&document).into_iter().map(|(method, path, _)| (method, path));
        assert_eq!(described.clone().count(), table.len());
        assert_eq!(described.collect::<BTreeSet<_>>(), table);
        let ids: BTreeSet<_> = operations(&document)
            .iter()
            .map(|(_, _, operation)| operation["operationId"].to_string())
            .collect();
        assert_eq!(ids.len(), table.len(), "an id of an operation stands twice");
    }

    /// The references in a value.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if name == "$ref" => drop(found.insert(text.clone())),
                        value => references(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    /// A record that has the name of a type of this crate, and refers to itself.
    #[derive(Debug, Serialize, Deserialize, ToSchema)]
    struct Status {
        text: Hash,
        #[schema(no_recursion)]
        parts: Vec<Status>,
    }

    #[derive(Debug, Serialize, Deserialize, ToSchema)]
    struct Hash {
        letters: String,
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let configured = RoutesConfig::default().with_transaction_schema::<Status>();
        for config in [RoutesConfig::default(), configured] {
            let document = document_of(&config);
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            assert!(found.len() > 10, "{found:?}");
            for reference in found {
                assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn an_application_has_a_schema_of_its_own() {
        let document = document_of(&RoutesConfig::default().with_transaction_schema::<Status>());
        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["Transaction"]["properties"]["text"]["$ref"],
            "#/components/schemas/Transaction.Hash"
        );
        assert_eq!(schemas["Transaction.Hash"]["properties"]["letters"]["type"], "string");
        assert_eq!(schemas["Hash"]["pattern"], "^[0-9a-f]{64}$");
        assert_eq!(schemas["Status"]["properties"]["height"]["type"], "integer");
        let any = document_of(&RoutesConfig::default());
        assert_eq!(any["components"]["schemas"]["Transaction"]["type"], Value::Null);
    }

    #[test]
    fn the_seconds_of_a_ban_are_those_that_the_route_accepts() {
        let document = document_of(&RoutesConfig::default());
        let seconds = &document["components"]["schemas"]["BanRequest"]["properties"]["seconds"];
        assert_eq!(
            (seconds["minimum"].as_u64(), seconds["maximum"].as_u64()),
            (Some(*BAN_SECONDS.start()), Some(*BAN_SECONDS.end()))
        );
    }

    #[test]
    fn a_change_needs_the_token_if_there_is_one() {
        let open = document_of(&RoutesConfig::default());
        let closed =
            document_of(&RoutesConfig::default().with_token(Token::new("0123456789abcdef").unwrap()));
        assert_eq!(open["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        for ((method, path, open), (_, _, closed)) in operations(&open).into_iter().zip(operations(&closed)) {
            let is_change = method != "GET" && !path.starts_with("/witness/");
            let of_change = |json| if is_change { json } else { Value::Null };
            assert_eq!(
                open["security"],
                of_change(serde_json::json!([{}, {"token": []}])),
                "{method} {path}"
            );
            assert_eq!(closed["security"], of_change(serde_json::json!([{"token": []}])), "{method} {path}");
            assert_eq!(closed["responses"]["401"].is_object(), is_change, "{method} {path}");
        }
    }
}
