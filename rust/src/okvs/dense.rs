//! The dense cells: a system of few equations in 56 unknowns over F2.

use super::lane::Lane;
use super::row::DENSE;

/// Solves `xor of the cells that a row's bits name = the row's value` for all rows; cells that are
/// free are 0. Gives nothing if there is no solution.
///
/// Gauss's elimination. Which steps are taken depends on the rows, at home only.
pub(super) fn solve<L: Lane>(rows: impl IntoIterator<Item = (u64, L)>) -> Option<[L; DENSE]> {
    // The row at a column has its lowest bit there.
    let mut kept = [None; DENSE];
    for (mut bits, mut value) in rows {
        let place = loop {
            let column = bits.trailing_zeros() as usize;
            match kept.get_mut(column) {
                Some(Some((other, sum))) => {
                    bits ^= *other;
                    value ^= *sum;
                }
                place => break place,
            }
        };
        match place {
            Some(place) => *place = Some((bits, value)),
            None if value == L::default() => {}
            None => return None,
        }
    }
    let mut cells = [L::default(); DENSE];
    for column in (0..DENSE).rev() {
        if let Some((bits, value)) = kept[column] {
            let named = (0..DENSE).filter(|column| bits >> column & 1 == 1);
            // The cell itself is still 0.
            cells[column] = named.fold(value, |sum, column| sum ^ cells[column]);
        }
    }
    Some(cells)
}

/// All sums of seven dense cells: bit i of an index says whether cell i is in the sum.
pub(super) type Sums<L> = [L; 1 << SERVED];

/// Dense cells that one table of sums serves: eight tables of 2^7 blocks take half of a first cache of
/// 32 KiB, four of 2^14 would not fit the second.
const SERVED: usize = 7;

/// The sums of dense cells, seven by seven (the method of four Russians: Arlazarov, Dinic, Kronrod,
/// Faradzev, 1970).
pub(super) fn sums<L: Lane>(cells: &[L; DENSE]) -> [Sums<L>; DENSE / SERVED] {
    let mut tables = [[L::default(); 1 << SERVED]; DENSE / SERVED];
    for (sums, cells) in tables.iter_mut().zip(cells.as_chunks::<SERVED>().0) {
        for (i, cell) in cells.iter().enumerate() {
            let (without, with) = sums.split_at_mut(1 << i);
            for (with, without) in with.iter_mut().zip(without) {
                *with = *without ^ *cell;
            }
        }
    }
    tables
}

/// The sum, in table `i`, of those of its seven cells that the bits name.
#[inline]
pub(super) fn sum<L: Lane>(sums: &Sums<L>, i: usize, bits: u64) -> L {
    sums[(bits >> (i * SERVED)) as usize % sums.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    fn draw(entropy: &mut Entropy) -> u64 {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    #[test]
    fn the_solution_meets_every_row() {
        let mut entropy = Entropy::from_seed_for_tests([2; 32]);
        for count in [0, 1, 2, 30, 40] {
            let rows: Vec<_> =
                (0..count).map(|_| (draw(&mut entropy) >> 8, draw(&mut entropy))).collect();
            let cells = solve(rows.iter().copied()).expect("seed 2");
            let tables = sums(&cells);
            for (bits, value) in rows {
                let named = cells.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
                let slow = named.fold(0, |sum, (_, cell)| sum ^ cell);
                let fast = tables.iter().enumerate().fold(0, |all, (i, t)| all ^ sum(t, i, bits));
                assert_eq!((slow, fast), (value, value), "seed 2, {count} rows");
            }
        }
    }

    #[test]
    fn rows_that_contradict_one_another_have_no_solution_and_repeated_ones_do() {
        assert_eq!(solve([(0b11, 5_u64), (0b01, 4), (0b10, 1), (0b11, 5)]).unwrap()[..2], [4, 1]);
        assert!(solve([(0b11, 5_u64), (0b01, 4), (0b10, 2)]).is_none());
        assert!(solve([(0, 1_u64)]).is_none());
        assert!(solve((0..57).map(|i| (u64::MAX >> 8 & (3 << i), 1_u64 << i))).is_none());
    }
}
