//! What the routes count, and `GET /metrics`, which answers with it and with what the node counts.

#[cfg(target_os = "linux")]
mod process;

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use hyper::body::Body;
use hyper::header::{ACCEPT, HeaderMap, VARY};
use hyper::http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::header;
use super::response::{Response, plain, with_header};
use crate::node::{BYTES, Encoder, NodeHandle, SECONDS};
use crate::primitives::Transaction;

/// The metrics of HTTP routes, which an application registers in a registry of its own: requests, the bytes of the answers,
/// and the time that they take. All routes of one value count together. `GET /metrics` serves them with those of the node.
///
/// ```
/// use hashloom::http::{HttpMetrics, RoutesConfig};
/// use hashloom::node::prometheus_client::registry::Registry;
///
/// let metrics = HttpMetrics::default();
/// let mut registry = Registry::default();
/// metrics.register(&mut registry);
/// let config = RoutesConfig::default().with_metrics(metrics);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HttpMetrics {
    /// By the position of the route in the table, and at the end for requests that no route answers. Empty until there are
    /// routes.
    routes: Arc<OnceLock<Box<[RouteCounts]>>>,
}

/// What is counted for one route.
#[derive(Debug)]
struct RouteCounts {
    method: &'static str,
    path: &'static str,
    /// By the class of the status.
    answers: [Answers; CLASSES.len()],
    durations: Histogram,
}

#[derive(Debug, Default)]
struct Answers {
    requests: Counter,
    bytes: Counter,
}

/// The classes of status codes that answers have.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The upper bounds of the buckets for the time of a request, in seconds: from a block in memory to a search for a block.
const DURATIONS: [f64; 11] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// Two values are equal if they count together.
impl PartialEq for HttpMetrics {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.routes, &other.routes)
    }
}

impl Eq for HttpMetrics {}

impl HttpMetrics {
    /// Adds the metrics to a registry, which reads them at each scrape.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// Prepares to count the routes of a table: the methods and the paths. All tables are the same.
    pub(super) fn prepare(&self, table: impl Iterator<Item = (&'static str, &'static str)>) {
        let route = |(method, path)| RouteCounts {
            method,
            path,
            answers: Default::default(),
            durations: Histogram::new(DURATIONS),
        };
        self.routes.get_or_init(|| table.chain([("none", "none")]).map(route).collect());
    }

    /// Counts an answer of the route at this position of the table, or of none.
    pub(super) fn count(&self, route: Option<usize>, is_head: bool, answer: &Response, took: Duration) {
        let Some((none, routes)) = self.routes.get().and_then(|routes| routes.split_last()) else { return };
        let route = route.and_then(|route| routes.get(route)).unwrap_or(none);
        route.durations.observe(took.as_secs_f64());
        let class = usize::from(answer.status().as_u16() / 100).checked_sub(2);
        let Some(answers) = class.and_then(|class| route.answers.get(class)) else { return };
        answers.requests.inc();
        if !is_head {
            answers.bytes.inc_by(answer.body().size_hint().lower());
        }
    }

    /// The routes that have answered, with their labels.
    fn used(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 2], &RouteCounts)> {
        let routes = self.routes.get().into_iter().flatten();
        let used = routes.filter(|route| route.answers.iter().any(|answers| answers.requests.get() > 0));
        used.map(|route| ([("method", route.method), ("route", route.path)], route))
    }

    /// A value of each class of answers of each route, with their labels.
    fn answers(
        &self,
        value: fn(&Answers) -> &Counter,
    ) -> impl Iterator<Item = ([(&'static str, &'static str); 3], u64)> {
        self.used().flat_map(move |([method, path], route)| {
            let classes =
                CLASSES.iter().zip(&route.answers).filter(|(_, answers)| answers.requests.get() > 0);
            classes.map(move |(class, answers)| ([method, path, ("status", class)], value(answers).get()))
        })
    }
}

impl Collector for HttpMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Encoder::new(encoder);
        to.counters(
            "hashloom_http_requests",
            "HTTP requests that were answered, by route and class of status.",
            None,
            self.answers(|answers| &answers.requests),
        )?;
        to.counters(
            "hashloom_http_response_body",
            "Bytes of the bodies of HTTP answers, by route and class of status.",
            BYTES,
            self.answers(|answers| &answers.bytes),
        )?;
        to.histograms(
            "hashloom_http_request_duration",
            "The time from an HTTP request to its answer, without reading the one and writing the other.",
            SECONDS,
            self.used().map(|(labels, route)| (labels, &route.durations)),
        )
    }
}

/// What `GET /metrics` answers with.
pub(super) fn registry<T: Transaction>(node: &NodeHandle<T>, http: &HttpMetrics) -> Registry {
    let mut registry = Registry::default();
    node.metrics().register(&mut registry);
    http.register(&mut registry);
    #[cfg(target_os = "linux")]
    registry.register_collector(Box::new(process::Process));
    registry
}

/// Answers with the metrics, in `OpenMetrics` for a client that prefers it and else in Prometheus' own text format.
pub(super) fn answer(registry: &Registry, headers: &HeaderMap) -> Response {
    let accepted = header::text(headers, &ACCEPT).unwrap_or_default();
    let mut body = String::new();
    // Writing to a string cannot fail, and neither does a metric.
    let (_, media_type) = if prefers_open_metrics(&accepted) {
        (text::encode(&mut body, registry), "application/openmetrics-text; version=1.0.0; charset=utf-8")
    } else {
        (prometheus_text::encode(&mut body, registry), prometheus_text::CONTENT_TYPE)
    };
    with_header(plain(StatusCode::OK, body, media_type), VARY, "accept")
}

/// Whether a client names `OpenMetrics`, with at least the weight of plain text (RFC 9110, section 12.5.1).
fn prefers_open_metrics(accepted: &str) -> bool {
    let weight = |media_type| {
        let named = accepted.split(',').map(str::trim).filter_map(|range| {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            name.trim().eq_ignore_ascii_case(media_type).then_some(parameters)
        });
        let weights = named.map(|parameters| {
            let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
            weight.map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0))
        });
        weights.fold(0.0, f32::max)
    };
    let open_metrics = weight("application/openmetrics-text");
    open_metrics > 0.0 && open_metrics >= weight("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing("", false)]
    #[case::browser("text/html,application/xhtml+xml,*/*;q=0.8", false)]
    #[case::curl("*/*", false)]
    #[case::prometheus_2(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        true
    )]
    #[case::prometheus_3(
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
        true
    )]
    #[case::text_first("text/plain;version=0.0.4;q=0.7, application/openmetrics-text; q=0.5", false)]
    #[case::refused("application/openmetrics-text;q=0", false)]
    #[case::not_a_weight("application/openmetrics-text;q=x", false)]
    #[case::letter_case("Application/OpenMetrics-Text", true)]
    fn the_format_is_what_the_client_prefers(#[case] accepted: &str, #[case] expected: bool) {
        assert_eq!(prefers_open_metrics(accepted), expected);
    }

    #[test]
    fn a_metric_counts_together_with_its_clones_alone() {
        let metrics = HttpMetrics::default();
        assert_eq!(metrics, metrics.clone());
        assert_ne!(metrics, HttpMetrics::default());
    }
}
