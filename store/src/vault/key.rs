//! A key, and what is sealed with it.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

/// The first byte of everything sealed: XChaCha20-Poly1305, then a nonce of 24 bytes.
const SEAL_V1: u8 = 1;
const NONCE: usize = 24;

/// A key of 32 bytes: a data subject's, or the master key. Never shown, and overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub(super) [u8; 32]);

/// What was to be opened was sealed with another key or for another place, or is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this key does not open it")]
pub struct Unsealable;

impl Key {
    pub(super) fn random() -> Key {
        Key(random())
    }

    /// A key that is known from outside: whoever knows the bytes opens what it seals.
    pub fn of(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// Encrypts `plain`: `0x01 ‖ nonce ‖ ciphertext ‖ tag`, 41 bytes more than `plain`. `aad` says what
    /// it is and where it belongs, and must be given again to open it, so that nothing sealed can be
    /// put in another's place. The nonce is random: 192 bits never meet by chance.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        self.seal_at(random(), aad, plain)
    }

    fn seal_at(&self, nonce: [u8; NONCE], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: plain, aad });
        let sealed = sealed.expect("a text in memory is below the cipher's 256 GB");
        [&[SEAL_V1][..], &nonce, &sealed].concat()
    }

    /// The same for what must be the same each time and is nobody's secret, such as the pseudonyms of a recorded
    /// market: the nonce comes from key, place and text, so equal texts at one place look alike.
    pub fn seal_alike(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let place = Sha256::digest(aad);
        let digest = Sha256::new().chain_update(self.0).chain_update(place).chain_update(plain).finalize();
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&digest[..NONCE]);
        self.seal_at(nonce, aad, plain)
    }

    /// Gives back what was sealed with this key for the same `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let sealed = sealed.strip_prefix(&[SEAL_V1]).ok_or(Unsealable)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(Unsealable)?;
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: text, aad }).map_err(|_| Unsealable)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl Drop for Key {
    /// A courtesy and no proof: copies on the stack stay. The black box keeps the write from being
    /// optimized away.
    fn drop(&mut self) {
        self.0 = [0; 32];
        std::hint::black_box(&self.0);
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_alike_is_the_same_for_the_same_text_at_the_same_place_alone() {
        let key = Key::of([1; 32]);
        let sealed = key.seal_alike(b"agent 1", b"A01");
        assert_eq!(key.open(b"agent 1", &sealed).unwrap(), b"A01");
        assert_eq!(key.seal_alike(b"agent 1", b"A01"), sealed);
        let nonce = |sealed: &[u8]| sealed[1..=NONCE].to_vec();
        for other in [key.seal_alike(b"agent 1", b"A02"), key.seal_alike(b"agent 2", b"A01")] {
            assert_ne!(nonce(&other), nonce(&sealed), "no nonce is used for two texts");
        }
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_place_alone() {
        let (key, other) = (Key::random(), Key::random());
        let sealed = key.seal(b"inquiry 1", b"Ann");
        assert_eq!(sealed.len(), 3 + 41);
        assert_eq!(key.open(b"inquiry 1", &sealed).unwrap(), b"Ann");
        assert_ne!(key.seal(b"inquiry 1", b"Ann"), sealed, "equal texts look different");
        assert_eq!(key.open(b"inquiry 2", &sealed), Err(Unsealable));
        assert_eq!(other.open(b"inquiry 1", &sealed), Err(Unsealable));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"inquiry 1", &changed), Err(Unsealable), "byte {at}");
            assert_eq!(key.open(b"inquiry 1", &sealed[..at]), Err(Unsealable), "cut at {at}");
        }
    }
}
