//! What each endpoint takes and answers. Both functions match on every endpoint, so that a new one is described or the
//! program is not compiled.

use hyper::http::StatusCode;
use utoipa::openapi::Required;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};

use super::description::{Description, string, whole_number};
#[cfg(feature = "evidence")]
use crate::api::LogConsistency;
use crate::api::schema::{AnyState, AnyTransaction, Transactions};
use crate::api::{
    Ban, BanRequest, BlockView, ConnectRequest, Dialling, HeaderView, Health, KnownAddress, MineRequest,
    PeerInfo, PendingTransaction, SideBlockView, StateProof, StateView, Status, SubmitRequest, Submitted,
    TransactionView,
};
#[cfg(feature = "evidence")]
use crate::evidence::Receipt;
use crate::http::error::Code;
use crate::http::routes::table::{Change, Read};
use crate::protocol::PeerAddr;

/// The errors of every request, of the server as well as of the routes.
pub(super) const COMMON: &[Code] = &[
    Code::BadRequest,
    Code::HostNotAllowed,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::TooManyRequests,
    Code::Internal,
    Code::Busy,
    Code::ShuttingDown,
];

/// The errors of a request that changes something, apart from those of every request.
pub(super) const OF_CHANGES: &[Code] = &[Code::CrossOrigin];

/// The errors of a request that needs the token.
pub(super) const OF_TOKENS: &[Code] = &[Code::Unauthorized];

