//! The matrix B of the block code: `[I | B]` generates the extended quadratic residue code [48, 24,
//! 12].
//!
//! Modulo 47 half of the nonzero numbers are squares. Let beta be a primitive 47th root of unity in
//! GF(2^23); 2 is a square, so the product g of the `x - beta^r` over all squares r has its
//! coefficients in F2, and so has the product over the others. Of the two, which are reversals of
//! each other, g is the one that is the smaller as a number, bit i being the coefficient of x^i:
//! 0x8c76ef. It generates the quadratic residue code of length 47; a parity bit at position 47
//! extends it (MacWilliams and Sloane, "The theory of error-correcting codes", 1977, chapter 16).
//! Rows `x^i g` for i in 0..24, reduced until the first 24 columns are the identity, leave B in the
//! others.
//!
//! The code is doubly even and its own dual, so `B * B^T` is the identity, and no word but 0 weighs
//! less than 12, the most that this length and dimension allow. All of it is tested below.

/// Rows and columns of B.
pub(super) const SIDE: usize = 24;

/// Row i of B; bit j is column j.
#[cfg(test)]
pub(super) const ROWS: [u32; SIDE] = [
    0x008c_76ef,
    0x0098_edde,
    0x00b1_dbbc,
    0x00e3_b778,
    0x004b_181f,
    0x009a_46d1,
    0x00b4_8da2,
    0x00e9_1b44,
    0x005e_4067,
    0x00b0_f621,
    0x00e1_ec42,
    0x004f_ae6b,
    0x0093_2a39,
    0x00a6_5472,
    0x00cc_a8e4,
    0x0015_2727,
    0x002a_4e4e,
    0x0054_9c9c,
    0x00a5_4fd7,
    0x00ca_9fae,
    0x0019_49b3,
    0x0032_9366,
    0x0065_26cc,
    0x00c6_3b77,
];

