//! Columns to delimited text: commas, line feeds, and every text in quotes.
//!
//! A missing cell is empty and an empty text is two quotes, so that readers can tell them apart.

use std::ops::Range;

use arrow_array::{Array, Int64Array, LargeStringArray, UInt32Array};
use rayon::prelude::*;

use super::QUOTE;
use crate::error::Error;
use crate::texts::SHORT;

/// Rows a task writes: at some 60 bytes a row 250 KB, which stay in the second cache until they are
/// handed on.
const CHUNK: usize = 4096;
/// Digits of 2^63, the largest number but for its sign.
const DIGITS: usize = 19;
/// Two digits at a time: 00 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// A column and how its cells are written.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// Texts in quotes.
    Quoted(&'a LargeStringArray),
    /// Texts as they stand: without comma, quote and line end, as those of dates and decimals are.
    Bare(&'a LargeStringArray),
    /// Numbers.
    Signed(&'a Int64Array),
    /// Numbers that are not negative.
    Unsigned(&'a UInt32Array),
}

/// Writes columns as rows of text, on all cores.
///
/// Shapes: columns of n rows each to pieces of text, which follow one another.
/// Secret: the cells; time and memory access depend on them, at home only.
///
/// # Errors
/// [`Error::Length`] if columns differ in length.
pub fn write(columns: &[Cells<'_>]) -> Result<Vec<Vec<u8>>, Error> {
    let rows = columns.first().map_or(0, Cells::rows);
    if let Some(other) = columns.iter().find(|column| column.rows() != rows) {
        let actual = other.rows();
        return Err(Error::Length { argument: "columns", expected: rows, actual });
    }
    let chunks = (0..rows.div_ceil(CHUNK)).into_par_iter();
    Ok(chunks
        .map(|chunk| write_some(columns, chunk * CHUNK..rows.min((chunk + 1) * CHUNK)))
        .collect())
}

fn write_some(columns: &[Cells<'_>], rows: Range<usize>) -> Vec<u8> {
    let room: usize = columns.iter().map(|column| column.most(&rows)).sum();
    let columns: Vec<_> =
        columns.iter().map(|column| (column, column.bytes(&rows).contains(&QUOTE))).collect();
    let mut text = vec![0; room + SHORT];
    // Kept beside the vector, whose own length would be loaded and stored for each byte.
    let mut end = 0;
    for row in rows {
        for (column, has_quotes) in &columns {
            end = column.write(row, *has_quotes, &mut text, end);
            text[end] = b',';
            end += 1;
        }
        text[end - 1] = b'\n';
    }
    text.truncate(end);
    text
}

impl<'a> Cells<'a> {
    fn rows(&self) -> usize {
        match self {
            Self::Quoted(texts) | Self::Bare(texts) => texts.len(),
            Self::Signed(numbers) => numbers.len(),
            Self::Unsigned(numbers) => numbers.len(),
        }
    }

    /// The texts of some rows, one after the other; of numbers there are none yet.
    fn bytes(&self, rows: &Range<usize>) -> &'a [u8] {
        match self {
            Self::Quoted(texts) | Self::Bare(texts) => {
                let ends = texts.value_offsets();
                &texts.value_data()[ends[rows.start] as usize..ends[rows.end] as usize]
            }
            Self::Signed(_) | Self::Unsigned(_) => &[],
        }
    }

    /// Most bytes that some rows need, with what stands behind each cell.
    fn most(&self, rows: &Range<usize>) -> usize {
        let bytes = self.bytes(rows);
        match self {
            Self::Quoted(_) => {
                bytes.len() + bytes.iter().filter(|b| **b == QUOTE).count() + 3 * rows.len()
            }
            Self::Bare(_) => bytes.len() + rows.len(),
            Self::Signed(_) => (1 + DIGITS + 1) * rows.len(),
            Self::Unsigned(_) => (DIGITS + 1) * rows.len(),
        }
    }

    /// Writes a cell from `end` on, and gives where it ends.
    fn write(&self, row: usize, has_quotes: bool, text: &mut [u8], end: usize) -> usize {
        match self {
            Self::Quoted(texts) if texts.is_valid(row) => {
                text[end] = QUOTE;
                let end = if has_quotes {
                    double_quotes(texts.value(row).as_bytes(), text, end + 1)
                } else {
                    copy(texts, row, text, end + 1)
                };
                text[end] = QUOTE;
                end + 1
            }
            Self::Bare(texts) if texts.is_valid(row) => copy(texts, row, text, end),
            Self::Signed(numbers) if numbers.is_valid(row) => {
                let number = numbers.value(row);
                text[end] = b'-'; // a digit is written over it if there is none
                digits(number.unsigned_abs(), text, end + usize::from(number < 0))
            }
            Self::Unsigned(numbers) if numbers.is_valid(row) => {
                digits(numbers.value(row).into(), text, end)
            }
            _ => end, // missing
        }
    }
}

fn copy(texts: &LargeStringArray, row: usize, text: &mut [u8], end: usize) -> usize {
    let value = texts.value(row).as_bytes();
    let from = texts.value_offsets()[row] as usize;
    let more = texts.value_data()[from..].first_chunk::<SHORT>();
    match (more, text[end..].first_chunk_mut::<SHORT>()) {
        (Some(more), Some(room)) if value.len() <= SHORT => *room = *more,
        _ => text[end..end + value.len()].copy_from_slice(value),
    }
    end + value.len()
}

fn double_quotes(value: &[u8], text: &mut [u8], mut end: usize) -> usize {
    for byte in value {
        text[end] = *byte;
        end += 1;
        if *byte == QUOTE {
            text[end] = QUOTE;
            end += 1;
        }
    }
    end
}

fn digits(mut number: u64, text: &mut [u8], end: usize) -> usize {
    let count = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let (first, pairs) = text[end..end + count].as_rchunks_mut();
    for pair in pairs.iter_mut().rev() {
        *pair = PAIRS[(number % 100) as usize];
        number /= 100;
    }
    if let [digit] = first {
        *digit = PAIRS[number as usize][1];
    }
    end + count
}

#[cfg(test)]
mod tests {
    use super::super::{Form, read};
    use super::*;
    use proptest::prelude::*;

    fn written(columns: &[Cells<'_>]) -> String {
        String::from_utf8(write(columns).unwrap().concat()).unwrap()
    }

    #[test]
    fn cells_are_written_by_their_kind() {
        let texts = LargeStringArray::from(vec![Some("a"), None, Some(""), Some("京\",\"\n")]);
        let dates = LargeStringArray::from(vec![Some("2020-01-01"), None, Some("1E+2"), None]);
        let signed = Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None, Some(-10)]);
        let unsigned = UInt32Array::from(vec![Some(u32::MAX), Some(0), None, Some(9)]);
        let columns = [
            Cells::Quoted(&texts),
            Cells::Bare(&dates),
            Cells::Signed(&signed),
            Cells::Unsigned(&unsigned),
        ];
        let rows = [
            "\"a\",2020-01-01,-9223372036854775808,4294967295\n",
            ",,9223372036854775807,0\n",
            "\"\",1E+2,,\n",
            "\"京\"\",\"\"\n\",,-10,9\n",
        ];
        assert_eq!(written(&columns), rows.concat());
        let (texts, unsigned) = (texts.slice(3, 1), unsigned.slice(0, 1));
        let columns = [Cells::Quoted(&texts), Cells::Unsigned(&unsigned)];
        assert_eq!(written(&columns), "\"京\"\",\"\"\n\",4294967295\n");
    }

    #[test]
    fn columns_are_of_one_length_and_may_have_no_rows() {
        let (none, one) = (Int64Array::from(vec![0; 0]), UInt32Array::from(vec![1]));
        assert_eq!(written(&[]), "");
        assert_eq!(written(&[Cells::Signed(&none)]), "");
        let length = Error::Length { argument: "columns", expected: 0, actual: 1 };
        assert_eq!(write(&[Cells::Signed(&none), Cells::Unsigned(&one)]), Err(length));
    }

    #[test]
    fn rows_of_several_chunks_follow_one_another() {
        let numbers: Vec<i64> = (0..2 * CHUNK as i64 + 1).map(|n| n * n - 99).collect();
        let lines: String = numbers.iter().map(|n| format!("{n}\n")).collect();
        assert_eq!(written(&[Cells::Signed(&Int64Array::from(numbers))]), lines);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts: Vec<Option<String>>, long in 0usize..80) {
            let texts = LargeStringArray::from_iter(texts.iter().map(|text| {
                // A zero byte is in no file that is read, and an empty text is read as missing.
                text.as_ref().map(|text| format!("x{}", text.repeat(long).replace('\0', "\"")))
            }));
            let ones = Int64Array::from(vec![1; texts.len()]);
            let text = written(&[Cells::Signed(&ones), Cells::Quoted(&texts)]);
            let form = Form { delimiter: b',', width: 2 };
            let (columns, end) = read(text.as_bytes(), form, &[1], usize::MAX, true).unwrap();
            prop_assert_eq!(end, text.len());
            prop_assert_eq!(&columns[0], &texts);
        }
    }
}