#[expect(clippy::too_many_lines, reason = "a table with an arm for each route")]
pub(super) fn read(read: Read) -> Description {
    match read {
        Read::Explorer => Description::new("explorer", "pages", "The explorer, a page for people")
            .bytes(StatusCode::OK, "The page.", &["text/html; charset=utf-8"])
            .cached()
            .errors(&[Code::NotFound]),
        Read::Asset => Description::new("explorer_file", "pages", "A file of the explorer")
            .argument("name", "The name of the file.", string())
            .bytes(
                StatusCode::OK,
                "The file.",
                &[
                    "text/css; charset=utf-8",
                    "text/javascript; charset=utf-8",
                    "image/svg+xml; charset=utf-8",
                ],
            )
            .cached(),
        Read::Blocks => paged(Description::new("blocks", "chain", "Blocks of the best chain"))
            .json_list::<BlockView<AnyTransaction>>("A page.")
            .cached_page()
            .errors(&[Code::StoreFailed]),
        Read::LatestBlock => Description::new("latest_block", "chain", "The last block of the best chain")
            .json::<BlockView<AnyTransaction>>(StatusCode::OK, "The block.")
            .cached(),
        Read::Block => block_argument(Description::new("block", "chain", "A block"))
            .json::<BlockView<AnyTransaction>>(StatusCode::OK, "The block.")
            .cached(),
        Read::Headers => paged(Description::new("headers", "chain", "Headers of the best chain"))
            .json_list::<HeaderView>("A page.")
            .cached_page()
            .errors(&[Code::StoreFailed]),
        Read::Header => block_argument(Description::new("header", "chain", "A header"))
            .json::<HeaderView>(StatusCode::OK, "The header.")
            .cached(),
        Read::Branches => Description::new("branches", "chain", "Blocks on side branches, the highest first")
            .limit()
            .json_list::<SideBlockView>("The blocks."),
        Read::State => Description::new("state", "chain", "The application's state after the last block")
            .json::<StateView<AnyState>>(StatusCode::OK, "The state.")
            .cached()
            .errors(&[Code::NotFound]),
        Read::StateProof => {
            let about = "What proves which value the application's state has at a key after the last block";
            Description::new("state_proof", "chain", about)
                .argument("key", "A key of the application.", string())
                .json::<StateProof>(StatusCode::OK, "The proof.")
                .cached()
                .errors(&[Code::StateKeyNotFound])
        }
        Read::Transactions => Description::new("transactions", "transactions", "Pending transactions")
            .limit()
            .json_list::<PendingTransaction<AnyTransaction>>("The transactions."),
        Read::Transaction => {
            Description::new("transaction", "transactions", "What has become of a transaction")
                .transaction_id()
                .json::<TransactionView<AnyTransaction>>(StatusCode::OK, "What has become of it.")
                .errors(&[Code::TransactionNotFound, Code::StoreFailed])
        }
        Read::Peers => {
            Description::new("peers", "peers", "Connected peers").json_list::<PeerInfo>("The peers.")
        }
        Read::Addresses => Description::new("addresses", "peers", "Addresses that discovery knows")
            .json_list::<KnownAddress>("The addresses."),
        Read::Bans => Description::new("bans", "peers", "Banned hosts").json_list::<Ban>("The hosts."),
        Read::Status => Description::new("status", "node", "A summary of the node's state")
            .json::<Status>(StatusCode::OK, "The status.")
            .errors(&[Code::NodeFailed]),
        Read::Events => Description::new("events", "node", "What happens on the node, as server-sent events")
            .bytes(StatusCode::OK, "Events, until one side ends the answer.", &["text/event-stream"]),
        Read::Health => Description::new("health", "node", "Whether the node does its work")
            .json::<Health>(StatusCode::OK, "It does.")
            .errors(&[Code::NodeFailed, Code::StoreFailed]),
        #[cfg(feature = "metrics")]
        Read::Metrics => Description::new("metrics", "node", "The metrics of the node, for Prometheus")
            .bytes(
                StatusCode::OK,
                "The metrics.",
                &[
                    "text/plain; version=0.0.4; charset=utf-8",
                    "application/openmetrics-text; version=1.0.0; charset=utf-8",
                ],
            ),
        Read::OpenApi => {
            Description::new("openapi", "node", "This document").any_json("The document.").cached()
        }
        #[cfg(feature = "evidence")]
        Read::Checkpoint => {
            Description::new("checkpoint", "log", "The largest signed checkpoint, as a signed note")
                .bytes(StatusCode::OK, "The note.", &["text/plain; charset=utf-8"])
                .errors(&[Code::CheckpointNotFound, Code::SigningStopped, Code::StoreFailed])
        }
        #[cfg(feature = "evidence")]
        Read::Tile => Description::new("tile", "log", "A tile of the log, or of its entries")
            .argument("tile", "The path of the tile, such as `0/000` or `entries/000.p/7`.", string())
            .bytes(StatusCode::OK, "The tile.", &["application/octet-stream"])
            .cached()
            .errors(&[Code::TileNotFound, Code::StoreFailed]),
        #[cfg(feature = "evidence")]
        Read::Consistency => {
            let about = "The proof that the log of `new` blocks extends that of `old` blocks";
            Description::new("consistency", "log", about)
                .query("old", Required::True, "The number of blocks of the earlier log.", whole_number())
                .query("new", Required::True, "The number of blocks of the later log.", whole_number())
                .json::<LogConsistency>(StatusCode::OK, "The proof.")
                .errors(&[Code::StoreFailed])
        }
        #[cfg(feature = "evidence")]
        Read::Receipt => Description::new("receipt", "log", "The proof that a transaction is in the log")
            .transaction_id()
            .json::<Receipt>(StatusCode::OK, "The receipt.")
            .also("text/plain; charset=utf-8")
            .header("Vary", "`accept`.", string())
            .errors(&[
                Code::CheckpointNotFound,
                Code::TransactionNotFound,
                Code::NotYetSigned,
                Code::BlockNotFound,
                Code::SigningStopped,
                Code::StoreFailed,
            ]),
    }
}

