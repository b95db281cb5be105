//! The parts of a description of one endpoint.

use std::collections::BTreeMap;

use hyper::http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{
    AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, RefOr, Required, Response, ResponseBuilder};

use crate::api::{ErrorBody, schema};
use crate::http::error::Code;

/// What an endpoint takes, and what it answers.
pub(super) struct Description {
    /// The name of the operation, from which generators make the name of a function.
    pub(super) id: &'static str,
    /// The group of the operation.
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// The argument in the path.
    pub(super) argument: Option<Parameter>,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    /// The answers that are no errors.
    pub(super) answers: Vec<(StatusCode, Response)>,
    /// The errors, apart from those of every endpoint.
    pub(super) codes: Vec<Code>,
    /// The schemas that the parts above refer to.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Description {
    pub(super) const fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            argument: None,
            query: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// The argument in the path.
    pub(super) fn argument(mut self, name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        let parameter = parameter.required(Required::True).description(Some(about));
        self.argument = Some(parameter.schema(Some(schema)).build());
        // A client resolves an argument such as `..` before it sends the path.
        self.codes.push(Code::NotFound);
        self
    }

    /// A parameter of the query.
    pub(super) fn query(
        mut self,
        name: &str,
        required: Required,
        about: &str,
        schema: ObjectBuilder,
    ) -> Self {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
        let parameter = parameter.required(required).description(Some(about));
        self.query.push(parameter.schema(Some(schema)).build());
        if !self.codes.contains(&Code::BadQuery) {
            self.codes.push(Code::BadQuery);
        }
        self
    }

    /// A body in JSON.
    pub(super) fn body<S: ToSchema>(mut self, required: Required) -> Self {
        self.register::<S>();
        let content = ContentBuilder::new().schema(Some(schema::reference::<S>())).build();
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(required));
        self.body = Some(body.build());
        self.errors(&[Code::BadJson, Code::UnsupportedMediaType])
    }

    /// A body of plain text.
    #[cfg(feature = "evidence")]
    pub(super) fn text_body(mut self, about: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(string())).build();
        let body = RequestBodyBuilder::new().content("text/plain", content).required(Some(Required::True));
        self.body = Some(body.description(Some(about)).build());
        self
    }

    /// An answer in JSON.
    pub(super) fn json<S: ToSchema>(mut self, status: StatusCode, about: &str) -> Self {
        self.register::<S>();
        let content = ContentBuilder::new().schema(Some(schema::reference::<S>())).build();
        self.answer(status, ResponseBuilder::new().description(about).content("application/json", content))
    }

    /// An answer that is any JSON.
    pub(super) fn any_json(self, about: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(SchemaType::any())));
        let response = ResponseBuilder::new().description(about).content("application/json", content.build());
        self.answer(StatusCode::OK, response)
    }

    /// An answer that is a list in JSON.
    pub(super) fn json_list<S: ToSchema>(mut self, about: &str) -> Self {
        self.register::<S>();
        let content = ContentBuilder::new().schema(Some(ArrayBuilder::new().items(schema::reference::<S>())));
        let response = ResponseBuilder::new().description(about).content("application/json", content.build());
        self.answer(StatusCode::OK, response)
    }

    /// An answer of one of these media types, whose bytes no schema describes.
    pub(super) fn bytes(self, status: StatusCode, about: &str, media_types: &[&str]) -> Self {
        let mut response = ResponseBuilder::new().description(about);
        for media_type in media_types {
            let content = ContentBuilder::new().schema(Some(string())).build();
            response = response.content(*media_type, content);
        }
        self.answer(status, response)
    }

    /// An answer without a body.
    pub(super) fn no_content(self, about: &str) -> Self {
        self.answer(StatusCode::NO_CONTENT, ResponseBuilder::new().description(about))
    }

    pub(super) fn answer(mut self, status: StatusCode, response: ResponseBuilder) -> Self {
        self.answers.push((status, response.build()));
        self
    }

    /// Adds a header to the last answer.
    pub(super) fn header(mut self, name: &str, about: &str, schema: ObjectBuilder) -> Self {
        if let Some((_, response)) = self.answers.last_mut() {
            response.headers.insert(name.to_owned(), header(about, schema).into());
        }
        self
    }

    /// The last answer has an entity tag, and 304 is the answer to a client that has the tag.
    pub(super) fn cached(self) -> Self {
        let tag = "Identifies the answer, for `If-None-Match`.";
        let unchanged = ResponseBuilder::new().description("The client has this answer already.");
        self.header("ETag", tag, string()).answer(StatusCode::NOT_MODIFIED, unchanged).header(
            "ETag",
            tag,
            string(),
        )
    }

    /// Adds errors.
    pub(super) fn errors(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    fn register<S: ToSchema>(&mut self) {
        self.schemas.push((S::name().into_owned(), S::schema()));
        S::schemas(&mut self.schemas);
    }

    /// The last answer may also be of this media type.
    #[cfg(feature = "evidence")]
    pub(super) fn also(mut self, media_type: &str) -> Self {
        if let Some((_, response)) = self.answers.last_mut() {
            let content = ContentBuilder::new().schema(Some(string())).build();
            response.content.insert(media_type.to_owned(), content.into());
        }
        self
    }

    /// The answers that are errors, by their status.
    pub(super) fn error_answers(&self, common: &[Code]) -> BTreeMap<StatusCode, Response> {
        let mut by_status: BTreeMap<StatusCode, Vec<Value>> = BTreeMap::new();
        for code in self.codes.iter().chain(common) {
            let names = by_status.entry(code.status()).or_default();
            // A unit variant is always a string.
            let name = serde_json::to_value(code).unwrap_or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        by_status.into_iter().map(|(status, names)| (status, error_answer(status, names))).collect()
    }
}

/// An error with one of these codes.
fn error_answer(status: StatusCode, codes: Vec<Value>) -> Response {
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let fields = ObjectBuilder::new().property("code", code);
    let body = ObjectBuilder::new().property("error", fields);
    let schema = AllOfBuilder::new().item(schema::reference::<ErrorBody>()).item(body);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let about = status.canonical_reason().unwrap_or("An error");
    let mut response = ResponseBuilder::new().description(about).content("application/json", content).build();
    let extra = match status {
        StatusCode::UNAUTHORIZED => Some(("WWW-Authenticate", header("`Bearer`.", string()))),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            Some(("Retry-After", header("Seconds until a retry may succeed.", whole_number())))
        }
        _ => None,
    };
    response.headers.extend(extra.map(|(name, header)| (name.to_owned(), header.into())));
    response
}

fn header(about: &str, schema: ObjectBuilder) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build()
}

/// Any text.
pub(super) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A number of 64 bits.
pub(super) fn whole_number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::Custom("uint64".to_owned())))
        .minimum(Some(0))
        .maximum(usize::try_from(u64::MAX).ok())
}
