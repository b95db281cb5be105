//! The wire formats of the crate, side by side.

use anyhow::Result;
use hashloom::WireFormat as _;
use hashloom::wire::{Bincode, Frame, Json, Postcard};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Bincode,
    Postcard,
}

impl Format {
    /// All formats. The others are compared with the first.
    pub(crate) const ALL: [Self; 3] = [Self::Json, Self::Bincode, Self::Postcard];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
        }
    }

    pub(crate) fn encode<M: Serialize>(self, message: &M) -> Result<Frame> {
        Ok(match self {
            Self::Json => Json.encode(message),
            Self::Bincode => Bincode.encode(message),
            Self::Postcard => Postcard.encode(message),
        }?)
    }

    pub(crate) fn decode<M: DeserializeOwned>(self, frame: &Frame) -> Result<M> {
        Ok(match self {
            Self::Json => Json.decode(frame),
            Self::Bincode => Bincode.decode(frame),
            Self::Postcard => Postcard.decode(frame),
        }?)
    }
}
