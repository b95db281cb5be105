//! The kinds of messages and their names in wire formats. Independent of the contents of messages.

use core::fmt;

use super::message::Message;

/// Declares the enum, the list of all kinds and their names together, so that none is missing from one of
/// them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of a [`Message`], which a format can determine from the first bytes of a frame.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum MessageKind {
            $($(#[$doc])* $kind,)*
        }

        impl MessageKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Returns the name, which self-describing formats write.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// [`Message::Hello`].
    Hello = "hello",
    /// [`Message::Ping`].
    Ping = "ping",
    /// [`Message::Pong`].
    Pong = "pong",
    /// [`Message::GetHeaders`].
    GetHeaders = "get_headers",
    /// [`Message::Headers`].
    Headers = "headers",
    /// [`Message::GetBlocks`].
    GetBlocks = "get_blocks",
    /// [`Message::Blocks`].
    Blocks = "blocks",
    /// [`Message::NotFound`].
    NotFound = "not_found",
    /// [`Message::Announce`].
    Announce = "announce",
    /// [`Message::NewBlock`].
    NewBlock = "new_block",
    /// [`Message::Offer`].
    Offer = "offer",
    /// [`Message::GetTransactions`].
    GetTransactions = "get_transactions",
    /// [`Message::Transactions`].
    Transactions = "transactions",
    /// [`Message::Bye`].
    Bye = "bye",
    /// [`Message::GetPeers`].
    GetPeers = "get_peers",
    /// [`Message::Peers`].
    Peers = "peers",
}

impl MessageKind {
    /// Returns the number, which formats without names write.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Returns the kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Returns the kind with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<T> From<&Message<T>> for MessageKind {
    fn from(message: &Message<T>) -> Self {
        match message {
            Message::Hello(_) => Self::Hello,
            Message::Ping(_) => Self::Ping,
            Message::Pong(_) => Self::Pong,
            Message::GetHeaders { .. } => Self::GetHeaders,
            Message::Headers(_) => Self::Headers,
            Message::GetBlocks { .. } => Self::GetBlocks,
            Message::Blocks(_) => Self::Blocks,
            Message::NotFound { .. } => Self::NotFound,
            Message::Announce(_) => Self::Announce,
            Message::NewBlock(_) => Self::NewBlock,
            Message::Offer { .. } => Self::Offer,
            Message::GetTransactions { .. } => Self::GetTransactions,
            Message::Transactions(_) => Self::Transactions,
            Message::Bye { .. } => Self::Bye,
            Message::GetPeers { .. } => Self::GetPeers,
            Message::Peers { .. } => Self::Peers,
        }
    }
}
