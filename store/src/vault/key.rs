//! A key, and what is sealed with it.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

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

    /// Encrypts `plain`: `0x01 ‖ nonce ‖ ciphertext ‖ tag`, 41 bytes more than `plain`. `aad` says what
    /// it is and where it belongs, and must be given again to open it, so that nothing sealed can be
    /// put in another's place. The nonce is random: 192 bits never meet by chance.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = random();
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: plain, aad });
        let sealed = sealed.expect("a text in memory is below the cipher's 256 GB");
        [&[SEAL_V1][..], &nonce, &sealed].concat()
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