/// The product of B with a column: `$put(i, y)` for each i in some order, y the sum of the `$x(j)`
/// with `B[i][j] = 1`, where `$xor` adds.
///
/// The 296 ones of B would take 272 additions; sums that rows share bring that to 128 (the greedy
/// search of Paar, ISIT 1997, with ties broken at random, best of 800 000). Their order keeps few
/// of them waiting.
macro_rules! products {
    ($x:ident, $xor:path, $put:ident) => {
        let x2 = $x(2);
        let x11 = $x(11);
        let s24 = $xor(x2, x11);
        let x17 = $x(17);
        let s25 = $xor(x17, s24);
        let x9 = $x(9);
        let x21 = $x(21);
        let s26 = $xor(x9, x21);
        let x1 = $x(1);
        let x19 = $x(19);
        let s27 = $xor(x1, x19);
        let x3 = $x(3);
        let s28 = $xor(x3, s27);
        let x6 = $x(6);
        let x10 = $x(10);
        let s29 = $xor(x6, x10);
        let x14 = $x(14);
        let s30 = $xor(x14, s29);
        let s31 = $xor(s30, s28);
        let s32 = $xor(s26, s31);
        let s33 = $xor(s25, s32);
        $put(16, s33);
        let x12 = $x(12);
        let s34 = $xor(x12, s26);
        let x8 = $x(8);
        let x15 = $x(15);
        let s35 = $xor(x8, x15);
        let s36 = $xor(s35, s34);
        let x5 = $x(5);
        let s37 = $xor(x5, x17);
        let x20 = $x(20);
        let s38 = $xor(x6, x20);
        let s39 = $xor(s37, s38);
        let s40 = $xor(x1, x2);
        let s41 = $xor(s39, s40);
        let s42 = $xor(s36, s41);
        $put(21, s42);
        let x18 = $x(18);
        let s43 = $xor(x2, x18);
        let x22 = $x(22);
        let s44 = $xor(x22, s43);
        let s45 = $xor(x14, s27);
        let x0 = $x(0);
        let s46 = $xor(x0, s45);
        let s47 = $xor(s46, s39);
        let s48 = $xor(s44, s47);
        $put(8, s48);
        let s49 = $xor(x15, x18);
        let x16 = $x(16);
        let s50 = $xor(x16, s28);
        let s51 = $xor(s49, s50);
        let s52 = $xor(x0, x9);
        let x13 = $x(13);
        let s53 = $xor(x13, s52);
        let s54 = $xor(x11, s53);
        let s55 = $xor(x22, s29);
        let s56 = $xor(s55, s37);
        let s57 = $xor(s54, s56);
        let s58 = $xor(s51, s57);
        $put(11, s58);
        let x7 = $x(7);
        let s59 = $xor(x7, s43);
        let s60 = $xor(s59, s31);
        let x23 = $x(23);
        let s61 = $xor(x5, x23);
        let s62 = $xor(x12, s61);
        let s63 = $xor(s62, s53);
        let s64 = $xor(s63, s60);
        $put(0, s64);
        let s65 = $xor(x3, x16);
        let s66 = $xor(s26, s65);
        let s67 = $xor(s55, s66);
        let s68 = $xor(x13, s67);
        let s69 = $xor(s59, s68);
        $put(22, s69);
        let s70 = $xor(x11, s61);
        let s71 = $xor(x20, s53);
        let s72 = $xor(s71, s70);
        let x4 = $x(4);
        let s73 = $xor(x4, x17);
        let s74 = $xor(s73, s65);
        let s75 = $xor(s74, s72);
        $put(12, s75);
        let s76 = $xor(s62, s73);
        let s77 = $xor(s35, s76);
        let s78 = $xor(s68, s77);
        $put(3, s78);
        let s79 = $xor(x0, x12);
        let s80 = $xor(s50, s79);
        let s81 = $xor(x22, s24);
        let s82 = $xor(s81, s73);
        let s83 = $xor(s82, s80);
        $put(4, s83);
        let s84 = $xor(x6, s81);
        let s85 = $xor(x19, s84);
        let s86 = $xor(x7, x13);
        let s87 = $xor(s85, s86);
        let s88 = $xor(s61, s49);
        let s89 = $xor(s88, s87);
        $put(14, s89);
        let s90 = $xor(x1, x18);
        let s91 = $xor(s90, s76);
        let s92 = $xor(x8, s53);
        let s93 = $xor(s84, s92);
        let s94 = $xor(s91, s93);
        $put(23, s94);
        let s95 = $xor(x3, x12);
        let s96 = $xor(x10, s81);
        let s97 = $xor(s96, s95);
        let s98 = $xor(x4, x7);
        let s99 = $xor(x20, s98);
        let s100 = $xor(s99, s49);
        let s101 = $xor(s100, s97);
        $put(17, s101);
        let s102 = $xor(x9, x17);
        let s103 = $xor(s62, s28);
        let s104 = $xor(s102, s103);
        let s105 = $xor(x7, s35);
        let s106 = $xor(s96, s105);
        let s107 = $xor(s106, s104);
        $put(19, s107);
        let s108 = $xor(x21, s90);
        let s109 = $xor(s30, s76);
        let s110 = $xor(s108, s109);
        $put(13, s110);
        let s111 = $xor(s34, s85);
        let s112 = $xor(x8, x16);
        let s113 = $xor(x23, s112);
        let s114 = $xor(s113, s111);
        $put(7, s114);
        let s115 = $xor(s24, s35);
        let s116 = $xor(s99, s115);
        let s117 = $xor(x23, s30);
        let s118 = $xor(x13, s117);
        let s119 = $xor(s28, s118);
        let s120 = $xor(s116, s119);
        $put(1, s120);
        let s121 = $xor(x2, s90);
        let s122 = $xor(x10, s71);
        let s123 = $xor(x5, s112);
        let s124 = $xor(s123, s122);
        let s125 = $xor(s121, s124);
        $put(15, s125);
        let s126 = $xor(x1, x11);
        let s127 = $xor(x16, x22);
        let s128 = $xor(s126, s127);
        let s129 = $xor(x15, x21);
        let s130 = $xor(s118, s129);
        let s131 = $xor(s130, s128);
        $put(10, s131);
        let s132 = $xor(x14, s62);
        let s133 = $xor(s66, s132);
        let s134 = $xor(s116, s133);
        $put(2, s134);
        let s135 = $xor(s108, s105);
        let s136 = $xor(x10, x20);
        let s137 = $xor(s70, s136);
        let s138 = $xor(s135, s137);
        $put(6, s138);
        let s139 = $xor(s132, s129);
        let s140 = $xor(s122, s139);
        $put(9, s140);
        let s141 = $xor(s52, s117);
        let s142 = $xor(s24, s98);
        let s143 = $xor(s141, s142);
        let s144 = $xor(s112, s108);
        let s145 = $xor(s144, s143);
        $put(18, s145);
        let s146 = $xor(x17, x19);
        let s147 = $xor(s99, s141);
        let s148 = $xor(s146, s147);
        $put(5, s148);
        let s149 = $xor(x11, s99);
        let s150 = $xor(s123, s46);
        let s151 = $xor(s149, s150);
        $put(20, s151);
    };
}

