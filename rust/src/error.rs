//! Why a kernel refused its input.

use std::fmt;

/// Why a kernel refused its input. Texts hold names and numbers, never data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument has another length than it must have.
    Length {
        /// The argument's name.
        argument: &'static str,
        /// The length it must have, or of which its length must be a multiple.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// Bytes that should be a point are none that an honest party sends.
    Point {
        /// The argument's name.
        argument: &'static str,
        /// The first such point, counted from 0.
        index: usize,
    },
    /// Rows that must ascend strictly do not.
    Order {
        /// The argument's name.
        argument: &'static str,
        /// The first row that is not above the one before it, counted from 0.
        index: usize,
    },
    /// An index points outside the batch that it indexes.
    Index {
        /// The argument's name.
        argument: &'static str,
        /// How many rows there are.
        bound: usize,
        /// The index.
        actual: usize,
    },
    /// A sealed label does not open although its tag matches.
    Seal {
        /// The entry, counted from 0.
        index: usize,
    },
    /// A batch is larger than the kernel can index.
    TooLarge {
        /// The argument's name.
        argument: &'static str,
        /// The largest number of rows.
        bound: usize,
        /// The number of rows.
        actual: usize,
    },
    /// A bin of the own set cannot be encoded; another session draws other rows.
    Solve {
        /// The bin, counted from 0.
        bin: usize,
    },
    /// More correlations are asked for than there are.
    Spent {
        /// How many there are.
        available: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// Outputs are asked for before all bins were evaluated.
    Early {
        /// The first bin that was not, counted from 0.
        bin: usize,
    },
    /// Bits that count tags do not count as many as there are.
    Unary {
        /// The argument's name.
        argument: &'static str,
    },
    /// What must agree in a message does not.
    Check {
        /// The argument's name.
        argument: &'static str,
    },
    /// A text is not written as it must be.
    Text {
        /// The argument's name.
        argument: &'static str,
    },
    /// A secret that serves once has served.
    Used {
        /// The argument's name.
        argument: &'static str,
    },
    /// The operating system gave no entropy.
    Entropy,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { argument, expected, actual } => {
                write!(f, "{argument}: length {actual}, expected {expected}")
            }
            Self::Point { argument, index } => write!(f, "{argument}: point {index} is not valid"),
            Self::Order { argument, index } => {
                write!(f, "{argument}: row {index} does not ascend")
            }
            Self::Index { argument, bound, actual } => {
                write!(f, "{argument}: index {actual} in a batch of {bound}")
            }
            Self::Seal { index } => write!(f, "the label of entry {index} does not open"),
            Self::TooLarge { argument, bound, actual } => {
                write!(f, "{argument}: {actual} rows, at most {bound}")
            }
            Self::Solve { bin } => write!(f, "bin {bin} of the set cannot be encoded"),
            Self::Spent { available, wanted } => {
                write!(f, "{wanted} correlations are asked for, there are {available}")
            }
            Self::Early { bin } => write!(f, "bin {bin} has not been evaluated"),
            Self::Unary { argument } => write!(f, "{argument}: does not count the tags"),
            Self::Check { argument } => write!(f, "{argument}: does not agree with itself"),
            Self::Text { argument } => write!(f, "{argument}: is not written as it must be"),
            Self::Used { argument } => write!(f, "{argument}: serves once"),
            Self::Entropy => write!(f, "the operating system gave no entropy"),
        }
    }
}

impl std::error::Error for Error {}
