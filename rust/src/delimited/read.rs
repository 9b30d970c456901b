//! Delimited text to columns, with any ASCII delimiter and line end.
//!
//! Strict where other readers forgive: a quote opens a cell at its beginning, closes it at its end
//! or is doubled inside of it, or the text is refused; else one quote too many would swallow rows.
//! What ends a cell is found for 64 bytes at a time, what ends a quote for eight (Warren, "Hacker's
//! Delight", section 6-1).

use arrow_array::LargeStringArray;
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use super::QUOTE;
use crate::error::Error;
use crate::texts;

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;
/// 2^(56 - 7 i) for byte i, which brings its lowest bit to bit 56 + i; no two meet on the way.
const GATHER: u64 = 0x0102_0408_1020_4080;
/// Bytes whose marks are found at once, a bit for each.
const BLOCK: usize = 64;
const FAULT: Error = Error::Text { argument: "text" };

/// How rows are written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// What stands between two cells: an ASCII character, no quote and no line end.
    pub delimiter: u8,
    /// Cells of a row.
    pub width: usize,
}

/// Reads whole rows from the beginning of a text; blank lines are no rows, empty cells are missing.
///
/// Shapes: the columns `wanted`, counted from 0, of the same up to `most` rows each; and how many
/// bytes these rows have, from which the caller goes on. A row whose end is not in the text is left,
/// unless this is the `last` of the text.
/// Secret: the cells; time and memory access depend on them, at home only.
///
/// # Errors
/// [`Error::Text`] if a row is not as described, or no UTF-8, or holds a zero byte;
/// [`Error::Index`] if there is no such column.
pub fn read(
    text: &[u8],
    form: Form,
    wanted: &[usize],
    most: usize,
    last: bool,
) -> Result<(Vec<LargeStringArray>, usize), Error> {
    let mut slots = vec![None; form.width];
    for (slot, column) in wanted.iter().enumerate() {
        let index = Error::Index { argument: "wanted", bound: form.width, actual: *column };
        *slots.get_mut(*column).ok_or(index)? = Some(slot);
    }
    let bytes = text.len() / form.width.max(1);
    let mut columns: Vec<_> = wanted.iter().map(|_| Column::new(most.min(bytes), bytes)).collect();
    let mut marks = Marks::new(text, form.delimiter);
    let (mut rows, mut end) = (0, 0);
    while rows < most && end < text.len() {
        if is_line_end(text[end]) {
            end += 1;
            continue;
        }
        let Some(next) = row(&mut marks, end, last, &slots, &mut columns)? else {
            columns.iter_mut().for_each(|column| column.truncate(rows));
            break;
        };
        rows += 1;
        end = next;
    }
    let read = &text[..end];
    if read.contains(&0) || std::str::from_utf8(read).is_err() {
        return Err(FAULT);
    }
    Ok((columns.into_iter().map(Column::finish).collect(), end))
}

/// Adds the cells of the row that begins at `at`; gives where the next one begins, or nothing if
/// this one does not end in the text.
fn row(
    marks: &mut Marks<'_>,
    mut at: usize,
    last: bool,
    slots: &[Option<usize>],
    columns: &mut [Column],
) -> Result<Option<usize>, Error> {
    let (text, delimiter) = (marks.text, marks.delimiter);
    for (cell, slot) in slots.iter().enumerate() {
        let mut column = slot.map(|slot| &mut columns[slot]);
        let stop = if text.get(at) == Some(&QUOTE) {
            match quoted(text, at + 1, last, column.as_deref_mut()) {
                Some(stop) => stop,
                None if last => return Err(FAULT),
                None => return Ok(None),
            }
        } else {
            let stop = marks.find(at);
            if text.get(stop) == Some(&QUOTE) {
                return Err(FAULT);
            }
            if let Some(column) = &mut column {
                texts::append(&mut column.values, text, at, stop);
            }
            stop
        };
        if let Some(column) = column {
            column.end_cell();
        }
        let ends = cell + 1 == slots.len();
        match text.get(stop) {
            None if !last => return Ok(None),
            None if ends => return Ok(Some(stop)),
            Some(byte) if ends && is_line_end(*byte) => return Ok(Some(stop + 1)),
            Some(byte) if !ends && *byte == delimiter => at = stop + 1,
            _ => return Err(FAULT),
        }
    }
    Err(FAULT) // a row without cells
}

