//! An application with routes of its own, and those of a node under a prefix, with the page for people.
//!
//! ```sh
//! cargo run --example embed_http --features http -- 127.0.0.1:3000
//! ```

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;
use hashloom::http::rouille::{Request, Response};
use hashloom::http::{self, HttpConfig, RoutesConfig};
use hashloom::{ChainSpec, Node};
use tokio::net::TcpListener;

/// Serves a chain under /chain/.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 is any that is free.
    #[arg(default_value = "127.0.0.1:3000")]
    address: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind(Options::parse().address).await?;
    let node = Node::<String>::builder(ChainSpec::on_demand("embedded").build()?).start().await?;
    let chain = http::routes(node.clone(), RoutesConfig::default());
    let records = node.clone();
    let application = move |request: &Request| match request.raw_url() {
        "/" => Response::text(format!("{} blocks at /chain/\n", records.chain().height())),
        // With a slash at its end, because the page asks for its files relative to its own URL.
        "/chain" => Response::redirect_308("/chain/"),
        // The URL as it was sent: `remove_prefix` panics if the prefix is percent-encoded.
        url if url.starts_with("/chain/") => {
            request.remove_prefix("/chain").map_or_else(Response::empty_404, |request| chain(&request))
        }
        _ => Response::empty_404(),
    };
    // The limits of this server hold for all routes. `rouille::Server::new` serves the same function without them.
    let server = http::serve(listener, application, HttpConfig::default())?;
    println!("http://{}/chain/", server.local_addr());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    node.shutdown().await;
    Ok(())
}
