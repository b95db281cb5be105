//! The token that a client must have to change something (RFC 6750).

use core::fmt;

use hyper::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};

use super::error::{ApiError, Code};
use super::header::text;
use crate::primitives::Hash;

/// A secret that a client sends as `Authorization: Bearer ...` to change something.
///
/// Only its SHA-256 is kept, and compared with that of what a client sends, so that the time of a comparison says nothing
/// about the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Hash);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text can be guessed.
    #[error("a token of {got} characters, expected at least {}", Token::MIN_LEN)]
    TooShort {
        /// The number of characters.
        got: usize,
    },
    /// The text has a character that a header cannot have in this place.
    #[error("{0:?} may not be in a token: only letters, digits and -._~+/=")]
    Character(char),
}

impl Token {
    /// The least number of characters.
    pub const MIN_LEN: usize = 16;

    /// A token.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(*c))) {
            return Err(TokenError::Character(odd));
        }
        if text.len() < Self::MIN_LEN {
            return Err(TokenError::TooShort { got: text.len() });
        }
        Ok(Self(Hash::digest(text.as_bytes())))
    }

    /// Refuses a request that does not have the token.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let given = text(headers, &AUTHORIZATION);
        // The name of a scheme has no case (RFC 9110, section 11.1).
        let given = given.as_deref().and_then(|value| value.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if given.is_some_and(|(_, token)| Hash::digest(token.trim().as_bytes()) == self.0) {
            return Ok(());
        }
        let message = "this needs the token of the node, in a header `Authorization: Bearer ...`";
        Err(ApiError::new(Code::Unauthorized, message).with_header(WWW_AUTHENTICATE, "Bearer"))
    }
}

/// Does not show the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}