/// Where a text has delimiters, quotes and line ends: 64 bytes of it at a time.
struct Marks<'a> {
    text: &'a [u8],
    delimiter: u8,
    block: usize,
    /// A bit for each byte of the block.
    marks: u64,
}

impl<'a> Marks<'a> {
    fn new(text: &'a [u8], delimiter: u8) -> Self {
        let mut marks = Self { text, delimiter, block: 0, marks: 0 };
        marks.load(0);
        marks
    }

    /// The first mark from `at` on, or the length of the text.
    fn find(&mut self, at: usize) -> usize {
        if at / BLOCK != self.block {
            self.load(at / BLOCK);
        }
        let mut marks = self.marks & u64::MAX << (at % BLOCK);
        while marks == 0 {
            if (self.block + 1) * BLOCK >= self.text.len() {
                return self.text.len();
            }
            self.load(self.block + 1);
            marks = self.marks;
        }
        self.block * BLOCK + marks.trailing_zeros() as usize
    }

    fn load(&mut self, block: usize) {
        let rest = self.text.get(block * BLOCK..).unwrap_or_default();
        let mut padded = [0; BLOCK]; // which are no marks
        let bytes = rest.first_chunk().unwrap_or_else(|| {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        });
        (self.block, self.marks) = (block, self.marks_of(bytes));
    }

    fn marks_of(&self, bytes: &[u8; BLOCK]) -> u64 {
        let is_mark = |byte: u8| (byte == self.delimiter) | (byte == QUOTE) | is_line_end(byte);
        let marks = bytes.map(|byte| u8::from(is_mark(byte)));
        let (words, _) = marks.as_chunks();
        // Brings the lowest bit of each byte into the highest byte: that of byte i to bit i.
        let gather = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56;
        words.iter().rev().fold(0, |marks, word| marks << 8 | gather(word))
    }
}

/// Adds what stands in quotes from `from` on; gives where the cell stops, if it does in this text.
fn quoted(
    text: &[u8],
    mut from: usize,
    last: bool,
    mut column: Option<&mut Column>,
) -> Option<usize> {
    let mut add = |part: &[u8]| {
        if let Some(column) = &mut column {
            column.values.extend_from_slice(part);
        }
    };
    loop {
        let quote = find(text, from, |word| zeros(word ^ (ONES * u64::from(QUOTE))));
        match (text.get(quote), text.get(quote + 1)) {
            (None, _) => return None,
            (_, None) if !last => return None, // it may be the first of two
            (_, Some(&QUOTE)) => {
                add(&text[from..=quote]);
                from = quote + 2;
            }
            _ => {
                add(&text[from..quote]);
                return Some(quote + 1);
            }
        }
    }
}

