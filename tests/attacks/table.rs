//! What a row says.

use core::future::Future;
use core::pin::Pin;
use std::time::Duration;

use hashloom::CloseReason;

use crate::carrier::Carrier;
use crate::stage::Stage;

/// One hostile input.
pub(crate) struct Row {
    /// As it stands in the name of a trial.
    pub(crate) name: &'static str,
    /// What the attacker does, as it stands in the documentation.
    pub(crate) does: &'static str,
    pub(crate) over: Over,
    pub(crate) discovery: Discovery,
    pub(crate) ends: Ends,
    /// How long after the beginning it ends; not before, and not later.
    pub(crate) after: Duration,
    /// The most bytes that the process may have allocated at a time beyond what it had at the beginning. Those count
    /// too that the attacker itself holds, whose end of the connection is in this process.
    pub(crate) memory: usize,
    pub(crate) attack: Attack,
    /// What has to be possible when it is over, beside what always has.
    pub(crate) then: Option<Attack>,
}

pub(crate) type Attack = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What most rows have in common; each names the rest.
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

/// What one connection costs with a few messages on it: the buffers of both its ends, a task, a peer's books.
pub(crate) const SMALL: usize = 512 << 10;

/// All that a node remembers of one peer, of its offers and of the headers that it shows, or a message of a megabyte at
/// both ends.
pub(crate) const BOOKS: usize = 4 << 20;

/// A full queue, and a message of a megabyte, which is there in several forms while it is on its way.
pub(crate) const QUEUE: usize = 8 << 20;

/// The largest frame, which is there twice for a moment when it grows while it is taken in, and what a peer costs.
pub(crate) const FRAMES: usize = 2 * hashloom::wire::DEFAULT_MAX_FRAME_BYTES + BOOKS;

/// Where an attack is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Everywhere: it is made of messages.
    All,
    /// Where messages are values, and every caller has a host of its own.
    Memory,
    /// Where there are frames and bytes.
    Sockets,
    /// Where messages are JSON.
    Json,
    /// Where lengths stand before what they count.
    Binary,
    /// Where one port speaks bincode and JSON.
    TwoFormats,
}

/// Whether the node looks for peers beyond those that it was given, and tells of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    Off,
    On,
    /// It makes no difference: the row is played with it and without.
    Either,
}

impl Discovery {
    /// A node for each of these.
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
    /// The node closes the connection, for a reason of this kind.
    Closed(&'static str, fn(&CloseReason) -> bool),
    /// The block or header breaks this rule.
    Invalid(&'static str),
    /// It is no message.
    Malformed,
    /// More items than the message may have; where it is parsed, it is no message.
    TooManyItems,
    /// A text that is too long; where the length is a limit of the parser or the frame, it is no message.
    TooLong,
    /// Nobody asked for it.
    Unsolicited(&'static str),
    /// This is not answered.
    Unanswered(&'static str),
    /// Before there is a connection: the listener says this in its log.
    Refused(&'static str),
    /// It was the node that called: it says that it came to nothing, and why.
    NotReached(&'static str),
    /// Not at all: the connection goes on, and nothing comes of it.
    Harmless,
}

impl Ends {
    /// Whether this is the reason that was expected.
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

    /// Whether no honest peer does that, so that the host is thought less of; where the reason alone tells.
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

    /// As it stands in the documentation.
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

/// The reason of a close by its variant.
macro_rules! closed {
    ($variant:ident) => {
        $crate::table::Ends::Closed(stringify!($variant), |reason| {
            matches!(reason, hashloom::CloseReason::$variant { .. })
        })
    };
}
pub(crate) use closed;

/// An attack that is an asynchronous function.
macro_rules! attack {
    ($function:expr) => {
        |stage| Box::pin($function(stage))
    };
}
pub(crate) use attack;
