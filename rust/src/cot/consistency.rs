//! Shows that trees open to the same leaves whatever Delta is.
//!
//! The check of a punctured pseudorandom function of Boyle, Couteau, Gilboa, Ishai, Kohl, Rindal
//! and Scholl, CCS 2019, section 5, as SoftSpoken (Roy, CRYPTO 2022) uses it. Each leaf has an
//! image of 256 bits, two hashes of it: no two leaves share one. Of each group the receiver says
//! the sum of all images, so that the sender finds that of the leaf it lacks, and of all images in
//! order one digest. If the digest is the sender's too, its leaves are those behind the receiver's
//! images, or two images have one digest. A receiver that spoils leaves for some values of bits of
//! Delta only is found out for these values, and learns the bits if it is not.
//!
//! What it costs the receiver: the sender learns the image of the leaf that it lacks, a hash of it
//! under two public keys. Its stream is as hidden as before.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{BYTES, DEPTH, GROUPS, LEAVES, bit};
use crate::aes::Block;
use crate::session::session_key;

/// What the images are hashed after.
const DOMAIN: &[u8] = b"greenlane/vole/1/cot/trees";
/// Blocks of an image.
const IMAGE: usize = 2;
const DIGEST: usize = 32;
/// Bytes of what is said: a sum of images a group, and the digest of all images.
pub(super) const SHOWN: usize = GROUPS * IMAGE * BYTES + DIGEST;

type Image = [Block; IMAGE];
/// Of leaf x of group g at 16g + x.
type Images = Zeroizing<Vec<Image>>;

/// What the receiver says.
///
/// Secret: the leaves, 16 a group; they decide no branch and no index.
pub(super) fn show(sid: &[u8; 32], leaves: &[Block]) -> Vec<u8> {
    let images = images(sid, leaves);
    let mut shown = Vec::with_capacity(SHOWN);
    for images in images.chunks_exact(LEAVES) {
        let sum = sum(images);
        shown.extend(sum.iter().flat_map(|block| block.to_le_bytes()));
    }
    shown.extend(digest(sid, &images));
    shown
}

/// Whether what the receiver said is of these leaves.
///
/// Shapes: leaf `y ^ D_g` of group g at 16g + y, anything where y = 0, the leaf that is missing;
/// `shown` [`SHOWN`] bytes.
/// Secret: Delta and the leaves; they decide no branch and no index.
pub(super) fn agrees(sid: &[u8; 32], delta: Block, leaves: &[Block], shown: &[u8]) -> Choice {
    let mut images = images(sid, leaves);
    let (sums, due) = shown.split_at(SHOWN - DIGEST);
    let (sums, _) = sums.as_chunks::<BYTES>();
    let groups = images.chunks_exact_mut(LEAVES).zip(sums.as_chunks::<IMAGE>().0);
    for (g, (images, shown)) in groups.enumerate() {
        images[0] = [0; IMAGE];
        let known = sum(images);
        images[0] = std::array::from_fn(|i| known[i] ^ Block::from_le_bytes(shown[i]));
        // From number y = x ^ D_g to x: whoever has a bit changes places with whoever has not.
        for b in 0..DEPTH {
            let differ = bit(delta, DEPTH * g + b);
            for y in (0..LEAVES).filter(|y| y >> b & 1 == 0) {
                let (low, high) = images.split_at_mut(y + 1);
                for (one, other) in low[y].iter_mut().zip(&mut high[(1 << b) - 1]) {
                    Block::conditional_swap(one, other, differ);
                }
            }
        }
    }
    digest(sid, &images)[..].ct_eq(due)
}

fn images(sid: &[u8; 32], leaves: &[Block]) -> Images {
    let mut images = Zeroizing::new(vec![[0; IMAGE]; leaves.len()]);
    for (i, label) in ["cot/check/0", "cot/check/1"].into_iter().enumerate() {
        let mut hashes = Zeroizing::new(leaves.to_vec());
        session_key(sid, label).hash_each(&mut hashes);
        images.iter_mut().zip(&*hashes).for_each(|(image, hash)| image[i] = *hash);
    }
    images
}

fn sum(images: &[Image]) -> Zeroizing<Image> {
    let sum = |all: Image, one: &Image| std::array::from_fn(|i| all[i] ^ one[i]);
    images.iter().fold([0; IMAGE], sum).into()
}

fn digest(sid: &[u8; 32], images: &Images) -> [u8; DIGEST] {
    let mut hash = Sha256::new_with_prefix(DOMAIN).chain_update(sid);
    for block in images.as_flattened() {
        hash.update(block.to_le_bytes());
    }
    hash.finalize().into()
}
