//! The definition of a row.

use core::future::Future;
use core::pin::Pin;
use std::time::Duration;

use hashloom::protocol::CloseReason;

use crate::carrier::Carrier;
use crate::stage::Stage;

/// One attack.
pub(crate) struct Row {
    /// The name of the row in the name of a trial.
    pub(crate) name: &'static str,
    /// What the attacker does, in the words of the documentation.
    pub(crate) does: &'static str,
    pub(crate) over: Over,
    pub(crate) discovery: Discovery,
    pub(crate) ends: Ends,
    /// The time from the beginning of the attack to its end, neither earlier nor later.
    pub(crate) after: Duration,
    /// The most bytes that the process may have allocated at once beyond those at the beginning. The
    /// attacker's end of the connection is in this process and counts, too.
    pub(crate) memory: usize,
    pub(crate) attack: Attack,
    /// What must be possible after the attack, in addition to what always must.
    pub(crate) then: Option<Attack>,
}

pub(crate) type Attack = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The defaults of a row.
pub(crate) const ROW: Row = Row {
    name: "",
    does: "",
    over: Over::All,
    discovery: Discovery::Off,
    ends: Ends::Harmless,
    after: AT_ONCE,
    memory: SMALL,
    attack: |_| Box::pin(async {}),
    then: None,
};

pub(crate) const AT_ONCE: Duration = Duration::ZERO;

/// The memory of one connection with a few messages: the buffers of both ends, a task, and the peer's state.
pub(crate) const SMALL: usize = 512 << 10;

/// All state of one peer, with its offers and its headers, or a message of a megabyte at both ends.
pub(crate) const BOOKS: usize = 4 << 20;

/// A full queue, and a message of a megabyte, which exists in several forms while it is in flight.
pub(crate) const QUEUE: usize = 8 << 20;

/// The largest frame, which exists twice for a moment when its buffer grows, and the state of a peer.
pub(crate) const FRAMES: usize = 2 * hashloom::wire::DEFAULT_MAX_FRAME_BYTES + BOOKS;

/// The transports on which an attack is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// All transports: the attack consists of messages.
    All,
    /// The transport in memory, which moves messages as values and on which every peer has a host of its own.
    Memory,
    /// Transports with frames and bytes.
    Sockets,
    /// Transports with messages in JSON.
    Json,
    /// Transports with length prefixes.
    Binary,
    /// A transport with bincode and JSON at one port.
    TwoFormats,
}

/// Whether the node searches for more peers than the configured ones, and advertises addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    Off,
    On,
    /// Discovery makes no difference: the row runs with and without it.
    Either,
}

impl Discovery {
    /// The settings with which the row runs, each with a node of its own.
    pub(crate) const fn settings(self) -> &'static [bool] {
        match self {
            Self::Off => &[false],
            Self::On => &[true],
            Self::Either => &[false, true],
        }
    }
}

/// How an attack ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    /// The node closes the connection with a reason of this kind.
    Closed(&'static str, fn(&CloseReason) -> bool),
    /// The block or header breaks this rule.
    Invalid(&'static str),
    /// The message is malformed.
    Malformed,
    /// The list has too many items. A decoder refuses the message as malformed.
    TooManyItems,
    /// A text is too long. If the decoder or the frame has the limit, the message is malformed.
    TooLong,
    /// The message was not requested.
    Unsolicited(&'static str),
    /// The peer does not answer a request of this kind from the node.
    Unanswered(&'static str),
    /// The listener refuses the connection, with this line in its log.
    Refused(&'static str),
    /// The node dialled the attacker, and reports that the dial failed with this error.
    NotReached(&'static str),
    /// The connection stays open, and the attack has no effect.
    Harmless,
}

impl Ends {
    /// Whether this is the expected reason.
    pub(crate) fn fits(&self, reason: &CloseReason, carrier: &Carrier) -> bool {
        let is_malformed = matches!(reason, CloseReason::Malformed(_));
        match self {
            Self::Closed(_, fits) => fits(reason),
            Self::Invalid(rule) => {
                matches!(reason, CloseReason::InvalidBlock { error, .. } if error.rule() == *rule)
            }
            Self::Malformed => is_malformed,
            Self::TooManyItems => match reason {
                CloseReason::TooManyItems { .. } => !carrier.parses(),
                _ => is_malformed && carrier.parses(),
            },
            Self::TooLong => {
                matches!(reason, CloseReason::TextTooLong { .. }) || is_malformed && carrier.parses()
            }
            Self::Unsolicited(what) => matches!(reason, CloseReason::Unsolicited { kind } if kind == what),
            Self::Unanswered(what) => {
                matches!(reason, CloseReason::RequestTimeout { kind, .. } if kind == what)
            }
            Self::Refused(_) | Self::NotReached(_) | Self::Harmless => false,
        }
    }

    /// Whether the reason alone shows that the peer is not honest, so that its host's score falls. `None` if
    /// the reason does not decide it.
    pub(crate) const fn is_offence(&self) -> Option<bool> {
        match self {
            Self::Invalid(_)
            | Self::Malformed
            | Self::TooManyItems
            | Self::TooLong
            | Self::Unsolicited(_) => Some(true),
            Self::Unanswered(_) => Some(false),
            Self::Closed(..) | Self::Refused(_) | Self::NotReached(_) | Self::Harmless => None,
        }
    }

    /// The end of the attack in the words of the documentation.
    pub(crate) fn documented(&self) -> String {
        match self {
            Self::Closed(name, _) => format!("`{name}`"),
            Self::Invalid(rule) => format!("`InvalidBlock`: {rule}"),
            Self::Malformed => "`Malformed`".to_owned(),
            Self::TooManyItems => "`Malformed`; `TooManyItems` in memory".to_owned(),
            Self::TooLong => "`TextTooLong`".to_owned(),
            Self::Unsolicited(what) => format!("`Unsolicited`: {what}"),
            Self::Unanswered(what) => format!("`RequestTimeout`: {what}"),
            Self::Refused(says) => format!("no connection: \"{says}\""),
            Self::NotReached(says) => format!("`DialFailed`: \"{says}\""),
            Self::Harmless => "nothing; the peer stays".to_owned(),
        }
    }
}

/// A close reason by its variant.
macro_rules! closed {
    ($variant:ident) => {
        $crate::table::Ends::Closed(stringify!($variant), |reason| {
            matches!(reason, hashloom::protocol::CloseReason::$variant { .. })
        })
    };
}
pub(crate) use closed;

/// An attack from an asynchronous function.
macro_rules! attack {
    ($function:expr) => {
        |stage| Box::pin($function(stage))
    };
}
pub(crate) use attack;