pub(super) use products;

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the cyclic code.
    const P: usize = 47;

    /// The product of two elements of GF(2^23) = F2[x] / (x^23 + x^5 + 1).
    fn multiply(a: u32, b: u32) -> u32 {
        (0..23).rev().fold(0, |sum, i| {
            let doubled = sum << 1;
            let reduced =
                if doubled >> 23 == 1 { doubled ^ (1 << 23 | 1 << 5 | 1) } else { doubled };
            reduced ^ if b >> i & 1 == 1 { a } else { 0 }
        })
    }

    fn power(base: u32, exponent: usize) -> u32 {
        (0..usize::BITS).rev().fold(1, |power, i| {
            let square = multiply(power, power);
            if exponent >> i & 1 == 1 { multiply(square, base) } else { square }
        })
    }

    /// The product of the `x - beta^r`; bit i is the coefficient of x^i.
    fn polynomial(beta: u32, exponents: &[usize]) -> u64 {
        let mut coefficients = vec![1];
        for r in exponents {
            let (shifted, mut next) = (coefficients.clone(), vec![0]);
            next.extend(shifted);
            for (next, c) in next.iter_mut().zip(coefficients) {
                *next ^= multiply(c, power(beta, *r));
            }
            coefficients = next;
        }
        assert!(coefficients.iter().all(|c| *c <= 1), "coefficients are in F2");
        coefficients.iter().rev().fold(0, |g, c| g << 1 | u64::from(*c))
    }

    #[test]
    fn rows_follow_from_the_squares_modulo_47() {
        let beta = power(2, ((1 << 23) - 1) / P);
        assert!(beta != 1 && power(beta, P) == 1, "beta is a primitive 47th root of unity");
        let (squares, others): (Vec<usize>, Vec<usize>) =
            (1..P).partition(|r| (1..P).any(|i| i * i % P == *r));
        let g = polynomial(beta, &squares).min(polynomial(beta, &others));
        assert_eq!(g, 0x8c_76ef);
        let mut rows: Vec<u64> =
            (0..SIDE).map(|i| g << i | u64::from(g.count_ones() % 2) << P).collect();
        for column in 0..SIDE {
            let pivot = (column..SIDE).find(|r| rows[*r] >> column & 1 == 1).unwrap();
            rows.swap(column, pivot);
            let row = rows[column];
            for (r, other) in rows.iter_mut().enumerate() {
                if r != column && *other >> column & 1 == 1 {
                    *other ^= row;
                }
            }
        }
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(*row, 1 << i | u64::from(ROWS[i]) << SIDE, "row {i}");
        }
    }

    #[test]
    fn the_sums_are_the_rows() {
        let mut products = [0; SIDE];
        let unit = |j: usize| 1_u32 << j;
        let mut put = |i: usize, y: u32| products[i] = y;
        products!(unit, std::ops::BitXor::bitxor, put);
        assert_eq!(products, ROWS);
    }

    #[test]
    fn the_code_is_its_own_dual() {
        for (i, row) in ROWS.iter().enumerate() {
            for (j, other) in ROWS.iter().enumerate() {
                assert_eq!((row & other).count_ones() % 2 == 1, i == j, "rows {i} and {j}");
            }
        }
    }

    #[test]
    #[cfg_attr(debug_assertions, ignore = "all 2^24 words take long without optimisation")]
    fn no_word_but_zero_weighs_less_than_12() {
        let mut weights = [0; 2 * SIDE + 1];
        let (mut word, mut parity) = (0_u32, 0);
        weights[0] = 1;
        for i in 1..1_u32 << SIDE {
            // Words in the order of a Gray code: one row more or less each.
            let row = i.trailing_zeros() as usize;
            (word, parity) = (word ^ 1 << row, parity ^ ROWS[row]);
            weights[(word.count_ones() + parity.count_ones()) as usize] += 1;
        }
        // MacWilliams and Sloane, chapter 16: the weight distribution of this code.
        let mut known = [0; 2 * SIDE + 1];
        for (weight, words) in
            [(0, 1), (12, 17_296), (16, 535_095), (20, 3_995_376), (24, 7_681_680)]
        {
            (known[weight], known[2 * SIDE - weight]) = (words, words);
        }
        assert_eq!(weights, known);
    }
}
