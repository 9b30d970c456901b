//! Levels of trees, node by node: the definition of the fast twin.

use super::{LANES, Row, sigma};

/// Makes right children of parents and left children, and sums the left ones.
///
/// Parents are known by their sigma, which that of the right children replaces; left children as they
/// are, and their sigma replaces them.
pub(super) fn split(parents: &mut [Row], lefts: &mut [Row]) -> Row {
    let sums = sum(lefts);
    for (parent, left) in parents.as_flattened_mut().iter_mut().zip(lefts.as_flattened_mut()) {
        *left = sigma(*left);
        *parent ^= *left;
    }
    sums
}

/// Adds the sigma of 1.
pub(super) fn flip(rows: &mut [Row]) {
    rows.as_flattened_mut().iter_mut().for_each(|block| *block ^= sigma(1));
}

/// The sum of rows.
pub(super) fn sum(rows: &[Row]) -> Row {
    rows.iter().fold([0; LANES], |sums, row| std::array::from_fn(|lane| sums[lane] ^ row[lane]))
}
