//! The errors of the HTTP API: a code, its status, and its JSON form.

use core::time::Duration;

use hyper::header::{CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::StatusCode;

use super::response::{Response, json_body, with_header};
pub(crate) use crate::api::ErrorCode as Code;
use crate::api::{ErrorBody, ErrorFields};
use crate::chain::BlockError;
use crate::consensus::RuleError;
#[cfg(feature = "evidence")]
use crate::evidence::{SignError, WitnessError};
use crate::mempool::MempoolError;
#[cfg(feature = "evidence")]
use crate::node::{CosignError, SignCheckpointError};
use crate::node::{MineError, PeerError, Stopped, SubmitError};
use crate::protocol::ConnectError;
use crate::store::StoreError;

/// An error of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// A header that belongs to the status.
    header: Option<(HeaderName, HeaderValue)>,
}

impl Code {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::BadJson
            | Self::BadQuery
            | Self::BadBlockId
            | Self::BadAddress
            | Self::BadPeerId
            | Self::BadTransactionId
            | Self::BadHost
            | Self::BadCheckpoint => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::HostNotAllowed | Self::CrossOrigin | Self::CheckpointNotSigned => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::BlockNotFound
            | Self::PeerNotFound
            | Self::TransactionNotFound
            | Self::AddressNotFound
            | Self::BanNotFound
            | Self::StateKeyNotFound
            | Self::CheckpointNotFound
            | Self::LogNotWitnessed
            | Self::NotYetSigned
            | Self::TileNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::AlreadyPending
            | Self::AlreadyMined
            | Self::AlreadyConnected
            | Self::PeerBanned
            | Self::CheckpointConflict => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TransactionRejected
            | Self::TransactionNotEncodable
            | Self::TransactionPanicked
            | Self::TransactionTooLarge
            | Self::BlockTooLarge
            | Self::CheckpointInconsistent => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UpgradeUnsupported | Self::NoTransport => StatusCode::NOT_IMPLEMENTED,
            Self::Busy
            | Self::MempoolFull
            | Self::MiningTimeout
            | Self::ClockBehind
            | Self::TooManyPeers
            | Self::SigningStopped
            | Self::StoreFailed
            | Self::NodeFailed
            | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let header = match code.status() {
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, RETRY_AFTER_SECONDS.into())),
            // The rest of the body is not read, so the connection cannot be used further.
            StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => {
                Some((CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        };
        Self { code, message: message.into(), header }
    }

    /// Sets the header that belongs to the status.
    pub(super) fn with_header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        self.header = value.try_into().ok().map(|value| (name, value));
        self
    }

    /// Sets the time after which the client may retry, limited to an hour: a longer wait ends in another way,
    /// for example when the clock is set.
    fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.with_header(RETRY_AFTER, seconds.clamp(1, 3600))
    }

    /// The error for a body that is too large, with one text for both limits.
    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("the body has more than {limit} bytes"))
    }

    /// The error for a client that may make its next request after this time.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let message = "this address makes more requests than the node admits";
        Self::new(Code::TooManyRequests, message).with_retry_after(wait)
    }

    /// The body of the response.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let error = ErrorFields { code: self.code, message: self.message.clone() };
        // Two strings can always be serialized.
        serde_json::to_vec(&ErrorBody { error }).unwrap_or_default()
    }

    pub(super) fn into_response(self) -> Response {
        let response = json_body(self.code.status(), self.to_json());
        match self.header {
            Some((name, value)) => with_header(response, name, value),
            None => response,
        }
    }
}

impl From<MempoolError> for ApiError {
    fn from(error: MempoolError) -> Self {
        let code = match error {
            MempoolError::AlreadyPending { .. } => Code::AlreadyPending,
            MempoolError::AlreadyMined { .. } => Code::AlreadyMined,
            MempoolError::Removed { .. } | MempoolError::Invalid(_) | MempoolError::Rejected(_) => {
                Code::TransactionRejected
            }
            MempoolError::TooLarge { .. } => Code::TransactionTooLarge,
            MempoolError::Full { .. } => Code::MempoolFull,
            MempoolError::Encode(_) => Code::TransactionNotEncodable,
            MempoolError::Panicked(_) => Code::TransactionPanicked,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // A node closes its store shortly before it reports that it has ended.
        let code = if error == StoreError::Closed { Code::ShuttingDown } else { Code::StoreFailed };
        Self::new(code, error.to_string())
    }
}

impl From<Stopped> for ApiError {
    fn from(error: Stopped) -> Self {
        Self::new(Code::ShuttingDown, error.to_string())
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Mempool(error) => error.into(),
            SubmitError::Unsendable(_) => Self::new(Code::TransactionNotEncodable, error.to_string()),
            SubmitError::Stopped(_) => Self::new(Code::ShuttingDown, error.to_string()),
        }
    }
}

