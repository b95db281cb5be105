//! The table of the routes: which method at which path is which endpoint.

use hyper::Method;
use hyper::header::ALLOW;

use crate::http::error::{ApiError, Code};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Endpoint {
    Read(Read),
    Change(Change),
}

/// The endpoints of `GET` and `HEAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Read {
    Explorer,
    Asset,
    Blocks,
    LatestBlock,
    Block,
    Headers,
    Header,
    Branches,
    State,
    StateProof,
    Transactions,
    Transaction,
    Peers,
    Addresses,
    Bans,
    Status,
    Events,
    Health,
    #[cfg(feature = "metrics")]
    Metrics,
    #[cfg(feature = "openapi")]
    OpenApi,
    #[cfg(feature = "evidence")]
    Checkpoint,
    #[cfg(feature = "evidence")]
    Tile,
    #[cfg(feature = "evidence")]
    Consistency,
    #[cfg(feature = "evidence")]
    Receipt,
}

/// The endpoints that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Change {
    Mine,
    Submit,
    RemoveTransaction,
    Connect,
    RemovePeer,
    ForgetAddress,
    Ban,
    Unban,
    #[cfg(feature = "evidence")]
    AddCheckpoint,
}

impl Change {
    /// Whether the node's [token](crate::http::RoutesConfig::token) is asked for: a checkpoint for a witness is signed, and
    /// strangers may send it.
    pub(in crate::http) const fn needs_token(self) -> bool {
        match self {
            #[cfg(feature = "evidence")]
            Self::AddCheckpoint => false,
            _ => true,
        }
    }
}

/// A method at a path. A path may end with one argument in braces.
pub(in crate::http) struct Route {
    pub(in crate::http) method: Method,
    pub(in crate::http) path: &'static str,
    /// The path up to its argument.
    fixed: &'static str,
    pub(in crate::http) endpoint: Endpoint,
}

const fn read(path: &'static str, read: Read) -> Route {
    Route { method: Method::GET, path, fixed: before_argument(path), endpoint: Endpoint::Read(read) }
}

const fn change(method: Method, path: &'static str, change: Change) -> Route {
    Route { method, path, fixed: before_argument(path), endpoint: Endpoint::Change(change) }
}

const fn before_argument(path: &str) -> &str {
    let mut end = 0;
    while end < path.len() && path.as_bytes()[end] != b'{' {
        end += 1;
    }
    path.split_at(end).0
}

/// All routes, in the order of the table in the documentation of [`http`](crate::http).
pub(in crate::http) static ROUTES: &[Route] = &[
    read("/", Read::Explorer),
    read("/assets/{name}", Read::Asset),
    read("/blocks", Read::Blocks),
    // Before the route whose argument it would be.
    read("/blocks/latest", Read::LatestBlock),
    read("/blocks/{height or hash}", Read::Block),
    read("/headers", Read::Headers),
    read("/headers/{height or hash}", Read::Header),
    read("/branches", Read::Branches),
    read("/state", Read::State),
    read("/state/{key}", Read::StateProof),
    change(Method::POST, "/mine", Change::Mine),
    read("/transactions", Read::Transactions),
    change(Method::POST, "/transactions", Change::Submit),
    read("/transactions/{id}", Read::Transaction),
    change(Method::DELETE, "/transactions/{id}", Change::RemoveTransaction),
    read("/peers", Read::Peers),
    change(Method::POST, "/peers", Change::Connect),
    change(Method::DELETE, "/peers/{id}", Change::RemovePeer),
    read("/addresses", Read::Addresses),
    change(Method::DELETE, "/addresses/{address}", Change::ForgetAddress),
    read("/bans", Read::Bans),
    change(Method::POST, "/bans", Change::Ban),
    change(Method::DELETE, "/bans/{host}", Change::Unban),
    read("/status", Read::Status),
    read("/events", Read::Events),
    read("/health", Read::Health),
    #[cfg(feature = "metrics")]
    read("/metrics", Read::Metrics),
    #[cfg(feature = "openapi")]
    read("/openapi.json", Read::OpenApi),
    #[cfg(feature = "evidence")]
    read("/log/checkpoint", Read::Checkpoint),
    #[cfg(feature = "evidence")]
    read("/log/tile/{level/index}", Read::Tile),
    #[cfg(feature = "evidence")]
    read("/log/consistency", Read::Consistency),
    #[cfg(feature = "evidence")]
    read("/receipts/{transaction id}", Read::Receipt),
    #[cfg(feature = "evidence")]
    change(Method::POST, "/witness/add-checkpoint", Change::AddCheckpoint),
];

