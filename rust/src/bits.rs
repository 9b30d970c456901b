//! Turning bit matrices: 128 planes of n bits become n rows of 128 bits.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use crate::aes::Block;

/// A square of 128 rows of 128 bits.
type Square = [Block; 128];

/// Row i gets bit i of plane b as its bit b.
///
/// Shapes: `planes` 128 planes of n/128 Blocks each, one plane after the other (bit i of a plane is
/// bit i % 128 of its Block i / 128); `out` n rows, n a multiple of 128.
/// Secret: the bits; they decide no branch and no index.
///
/// # Panics
/// If `planes` and `out` differ in length, or n is no multiple of 128.
pub fn rows(planes: &[Block], out: &mut [Block]) {
    assert_eq!(planes.len(), out.len(), "planes and rows");
    let (squares, rest) = out.as_chunks_mut();
    assert!(rest.is_empty(), "rows come in squares of 128");
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if x86::is_here() {
        // SAFETY: the features of the twin are here.
        #[expect(unsafe_code, reason = "the only door to x86")]
        return unsafe { x86::rows(planes, squares) };
    }
    portable::rows(planes, squares);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aes::Aes;

    #[test]
    fn every_twin_turns_every_bit() {
        // Rounds of 0 to 9 squares; planes that look random.
        for squares in 0..10 {
            let n = 128 * squares;
            let mut planes = vec![0; n];
            Aes::new(squares as Block).stream(0, &mut planes);
            let bit = |i: usize, b: usize| planes[b * squares + i / 128] >> (i % 128) & 1;
            let wanted: Vec<Block> =
                (0..n).map(|i| (0..128).map(|b| bit(i, b) << b).sum()).collect();
            let (mut fast, mut slow) = (vec![1; n], vec![1; n]);
            rows(&planes, &mut fast);
            portable::rows(&planes, slow.as_chunks_mut().0);
            assert_eq!(fast, wanted, "{squares} squares");
            assert_eq!(slow, wanted, "portable, {squares} squares");
        }
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if !x86::is_here() {
            eprintln!("the fast twin is not on this machine and not tested");
        }
    }

    #[test]
    #[should_panic(expected = "rows come in squares of 128")]
    fn broken_squares_panic() {
        rows(&[0; 130], &mut [0; 130]);
    }
}