impl From<PeerError> for ApiError {
    fn from(error: PeerError) -> Self {
        let code = match &error {
            PeerError::Connect(ConnectError::AlreadyAdded { .. }) => Code::AlreadyConnected,
            PeerError::Connect(ConnectError::Banned { .. }) => Code::PeerBanned,
            PeerError::Connect(ConnectError::TooMany { .. }) => Code::TooManyPeers,
            PeerError::Address(_) => Code::BadAddress,
            PeerError::NoTransport => Code::NoTransport,
            PeerError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

impl From<MineError> for ApiError {
    fn from(error: MineError) -> Self {
        let code = match &error {
            MineError::Refused(BlockError::Rule(
                RuleError::Transaction { .. } | RuleError::EndBlock { .. },
            )) => Code::TransactionRejected,
            MineError::Refused(BlockError::Rule(RuleError::Size { .. } | RuleError::Count { .. }))
            | MineError::Unsendable(_) => Code::BlockTooLarge,
            MineError::Refused(BlockError::Rule(
                RuleError::ApplyPanicked { .. }
                | RuleError::EndBlockPanicked { .. }
                | RuleError::StateRootPanicked(_),
            )) => Code::TransactionPanicked,
            MineError::Refused(BlockError::Rule(RuleError::Encode(_))) => Code::TransactionNotEncodable,
            MineError::Refused(BlockError::Store(_)) => Code::StoreFailed,
            MineError::Refused(_) | MineError::Threads(_) => Code::Internal,
            MineError::ClockBehind { retry_in } => {
                let message = error.to_string();
                return Self::new(Code::ClockBehind, message).with_retry_after(*retry_in);
            }
            MineError::Busy { .. } => Code::Busy,
            MineError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(feature = "evidence")]
impl From<SignCheckpointError> for ApiError {
    fn from(error: SignCheckpointError) -> Self {
        let code = match &error {
            SignCheckpointError::NoSigner | SignCheckpointError::Sign(SignError::TooShort { .. }) => {
                Code::CheckpointNotFound
            }
            SignCheckpointError::Sign(SignError::Contradiction { .. } | SignError::Behind { .. }) => {
                Code::SigningStopped
            }
            SignCheckpointError::Sign(SignError::Store(error)) => return error.clone().into(),
            SignCheckpointError::Sign(_) => Code::Internal,
            SignCheckpointError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(feature = "evidence")]
impl From<CosignError> for ApiError {
    fn from(error: CosignError) -> Self {
        let code = match &error {
            CosignError::NoWitness | CosignError::Witness(WitnessError::UnknownLog { .. }) => {
                Code::LogNotWitnessed
            }
            CosignError::Witness(WitnessError::Checkpoint(_) | WitnessError::OldSize { .. }) => {
                Code::BadCheckpoint
            }
            CosignError::Witness(WitnessError::Signature(_)) => Code::CheckpointNotSigned,
            CosignError::Witness(WitnessError::Outdated { .. } | WitnessError::OtherRoot { .. }) => {
                Code::CheckpointConflict
            }
            CosignError::Witness(WitnessError::Inconsistent(_)) => Code::CheckpointInconsistent,
            CosignError::Witness(WitnessError::Store(error)) => return error.clone().into(),
            CosignError::Witness(WitnessError::InMemory) => Code::Internal,
            CosignError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

/// A typical time until a retry may succeed, because a request has ended or a block was found.
pub(super) const RETRY_AFTER_SECONDS: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, Rejected};
    use rstest::rstest;

    const CODES: [Code; Code::ShuttingDown as usize + 1] = [
        Code::BadRequest,
        Code::BadJson,
        Code::BadQuery,
        Code::BadBlockId,
        Code::BadAddress,
        Code::BadPeerId,
        Code::BadTransactionId,
        Code::BadHost,
        Code::BadCheckpoint,
        Code::Unauthorized,
        Code::HostNotAllowed,
        Code::CrossOrigin,
        Code::CheckpointNotSigned,
        Code::NotFound,
        Code::BlockNotFound,
        Code::PeerNotFound,
        Code::TransactionNotFound,
        Code::AddressNotFound,
        Code::BanNotFound,
        Code::StateKeyNotFound,
        Code::CheckpointNotFound,
        Code::LogNotWitnessed,
        Code::NotYetSigned,
        Code::TileNotFound,
        Code::MethodNotAllowed,
        Code::RequestTimeout,
        Code::AlreadyPending,
        Code::AlreadyMined,
        Code::AlreadyConnected,
        Code::PeerBanned,
        Code::CheckpointConflict,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::TransactionRejected,
        Code::TransactionNotEncodable,
        Code::TransactionPanicked,
        Code::TransactionTooLarge,
        Code::BlockTooLarge,
        Code::CheckpointInconsistent,
        Code::TooManyRequests,
        Code::Internal,
        Code::UpgradeUnsupported,
        Code::NoTransport,
        Code::Busy,
        Code::MempoolFull,
        Code::MiningTimeout,
        Code::ClockBehind,
        Code::TooManyPeers,
        Code::SigningStopped,
        Code::StoreFailed,
        Code::NodeFailed,
        Code::ShuttingDown,
    ];

    #[test]
    fn every_answer_with_503_and_no_other_says_when_to_come_back() {
        for (place, code) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, place, "{code:?} is missing in the list, or in another place");
            let response = ApiError::new(code, "a test").into_response();
            let retry_after = response.headers().get("Retry-After");
            let expected = (code.status() == 503).then_some("5");
            assert_eq!(retry_after.map(|seconds| seconds.to_str().unwrap()), expected, "{code:?}");
        }
    }

    #[test]
    fn the_documentation_lists_every_code_at_its_status() {
        let documented: Vec<(u16, Vec<String>)> = include_str!("../http.rs")
            .lines()
            .filter_map(|line| {
                let (status, codes) = line.strip_prefix("//! | ")?.split_once(" | ")?;
                let status = status.split(' ').next()?.parse().ok()?;
                let codes = codes.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
                Some((status, codes))
            })
            .collect();
        for code in CODES {
            let name = serde_json::to_value(code).unwrap();
            let at: Vec<u16> = documented
                .iter()
                .filter(|(_, codes)| codes.iter().any(|code| name == *code))
                .map(|(status, _)| *status)
                .collect();
            assert_eq!(at, [code.status().as_u16()], "{code:?}");
        }
    }

    #[rstest]
    #[case(MempoolError::AlreadyPending { id: Hash::ZERO }, 409, "already_pending")]
    #[case(MempoolError::AlreadyMined { id: Hash::ZERO }, 409, "already_mined")]
    #[case(Rejected::new("no-gap", "got 3, expected 2").into(), 422, "transaction_rejected")]
    #[case(
        MempoolError::Invalid(Rejected::new("signature", "is not the author's")),
        422,
        "transaction_rejected"
    )]
    #[case(MempoolError::TooLarge { got: 2, limit: 1 }, 422, "transaction_too_large")]
    #[case(MempoolError::Full { transactions: 1, bytes: 1 }, 503, "mempool_full")]
    #[case(
        MempoolError::Encode(crate::primitives::EncodeError::new("a value without bytes")),
        422,
        "transaction_not_encodable"
    )]
    fn what_the_mempool_refuses(#[case] refused: MempoolError, #[case] status: u16, #[case] code: &str) {
        let message = refused.to_string();
        let error = ApiError::from(refused);
        assert_eq!((error.code.status().as_u16(), &error.message), (status, &message));
        assert_eq!(serde_json::to_value(error.code).unwrap(), code);
    }

    #[rstest]
    #[case(Duration::from_millis(1), "1")]
    #[case(Duration::from_millis(90_001), "91")]
    #[case(Duration::from_secs(1_800_000_000), "3600")]
    fn a_clock_that_is_behind_has_its_own_code_and_says_when_to_come_back(
        #[case] retry_in: Duration,
        #[case] expected: &str,
    ) {
        let error = ApiError::from(MineError::ClockBehind { retry_in });
        assert_eq!(serde_json::to_value(error.code).unwrap(), "clock_behind");
        assert!(error.message.starts_with("the clock is behind the chain: "), "{}", error.message);
        let response = error.into_response();
        let retry_after = response.headers()["Retry-After"].to_str().unwrap();
        assert_eq!((response.status().as_u16(), retry_after), (503, expected));
    }

    #[tokio::test]
    async fn a_node_that_has_closed_its_store_is_shutting_down() {
        let node = crate::Node::<String>::builder(crate::ChainSpec::default()).start().await.unwrap();
        node.shutdown().await;
        let error = ApiError::from(node.block(&Hash::ZERO).unwrap_err());
        assert_eq!(serde_json::to_value(error.code).unwrap(), "shutting_down");
        let error = ApiError::from(StoreError::ReadOnly { path: "chain.redb".into() });
        assert_eq!(serde_json::to_value(error.code).unwrap(), "store_failed");
    }
}