impl Route {
    /// The argument in a path of this route, as it is in the path; empty if the route has none. `None` if
    /// this is not the route's path.
    fn argument<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.fixed.len() == self.path.len() {
            return (path == self.path).then_some("");
        }
        let argument = path.strip_prefix(self.fixed)?;
        // An address contains slashes, and so do a host that is an IPv6 network, and the path of a tile. A key of the
        // application may.
        let may_contain_slash = match self.endpoint {
            Endpoint::Read(Read::StateProof) | Endpoint::Change(Change::ForgetAddress | Change::Unban) => {
                true
            }
            #[cfg(feature = "evidence")]
            Endpoint::Read(Read::Tile) => true,
            _ => false,
        };
        (may_contain_slash || !argument.contains('/')).then_some(argument)
    }
}

/// The route of a request.
pub(super) struct Found<'a> {
    pub(super) route: &'static Route,
    /// The argument in the path.
    pub(super) argument: &'a str,
}

/// The position of a route in the table.
#[cfg(feature = "metrics")]
pub(super) fn position(route: &Route) -> Option<usize> {
    ROUTES.iter().position(|row| core::ptr::eq(row, route))
}

/// The method and the path of each route.
#[cfg(feature = "metrics")]
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method.as_str(), route.path))
}

/// The route of a request, and the argument in its path. A slash at the end of a path is ignored, unless the path
/// is an argument's.
///
/// # Errors
///
/// 404 if no route has the path, and 405 if none of those that have it has the method.
pub(super) fn find<'a>(method: &Method, path: &'a str) -> Result<Found<'a>, ApiError> {
    // The server removes the body of the response to `HEAD`.
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    let path = match path.strip_suffix('/') {
        Some(shorter) if ROUTES.iter().any(|route| route.path == shorter && route.method == *wanted) => {
            shorter
        }
        Some(shorter) if ROUTES.iter().all(|route| route.argument(path).is_none()) => shorter,
        _ => path,
    };
    for route in ROUTES {
        let Some(argument) = route.argument(path) else { continue };
        if route.method == *wanted {
            return Ok(Found { route, argument });
        }
        allowed.push(if route.method == Method::GET { "GET, HEAD" } else { route.method.as_str() });
    }
    if allowed.is_empty() {
        return Err(not_found());
    }
    let allowed = allowed.join(", ");
    let message = format!("method {method} is not allowed here, expected {allowed}");
    Err(ApiError::new(Code::MethodNotAllowed, message).with_header(ALLOW, allowed))
}

/// The error for a path that no route has. Lists the paths, those without a `GET` with their method.
pub(in crate::http) fn not_found() -> ApiError {
    let mut paths: Vec<String> = Vec::new();
    let mut previous = "";
    for Route { method, path, .. } in ROUTES {
        if previous != *path {
            let is_read = *method == Method::GET;
            paths.push(if is_read { (*path).to_owned() } else { format!("{method} {path}") });
        }
        previous = path;
    }
    let last = paths.pop().unwrap_or_default();
    let message = format!("nothing at this path; the routes are {} and {last}", paths.join(", "));
    ApiError::new(Code::NotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a table in Markdown whose first cell begins with a method and a path.
    fn documented() -> Vec<(&'static str, &'static str)> {
        let rows = include_str!("../../http.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let routes = rows.filter_map(|row| row.split('`').next()?.split_once(' '));
        let routes = routes.filter(|(_, url)| {
            cfg!(feature = "evidence")
                || !["/log/", "/receipts/", "/witness/"].iter().any(|start| url.starts_with(start))
        });
        let routes = routes.filter(|(_, url)| cfg!(feature = "metrics") || *url != "/metrics");
        let routes = routes.filter(|(_, url)| cfg!(feature = "openapi") || *url != "/openapi.json");
        routes.map(|(method, url)| (method, url.split('?').next().unwrap_or(url))).collect()
    }

    #[test]
    fn the_documentation_lists_every_route_and_no_other() {
        let routes: Vec<_> = ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
        assert_eq!(documented(), routes);
    }

    #[test]
    fn the_error_for_an_unknown_path_lists_the_paths() {
        let mut last = vec!["/status", "/events", "/health"];
        last.extend(cfg!(feature = "metrics").then_some("/metrics"));
        last.extend(cfg!(feature = "openapi").then_some("/openapi.json"));
        if cfg!(feature = "evidence") {
            last.extend(["/log/checkpoint", "/log/tile/{level/index}", "/log/consistency"]);
            last.extend(["/receipts/{transaction id}", "POST /witness/add-checkpoint"]);
        }
        let end = last.pop().unwrap();
        let last = last.join(", ");
        assert_eq!(
            not_found().message,
            format!(
                "nothing at this path; the routes are /, /assets/{{name}}, /blocks, /blocks/latest, \
                 /blocks/{{height or hash}}, /headers, /headers/{{height or hash}}, /branches, /state, /state/{{key}}, POST /mine, /transactions, /transactions/{{id}}, /peers, DELETE /peers/{{id}}, /addresses, DELETE /addresses/{{address}}, /bans, \
                 DELETE /bans/{{host}}, {last} and {end}"
            )
        );
    }
}
