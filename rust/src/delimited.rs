//! Delimited text: rows as RFC 4180 has them, read and written.

mod read;
mod write;

pub use read::{Form, read};
pub use write::{Cells, write};

const QUOTE: u8 = b'"';
