//! A node as a program: keeps a chain with its peers, mines, and serves HTTP.
//!
//! ```sh
//! cargo run --example node --features http,ws-json
//! HTTP_PORT=3002 P2P_PORT=5002 PEERS=ws://localhost:5001 cargo run --example node --features http,ws-json
//! curl -X POST localhost:3002/mine -H 'content-type: application/json' -d '{"data": "hello"}'
//! curl localhost:3001/blocks
//! ```
//!
//! The chain is stored in `hashloom-data/<P2P_PORT>`, or in `DATA_DIR`. While the node is stopped, the
//! program can also verify, export, import and repair the chain:
//!
//! ```sh
//! cargo run --example node --features http,ws-json -- verify
//! cargo run --example node --features http,ws-json -- export blocks.archive
//! P2P_PORT=5002 cargo run --example node --features http,ws-json -- import blocks.archive
//! ```
//!
//! The program itself, which the example `coin` shares, is `node/program.rs`.

// Cargo would compile files beside this one as examples of their own.
#[path = "node/program.rs"]
mod program;

use std::process::ExitCode;

use program::Application;

/// What a block contains.
type Record = String;

const APPLICATION: Application = Application {
    name: "node",
    example: "\
Two nodes, and a block that the first mines and the second shows:
  node
  HTTP_PORT=3002 P2P_PORT=5002 PEERS=ws://localhost:5001 node
  curl -X POST localhost:3001/mine -H 'content-type: application/json' -d '{\"data\": \"hello\"}'
  curl localhost:3002/blocks",
    genesis_data: || Ok(Vec::new()),
    miner: |digits| digits.parse().map_err(|error| format!("{error}")),
    describe: |routes| {
        #[cfg(feature = "openapi")]
        let routes = routes.with_transaction_schema::<Record>();
        routes
    },
};

fn main() -> ExitCode {
    program::main(&std::env::args_os().collect::<Vec<_>>())
}