/// The first position from `from` on whose byte `seen` marks, or the length of the text.
///
/// `seen` sets the high bit of each byte that it marks, and may set those of bytes above the first.
fn find(text: &[u8], from: usize, seen: impl Fn(u64) -> u64) -> usize {
    let mut at = from;
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let seen = seen(u64::from_le_bytes(*word));
        if seen != 0 {
            return at + seen.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let mut word = [0xFF; 8]; // which is no mark
    let rest = text.get(at..).unwrap_or_default();
    word[..rest.len()].copy_from_slice(rest);
    at.min(text.len())
        + rest.len().min(seen(u64::from_le_bytes(word)).trailing_zeros() as usize / 8)
}

/// Marks bytes that are zero.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

const fn is_line_end(byte: u8) -> bool {
    (byte == b'\n') | (byte == b'\r')
}

/// The cells of a column so far.
struct Column {
    values: Vec<u8>,
    /// Where each cell ends, after a first 0.
    ends: Vec<i64>,
}

impl Column {
    fn new(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { values: Vec::with_capacity(bytes), ends }
    }

    fn end_cell(&mut self) {
        self.ends.push(self.values.len() as i64);
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.values.truncate(self.ends[rows] as usize);
    }

    fn finish(self) -> LargeStringArray {
        let rows = self.ends.len() - 1;
        let there = BooleanBuffer::collect_bool(rows, |row| self.ends[row] < self.ends[row + 1]);
        let nulls = NullBuffer::new(there);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        LargeStringArray::try_new(ends, Buffer::from_vec(self.values), nulls)
            .expect("rows are UTF-8 and cells are cut at ASCII characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { delimiter: b',', width: 2 };

    type Cells = Vec<Vec<Option<String>>>;

    fn cells(columns: &[LargeStringArray]) -> Cells {
        columns.iter().map(|column| column.iter().map(|c| c.map(str::to_owned)).collect()).collect()
    }

    fn both(text: &str, last: bool) -> Result<(Cells, usize), Error> {
        read(text.as_bytes(), FORM, &[0, 1], 99, last).map(|(columns, end)| (cells(&columns), end))
    }

    fn column(cells: &[&str]) -> Vec<Option<String>> {
        cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect()
    }

    #[test]
    fn rows_are_cut_into_cells() {
        for (text, first, second) in [
            ("", vec![], vec![]),
            ("a,b\nc,d\n", vec!["a", "c"], vec!["b", "d"]),
            ("a,b\r\nc,d", vec!["a", "c"], vec!["b", "d"]),
            ("\n\r\na,b\r\r\nc,d\r", vec!["a", "c"], vec!["b", "d"]),
            (",\n\"\",\"\"\n,", vec!["", "", ""], vec!["", "", ""]),
            ("\"a\n,\"\"x\"\"\",\"\"\"\"\n", vec!["a\n,\"x\""], vec!["\""]),
            ("123456789,京A12345·\tx y\n", vec!["123456789"], vec!["京A12345·\tx y"]),
            ("1234567,12345678", vec!["1234567"], vec!["12345678"]),
        ] {
            let whole = (vec![column(&first), column(&second)], text.len());
            assert_eq!(both(text, true), Ok(whole), "{text:?}");
        }
    }

    #[test]
    fn rows_that_do_not_end_are_left() {
        for (text, end) in
            [("a,b\nc,d", 4), ("a,b\nc,\"d\"", 4), ("a,b\nc,\"d\n", 4), ("a,b\n", 4), ("a,b", 0)]
        {
            let (columns, taken) = both(text, false).unwrap();
            assert_eq!(taken, end, "{text:?}");
            assert_eq!(columns[1], column(if end > 0 { &["b"] } else { &[] }), "{text:?}");
        }
    }

    #[test]
    fn columns_come_as_wanted_and_rows_as_many() {
        let text = b"a,b\nc,d\ne,f\n";
        let (columns, end) = read(text, FORM, &[1], 2, true).unwrap();
        assert_eq!((cells(&columns), end), (vec![column(&["b", "d"])], 8));
        let (columns, _) = read(text, FORM, &[1, 0], 1, true).unwrap();
        assert_eq!(cells(&columns), [column(&["b"]), column(&["a"])]);
        assert!(matches!(read(text, FORM, &[2], 1, true), Err(Error::Index { .. })));
    }

    #[test]
    fn what_is_not_as_described_is_refused() {
        for text in [
            &b"a\n"[..],
            b"a,b,c\n",
            b"a,b\"\n",
            b"a,\"b\"c\n",
            b"a,\"b",
            b"\"a\",\"b\"\"",
            b"a,\0\n",
            b"a,\xE7\n",
            b"a",
            b"a,\"b\" \n",
            b"\xB2\xE2,b\n",
        ] {
            assert_eq!(read(text, FORM, &[0], 9, true), Err(FAULT), "{text:?}");
        }
        assert_eq!(read(b"a", Form { width: 0, ..FORM }, &[], 9, true), Err(FAULT));
    }
}
