//! Secrets at rest: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a key of 32 bytes, with a
//! drawn nonce of 24, so that one key may seal without end.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::error::Error;

const NONCE: usize = 24;
const MAC: usize = 16;
/// Bytes that sealing adds.
pub const SEAL: usize = NONCE + MAC;

/// Seals bytes, bound to a context that whoever opens them must name.
///
/// Shapes: n bytes to n + [`SEAL`].
pub fn seal(key: &[u8; 32], context: &[u8], secret: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    let mut sealed = vec![0; NONCE + secret.len() + MAC];
    let (nonce, rest) = sealed.split_at_mut(NONCE);
    let (body, mac) = rest.split_at_mut(secret.len());
    entropy.fill(nonce);
    body.copy_from_slice(secret);
    let nonce = XNonce::try_from(&*nonce).expect("a nonce of 24 bytes");
    let sum = XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&nonce, context, body.into())
        .expect("a secret is far below the cipher's bound of 2^38 bytes");
    mac.copy_from_slice(&sum);
    sealed
}

/// Opens what was sealed.
///
/// # Errors
/// [`Error::Check`] if the key, the context or the bytes are not those that were sealed.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let refused = || Error::Check { argument: "sealed" };
    let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or_else(refused)?;
    let length = rest.len().checked_sub(MAC).ok_or_else(refused)?;
    let (body, mac) = rest.split_at(length);
    let mut secret = Zeroizing::new(body.to_vec());
    let nonce = XNonce::try_from(nonce).map_err(|_| refused())?;
    let mac: [u8; MAC] = mac.try_into().map_err(|_| refused())?;
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(&nonce, context, secret.as_mut_slice().into(), &mac.into())
        .map_err(|_| refused())?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_context_open_the_same_bytes() {
        let mut entropy = Entropy::from_seed_for_tests([120; 32]);
        let refused = Some(Error::Check { argument: "sealed" });
        for secret in [&b""[..], b"s", &[7; 1000]] {
            let sealed = seal(&[1; 32], b"context", secret, &mut entropy);
            assert_eq!(sealed.len(), secret.len() + SEAL);
            assert_eq!(*open(&[1; 32], b"context", &sealed).unwrap(), secret);
            assert!(seal(&[1; 32], b"context", secret, &mut entropy) != sealed, "seed 120");
            assert_eq!(open(&[2; 32], b"context", &sealed).err(), refused);
            assert_eq!(open(&[1; 32], b"contexts", &sealed).err(), refused);
            for at in [0, NONCE, sealed.len() - 1] {
                let mut forged = sealed.clone();
                forged[at] ^= 1;
                assert_eq!(open(&[1; 32], b"context", &forged).err(), refused);
                assert_eq!(open(&[1; 32], b"context", &sealed[..at]).err(), refused);
            }
        }
    }
}
