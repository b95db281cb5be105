//! The public key of an author. What is signed, and how it is verified, is not here: see the feature `signed`.

use super::bytes::fixed_bytes;
use super::hash::Hash;
use super::units::Address;

/// An Ed25519 public key: the 32 bytes of RFC 8032, which may be those of no key at all until a signature of the key has
/// been verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

fixed_bytes!(PublicKey, 32);

/// What the hash of a key begins with, so that it is the hash of nothing else.
const ADDRESS_DOMAIN: &[u8] = b"hashloom address v1\0";

impl PublicKey {
    /// The address of the key: the first 20 bytes of SHA-256(`hashloom address v1` ‖ a zero byte ‖ the key).
    ///
    /// To find another key with the address of a given one takes 2^160 hashes. To find two keys with one address takes
    /// 2^80, and gains their owner nothing that a shared key would not.
    pub fn address(&self) -> Address {
        let hash = Hash::digest_parts(&[ADDRESS_DOMAIN, &self.0]);
        let mut address = [0; Address::LEN];
        address.copy_from_slice(&hash.as_bytes()[..Address::LEN]);
        Address::from_bytes(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_first_bytes_of_a_hash() {
        let key = PublicKey::from_bytes([7; 32]);
        let hash = Hash::digest(&[b"hashloom address v1\0".as_slice(), &[7; 32]].concat());
        assert_eq!(key.address().to_string(), hash.to_string()[..40]);
    }
}