pub(super) fn change(change: Change) -> Description {
    match change {
        Change::Mine => {
            let about = "Mines a block with these transactions, or with the pending ones, and announces it";
            Description::new("mine", "chain", about)
                .body::<MineRequest<Transactions>>(Required::False)
                .json::<BlockView<AnyTransaction>>(StatusCode::CREATED, "The block.")
                .header("Location", "The URL of the block.", string())
                .errors(OF_TRANSACTIONS)
                .errors(&[Code::BlockTooLarge, Code::MiningTimeout, Code::ClockBehind, Code::StoreFailed])
        }
        Change::Submit => Description::new("submit", "transactions", "Submits a transaction")
            .body::<SubmitRequest<AnyTransaction>>(Required::True)
            .json::<Submitted>(StatusCode::ACCEPTED, "It is pending.")
            .errors(OF_TRANSACTIONS)
            .errors(&[
                Code::AlreadyPending,
                Code::AlreadyMined,
                Code::TransactionTooLarge,
                Code::MempoolFull,
            ]),
        Change::RemoveTransaction => {
            Description::new("remove_transaction", "transactions", "Removes a pending transaction")
                .transaction_id()
                .no_content("It is removed.")
                .errors(&[Code::TransactionNotFound])
        }
        Change::Connect => Description::new("connect", "peers", "Adds an address to dial")
            .body::<ConnectRequest>(Required::True)
            .json::<Dialling>(StatusCode::ACCEPTED, "It is dialled from now on.")
            .errors(&[
                Code::BadAddress,
                Code::AlreadyConnected,
                Code::PeerBanned,
                Code::TooManyPeers,
                Code::NoTransport,
            ]),
        Change::RemovePeer => {
            Description::new("remove_peer", "peers", "Ends a connection, and stops dialling its address")
                .argument("id", "The id in the list of peers.", whole_number())
                .no_content("It is ended.")
                .errors(&[Code::BadPeerId, Code::PeerNotFound])
        }
        Change::ForgetAddress => {
            Description::new("forget_address", "peers", "Forgets an address, and ends the connection to it")
                .argument("address", "The address.", address())
                .no_content("It is forgotten.")
                .errors(&[Code::BadAddress, Code::AddressNotFound])
        }
        Change::Ban => Description::new("ban", "peers", "Bans a host")
            .body::<BanRequest>(Required::True)
            .json::<Ban>(StatusCode::CREATED, "It is banned.")
            .errors(&[Code::BadHost]),
        Change::Unban => Description::new("unban", "peers", "Lifts a ban")
            .argument("host", "The host.", string())
            .no_content("The ban is lifted.")
            .errors(&[Code::BadHost, Code::BanNotFound]),
        #[cfg(feature = "evidence")]
        Change::AddCheckpoint => {
            let about = "Cosigns a checkpoint of another log, as a witness (https://c2sp.org/tlog-witness)";
            Description::new("add_checkpoint", "witness", about)
                .text_body("The request of tlog-witness.")
                .bytes(StatusCode::OK, "The signatures.", &["text/plain; charset=utf-8"])
                .bytes(
                    StatusCode::CONFLICT,
                    "The size of the last checkpoint that was cosigned, from which the proof has to start.",
                    &["text/x.tlog.size"],
                )
                .errors(&[
                    Code::BadCheckpoint,
                    Code::CheckpointNotSigned,
                    Code::LogNotWitnessed,
                    Code::CheckpointConflict,
                    Code::CheckpointInconsistent,
                    Code::StoreFailed,
                ])
        }
    }
}

/// The errors of what an application's transactions do.
const OF_TRANSACTIONS: &[Code] =
    &[Code::TransactionRejected, Code::TransactionNotEncodable, Code::TransactionPanicked];

/// The parameters of a page.
fn paged(description: Description) -> Description {
    let order = string().enum_values(Some(["asc", "desc"]));
    description.query("from", Required::False, "The height of the first item.", whole_number()).limit().query(
        "order",
        Required::False,
        "Whether the lowest item is the first, or the highest.",
        order,
    )
}

/// A height or a hash in the path.
fn block_argument(description: Description) -> Description {
    let schema = AnyOfBuilder::new().item(whole_number()).item(hash());
    description.argument("id", "A height on the best chain, or a hash.", schema).errors(&[
        Code::BadBlockId,
        Code::BlockNotFound,
        Code::StoreFailed,
    ])
}

fn hash() -> ObjectBuilder {
    string().pattern(Some("^[0-9a-fA-F]{64}$"))
}

fn address() -> ObjectBuilder {
    string().pattern(Some("^[!-~]+$")).max_length(Some(PeerAddr::MAX_LEN))
}

impl Description {
    fn limit(self) -> Self {
        let schema = whole_number().minimum(Some(1));
        self.query("limit", Required::False, "The most items, up to a maximum of the node.", schema)
    }

    fn transaction_id(self) -> Self {
        self.argument("id", "The id of the transaction.", hash()).errors(&[Code::BadTransactionId])
    }

    fn cached_page(self) -> Self {
        let total = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        self.header("X-Total-Count", "The number of blocks of the best chain.", total)
            .header("Link", "The URL of the next page, if there is one.", string())
            .cached()
    }
}
