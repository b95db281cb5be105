//! The errors of the HTTP API: a code, its status, and its JSON form.

use core::time::Duration;

use serde::Serialize;

use super::answer::Answer;
use crate::MempoolError;

/// An error of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// The seconds of the `Retry-After` header, for a status of 503.
    retry_after: u64,
}

/// The codes of errors. Their names are part of the API, and are listed in the documentation of
/// [`http`](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    BadRequest,
    BadJson,
    BadQuery,
    BadBlockId,
    BadAddress,
    BadPeerId,
    BadTransactionId,
    BadHost,
    HostNotAllowed,
    CrossOrigin,
    NotFound,
    BlockNotFound,
    PeerNotFound,
    TransactionNotFound,
    AddressNotFound,
    BanNotFound,
    MethodNotAllowed,
    RequestTimeout,
    AlreadyPending,
    AlreadyMined,
    AlreadyConnected,
    PeerBanned,
    BodyTooLarge,
    UnsupportedMediaType,
    TransactionRejected,
    TransactionNotEncodable,
    TransactionPanicked,
    TransactionTooLarge,
    BlockTooLarge,
    Internal,
    UpgradeUnsupported,
    NoTransport,
    Busy,
    MempoolFull,
    MiningTimeout,
    ClockBehind,
    TooManyPeers,
    StoreFailed,
    NodeFailed,
    ShuttingDown,
}

impl Code {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::BadRequest
            | Self::BadJson
            | Self::BadQuery
            | Self::BadBlockId
            | Self::BadAddress
            | Self::BadPeerId
            | Self::BadTransactionId
            | Self::BadHost => 400,
            Self::HostNotAllowed | Self::CrossOrigin => 403,
            Self::NotFound
            | Self::BlockNotFound
            | Self::PeerNotFound
            | Self::TransactionNotFound
            | Self::AddressNotFound
            | Self::BanNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::AlreadyPending | Self::AlreadyMined | Self::AlreadyConnected | Self::PeerBanned => 409,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TransactionRejected
            | Self::TransactionNotEncodable
            | Self::TransactionPanicked
            | Self::TransactionTooLarge
            | Self::BlockTooLarge => 422,
            Self::Internal => 500,
            Self::UpgradeUnsupported | Self::NoTransport => 501,
            Self::Busy
            | Self::MempoolFull
            | Self::MiningTimeout
            | Self::ClockBehind
            | Self::TooManyPeers
            | Self::StoreFailed
            | Self::NodeFailed
            | Self::ShuttingDown => 503,
        }
    }
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: RETRY_AFTER_SECONDS }
    }

    /// Sets the time after which the client may retry, limited to an hour: a longer wait ends in another way,
    /// for example when the clock is set.
    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        self.retry_after = seconds.clamp(1, 3600);
        self
    }

    /// The error for a body that is too large, with one text for both limits.
    pub(super) fn body_too_large(limit: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("the body has more than {limit} bytes"))
    }

    /// The result of a request whose client has disconnected. It is not sent.
    pub(super) fn client_gone() -> Self {
        Self::new(Code::Internal, "the client has left")
    }

    pub(super) fn into_answer(self) -> Answer {
        #[derive(Serialize)]
        struct Envelope {
            error: Fields,
        }
        #[derive(Serialize)]
        struct Fields {
            code: Code,
            message: String,
        }

        let Self { code, message, retry_after } = self;
        let status = code.status();
        // Two strings can always be serialized.
        let body = serde_json::to_vec(&Envelope { error: Fields { code, message } }).unwrap_or_default();
        let answer = Answer::json(status, body);
        match status {
            503 => answer.with_header("Retry-After", retry_after.to_string()),
            // The rest of the body is not read, so the connection cannot be used further.
            408 | 413 => answer.with_header("Connection", "close"),
            _ => answer,
        }
    }
}

impl From<MempoolError> for ApiError {
    fn from(error: MempoolError) -> Self {
        let code = match error {
            MempoolError::AlreadyPending { .. } => Code::AlreadyPending,
            MempoolError::AlreadyMined { .. } => Code::AlreadyMined,
            MempoolError::Removed { .. } | MempoolError::Rejected(_) => Code::TransactionRejected,
            MempoolError::TooLarge { .. } => Code::TransactionTooLarge,
            MempoolError::Full { .. } => Code::MempoolFull,
            MempoolError::Encode(_) => Code::TransactionNotEncodable,
            MempoolError::Panicked(_) => Code::TransactionPanicked,
        };
        Self::new(code, error.to_string())
    }
}

/// A typical time until a retry may succeed, because a request has ended or a block was found.
const RETRY_AFTER_SECONDS: u64 = 5;

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
        Code::HostNotAllowed,
        Code::CrossOrigin,
        Code::NotFound,
        Code::BlockNotFound,
        Code::PeerNotFound,
        Code::TransactionNotFound,
        Code::AddressNotFound,
        Code::BanNotFound,
        Code::MethodNotAllowed,
        Code::RequestTimeout,
        Code::AlreadyPending,
        Code::AlreadyMined,
        Code::AlreadyConnected,
        Code::PeerBanned,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::TransactionRejected,
        Code::TransactionNotEncodable,
        Code::TransactionPanicked,
        Code::TransactionTooLarge,
        Code::BlockTooLarge,
        Code::Internal,
        Code::UpgradeUnsupported,
        Code::NoTransport,
        Code::Busy,
        Code::MempoolFull,
        Code::MiningTimeout,
        Code::ClockBehind,
        Code::TooManyPeers,
        Code::StoreFailed,
        Code::NodeFailed,
        Code::ShuttingDown,
    ];

    #[test]
    fn every_answer_with_503_and_no_other_says_when_to_come_back() {
        for (place, code) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, place, "{code:?} is missing in the list, or in another place");
            let answer = ApiError::new(code, "a test").into_answer();
            let retry_after = answer.headers.iter().find(|(name, _)| name == "Retry-After");
            let expected = (code.status() == 503).then_some("5");
            assert_eq!(retry_after.map(|(_, seconds)| &**seconds), expected, "{code:?}");
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
            assert_eq!(at, [code.status()], "{code:?}");
        }
    }

    #[rstest]
    #[case(MempoolError::AlreadyPending { id: Hash::ZERO }, 409, "already_pending")]
    #[case(MempoolError::AlreadyMined { id: Hash::ZERO }, 409, "already_mined")]
    #[case(Rejected::new("no-gap", "got 3, expected 2").into(), 422, "transaction_rejected")]
    #[case(MempoolError::TooLarge { got: 2, limit: 1 }, 422, "transaction_too_large")]
    #[case(MempoolError::Full { transactions: 1, bytes: 1 }, 503, "mempool_full")]
    #[case(
        MempoolError::Encode(crate::EncodeError::new("a value without bytes")),
        422,
        "transaction_not_encodable"
    )]
    fn what_the_mempool_refuses(#[case] refused: MempoolError, #[case] status: u16, #[case] code: &str) {
        let message = refused.to_string();
        let error = ApiError::from(refused);
        assert_eq!((error.code.status(), &error.message), (status, &message));
        assert_eq!(serde_json::to_value(error.code).unwrap(), code);
    }
}
