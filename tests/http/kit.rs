//! Asks the routes of a node, without a socket.

use std::io::Read;

use hashloom::http::{RoutesConfig, routes};
use hashloom::primitives::Target;
use hashloom::{ChainSpec, NodeHandle, Retarget, Transaction};
use rouille::Request;
use serde_json::Value;

/// A chain on which every hash is a block.
pub(crate) fn spec(name: &str) -> ChainSpec {
    ChainSpec::builder(name)
        .easiest_target(Target::MAX.to_compact())
        .retarget(Retarget::Fixed)
        .build()
        .unwrap()
}

/// A response: its status, its headers, and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and the code of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap().to_owned())
    }
}

/// A request to the routes of a node.
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    config: RoutesConfig,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        let headers = vec![("Host".to_owned(), "localhost".to_owned())];
        Self { method, path: path.to_owned(), headers, body: Vec::new(), config: RoutesConfig::default() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` of JSON.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        let mut ask = Self::new("POST", path).header("Content-Type", "application/json");
        ask.body = body.to_string().into_bytes();
        ask
    }

    /// Adds a header, or replaces the one with its name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn config(mut self, config: RoutesConfig) -> Self {
        self.config = config;
        self
    }

    /// Sends the request, on a thread, because the handler blocks.
    pub(crate) async fn of<T: Transaction>(self, node: &NodeHandle<T>) -> Answer {
        let node = node.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let request = Request::fake_http(self.method, self.path, self.headers, self.body);
            let response = routes(node, self.config)(&request);
            let headers = response.headers.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            let (status, headers) = (response.status_code, headers.collect());
            let mut body = Vec::new();
            response.data.into_reader_and_size().0.read_to_end(&mut body).unwrap();
            Answer { status, headers, body }
        });
        answer.await.unwrap()
    }
}
