//! Why the serde form of a value, which the store, peers and HTTP clients read back, does not keep the value, with the
//! likely cause in the type.

use core::fmt;

/// Why a value does not read back from its serde form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SerdeFlaw {
    /// The type needs a self-describing format (`deserialize_any`).
    NeedsSelfDescription,
    /// The type serialises a list or a map without its length.
    UnknownLength,
    /// The value is not equal to itself.
    NotEqualToItself,
    /// The value that is read differs from the value that was written.
    ReadsDifferently,
}

impl SerdeFlaw {
    /// The flaw of a value that cannot be read back, for an unknown reason, or reads back as another one.
    pub(crate) fn of_read<T: PartialEq>(value: &T) -> Self {
        #[expect(clippy::eq_op, reason = "a NaN somewhere inside is not equal to itself")]
        if value == value { Self::ReadsDifferently } else { Self::NotEqualToItself }
    }

    pub(crate) const fn of_postcard(error: &postcard::Error) -> Option<Self> {
        match error {
            postcard::Error::WontImplement => Some(Self::NeedsSelfDescription),
            postcard::Error::SerializeSeqLengthUnknown => Some(Self::UnknownLength),
            _ => None,
        }
    }
}

impl fmt::Display for SerdeFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeedsSelfDescription => {
                "a format without names of fields cannot read it; the likely cause is `#[serde(tag)]`, \
                 `#[serde(untagged)]`, `#[serde(flatten)]` or a `serde_json::Value` in the type"
            }
            Self::UnknownLength => {
                "a format without names of fields cannot write it; the likely cause is `#[serde(flatten)]` in the \
                 type, or a list or a map that does not know its length"
            }
            Self::NotEqualToItself => "it is not equal to itself; the likely cause is a NaN in it",
            Self::ReadsDifferently => {
                "it does not read back as the same value; the likely cause is \
                 `#[serde(skip_serializing_if)]`, `#[serde(skip)]`, or a `serialize_with` and a `deserialize_with` \
                 that do not match"
            }
        })
    }
}
