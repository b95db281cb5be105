//! The serde form of a receipt.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::content::Content;
use super::{ContentError, Receipt};
use crate::evidence::{CheckpointError, NoteError};
use crate::primitives::merkle::InclusionProof;
use crate::primitives::{Hash, Header, bounded_vec};

/// The fields of a receipt as they are written.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename = "Receipt", deny_unknown_fields)]
pub(super) struct Form {
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^([0-9a-f]{2})*$"))]
    transaction: Bytes,
    transaction_proof: InclusionProof,
    header: Header,
    #[serde(deserialize_with = "path")]
    path: Vec<Hash>,
    checkpoint: String,
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Receipt {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Form::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Receipt {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        Form::schemas(schemas);
    }
}

impl From<Receipt> for Form {
    fn from(receipt: Receipt) -> Self {
        let Content { header, proof, transaction } = receipt.content;
        Self {
            transaction: Bytes(transaction),
            transaction_proof: proof,
            header,
            path: receipt.path,
            checkpoint: receipt.note.to_string(),
        }
    }
}

impl TryFrom<Form> for Receipt {
    type Error = FormError;

    fn try_from(form: Form) -> Result<Self, FormError> {
        let Form { transaction: Bytes(transaction), transaction_proof, header, path, checkpoint } = form;
        let content = Content { header, proof: transaction_proof, transaction }.checked()?;
        Ok(Self::new(content, path, checkpoint.parse()?)?)
    }
}

/// Why the fields are not those of a receipt.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
}

/// Lower-case hex in human-readable formats, bytes in the others.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return deserializer.deserialize_byte_buf(BytesVisitor).map(Self);
        }
        deserializer.deserialize_str(BytesVisitor).map(Self)
    }
}

struct BytesVisitor;

impl de::Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the canonical bytes of a transaction")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(E::custom("expected lower-case hex digits"));
        }
        hex::decode(text).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
    bounded_vec(deserializer, InclusionProof::MAX_PATH)
}
