//! The only module that names Python: it borrows buffers, releases the GIL around the kernel and
//! turns [`Error`] into `ValueError`. Arrays cross as Arrow PyCapsules, batches as `bytes`, secrets
//! as classes that show nothing of themselves.

mod columns;
mod grouping;
mod inquiring;
mod joining;
mod matching;

use arrow_array::Array;
use arrow_array::types::UInt32Type;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use self::columns::{Column, give};
use crate::entries::Form;
use crate::error::Error;
use crate::{
    curve25519, delimited, dh, elements, entries, entropy, identifiers, labels, memory, shuffle,
    texts, threads,
};

pyo3::create_exception!(
    psi._core,
    CheckError,
    PyValueError,
    "What a peer says in one place does not agree with what it says in another."
);
pyo3::create_exception!(
    psi._core,
    SolveError,
    PyValueError,
    "A bin of the own set cannot be encoded."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Entropy => PyRuntimeError::new_err(error.to_string()),
            Error::Check { .. } => CheckError::new_err(error.to_string()),
            Error::Solve { .. } => SolveError::new_err(error.to_string()),
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

/// A source of secret randomness for one session.
#[pyclass(module = "psi._core")]
pub struct Entropy(entropy::Entropy);

#[pymethods]
impl Entropy {
    #[staticmethod]
    fn from_os() -> PyResult<Self> {
        Ok(Self(entropy::Entropy::from_os()?))
    }

    #[staticmethod]
    fn from_seed_for_tests(seed: [u8; 32]) -> Self {
        Self(entropy::Entropy::from_seed_for_tests(seed))
    }

    /// The next `count` bytes; for nonces, decoys and padding, never for keys.
    fn bytes<'py>(&mut self, py: Python<'py>, count: usize) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, count, |out| {
            self.0.fill(out);
            Ok(())
        })
    }
}

/// A secret scalar with its inverse.
#[pyclass(frozen, module = "psi._core")]
struct Key(dh::Key);

#[pymethods]
impl Key {
    #[staticmethod]
    fn draw(entropy: &mut Entropy) -> Self {
        Self(dh::Key::draw(&mut entropy.0))
    }
}

/// Secret outputs, one for each element.
#[pyclass(module = "psi._core")]
pub struct Outputs(dh::Outputs);

#[pymethods]
impl Outputs {
    #[new]
    fn new() -> Self {
        Self(dh::Outputs::default())
    }

    fn __len__(&self) -> usize {
        self.0.rows().len()
    }

    fn extend_own(
        &mut self,
        py: Python<'_>,
        elements: &[u8],
        sid: [u8; 32],
        key: &Key,
    ) -> PyResult<()> {
        let elements = rows(elements, "elements")?;
        Ok(detached(py, || self.0.extend_own(elements, &sid, &key.0))?)
    }

    fn extend_evaluated(
        &mut self,
        py: Python<'_>,
        points: &[u8],
        sid: [u8; 32],
        key: &Key,
    ) -> PyResult<()> {
        let points = rows(points, "points")?;
        Ok(detached(py, || self.0.extend_evaluated(points, &sid, &key.0))?)
    }

    fn select(&self, py: Python<'_>, positions: &[u8]) -> PyResult<Self> {
        let positions = numbers(rows(positions, "positions")?);
        Ok(Self(detached(py, || self.0.select(&positions))?))
    }

    fn are_distinct(&self, py: Python<'_>) -> bool {
        detached(py, || self.0.are_distinct())
    }

    fn tags<'py>(&self, py: Python<'py>, tag: usize) -> PyResult<Bound<'py, PyBytes>> {
        let form = Form { tag, label: 0, direction: 0 };
        Ok(PyBytes::new(py, &detached(py, || entries::tags(&self.0, form))?))
    }
}

/// A secret order of rows.
#[pyclass(frozen, module = "psi._core")]
struct Shuffle(shuffle::Shuffle);

#[pymethods]
impl Shuffle {
    #[staticmethod]
    fn draw(rows: usize, entropy: &mut Entropy) -> PyResult<Self> {
        Ok(Self(shuffle::Shuffle::draw(rows, &mut entropy.0)?))
    }

    fn apply<'py>(
        &self,
        py: Python<'py>,
        rows: &[u8],
        width: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &detached(py, || self.0.apply(rows, width))?))
    }

    fn undo<'py>(
        &self,
        py: Python<'py>,
        rows: &[u8],
        width: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &detached(py, || self.0.undo(rows, width))?))
    }
}

/// `elements`: n x 32 bytes; returns n x 32 bytes.
#[pyfunction]
fn dh_blind<'py>(
    py: Python<'py>,
    elements: &[u8],
    sid: [u8; 32],
    key: &Key,
) -> PyResult<Bound<'py, PyBytes>> {
    let elements = rows(elements, "elements")?;
    let points = detached(py, || dh::blind(elements, &sid, &key.0))?;
    Ok(PyBytes::new(py, points.as_flattened()))
}

/// `points`: n x 32 bytes; returns n x 32 bytes.
#[pyfunction]
fn dh_evaluate<'py>(py: Python<'py>, points: &[u8], key: &Key) -> PyResult<Bound<'py, PyBytes>> {
    let points = rows(points, "points")?;
    let points = detached(py, || dh::evaluate(points, &key.0))?;
    Ok(PyBytes::new(py, points.as_flattened()))
}

/// Returns `total` entries, ascending.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "the form's three numbers cross the border one by one"
)]
fn seal<'py>(
    py: Python<'py>,
    outputs: &Outputs,
    positions: &[u8],
    labels: &[u8],
    tag: usize,
    label: usize,
    direction: u8,
    total: usize,
    entropy: &mut Entropy,
) -> PyResult<Bound<'py, PyBytes>> {
    let form = Form { tag, label, direction };
    let positions = numbers(rows(positions, "positions")?);
    let sealed = detached(py, || {
        entries::seal(&outputs.0, &positions, labels, form, total, &mut entropy.0)
    })?;
    large_bytes(py, sealed.size(), |out| detached(py, || sealed.write(out)))
}

/// Returns counts, n x 4 bytes little-endian, and labels.
#[pyfunction]
#[pyo3(name = "open")]
fn open_entries<'py>(
    py: Python<'py>,
    outputs: &Outputs,
    bins: Vec<Bound<'py, PyBytes>>,
    tag: usize,
    label: usize,
    direction: u8,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let form = Form { tag, label, direction };
    let bins: Vec<&[u8]> = bins.iter().map(|bin| bin.as_bytes()).collect();
    let (counts, labels) = detached(py, || entries::open(&outputs.0, &bins, form))?;
    let counts: Vec<u8> = counts.into_iter().flat_map(u32::to_le_bytes).collect();
    Ok((PyBytes::new(py, &counts), PyBytes::new(py, &labels)))
}

/// Says for each wanted tag whether a row begins with it.
#[pyfunction]
fn contains(
    py: Python<'_>,
    bins: Vec<Bound<'_, PyBytes>>,
    width: usize,
    wanted: &[u8],
    tag: usize,
) -> PyResult<Vec<bool>> {
    let bins: Vec<&[u8]> = bins.iter().map(|bin| bin.as_bytes()).collect();
    Ok(detached(py, || entries::contains(&bins, width, wanted, tag))?)
}

/// Whether rows of 32 bytes differ in their first 16.
#[pyfunction]
fn are_distinct(py: Python<'_>, elements: &[u8]) -> PyResult<bool> {
    let elements = rows(elements, "elements")?;
    Ok(detached(py, || elements::are_distinct(elements)))
}

/// Identifiers to elements, row by row; none may be missing.
#[pyfunction]
fn hash_elements<'py>(
    py: Python<'py>,
    identifiers: Column,
    domain: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let identifiers = identifiers.texts()?;
    if identifiers.null_count() > 0 {
        return Err(PyValueError::new_err("an identifier is missing"));
    }
    large_bytes(py, 32 * identifiers.len(), |out| {
        let (rows, _) = out.as_chunks_mut();
        detached(py, || elements::hash(identifiers, domain, rows));
    })
}

/// Whole rows of delimited text from `start` on as columns, and where they end.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the form's numbers cross the border one by one")]
fn read_rows(
    py: Python<'_>,
    text: &[u8],
    start: usize,
    delimiter: u8,
    width: usize,
    wanted: Vec<usize>,
    most: usize,
    last: bool,
) -> PyResult<(Vec<Py<PyAny>>, usize)> {
    let (bound, form) = (text.len(), delimited::Form { delimiter, width });
    let rest = text.get(start..).ok_or(Error::Index { argument: "start", bound, actual: start })?;
    let (columns, end) = detached(py, || delimited::read(rest, form, &wanted, most, last))?;
    let columns = columns.into_iter().map(|column| give(py, column));
    Ok((columns.collect::<PyResult<_>>()?, start + end))
}

/// The texts at some rows, given as an array of uint32.
#[pyfunction]
fn take_texts<'py>(py: Python<'py>, column: Column, rows: Column) -> PyResult<Py<PyAny>> {
    let column = column.texts()?;
    let rows = rows.numbers::<UInt32Type>()?;
    let taken = detached(py, || texts::take(column, rows))?;
    give(py, taken)
}

/// The width in bytes that the widest row of these columns needs.
#[pyfunction]
fn label_width(py: Python<'_>, columns: Vec<Column>) -> PyResult<usize> {
    let columns = columns::texts(&columns)?;
    Ok(detached(py, || labels::width(&columns))?)
}

/// Rows of text columns to rows of `width` bytes.
#[pyfunction]
fn pack_labels<'py>(
    py: Python<'py>,
    columns: Vec<Column>,
    width: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let columns = columns::texts(&columns)?;
    Ok(PyBytes::new(py, &detached(py, || labels::pack(&columns, width))?))
}

/// Rows of `width` bytes to text columns.
#[pyfunction]
fn unpack_labels<'py>(
    py: Python<'py>,
    block: &[u8],
    width: usize,
    columns: usize,
) -> PyResult<Vec<Py<PyAny>>> {
    let columns = detached(py, || labels::unpack(block, width, columns))?;
    columns.into_iter().map(|column| give(py, column)).collect()
}

/// Whether a text holds a control character other than tab and line ends.
#[pyfunction]
fn have_controls(py: Python<'_>, columns: Vec<Column>) -> PyResult<bool> {
    let columns = columns::texts(&columns)?;
    Ok(detached(py, || labels::have_controls(&columns)))
}

/// Values normalised by a rule, row by row, a reason for each row, and how many rows have each.
#[pyfunction]
fn normalise<'py>(
    py: Python<'py>,
    kind: &str,
    column: Column,
) -> PyResult<(Py<PyAny>, Bound<'py, PyBytes>, Vec<usize>)> {
    let kind = identifiers::Kind::parse(kind)
        .ok_or_else(|| PyValueError::new_err("no such kind of identifier"))?;
    let column = column.texts()?;
    let (values, reasons, tally) = detached(py, || {
        let (values, reasons) = identifiers::normalise(kind, column);
        let tally = identifiers::tally(&reasons);
        (values, reasons, tally)
    });
    Ok((give(py, values)?, PyBytes::new(py, reasons.values()), tally.to_vec()))
}

/// One key of several columns, missing where one of them is.
#[pyfunction]
fn compose<'py>(py: Python<'py>, parts: Vec<Column>) -> PyResult<Py<PyAny>> {
    let parts = columns::texts(&parts)?;
    let composed = detached(py, || identifiers::compose(&parts))?;
    give(py, composed)
}

#[pyfunction]
fn kinds() -> Vec<&'static str> {
    identifiers::Kind::NAMES.to_vec()
}

#[pyfunction]
fn reasons() -> Vec<&'static str> {
    identifiers::REASONS.to_vec()
}

#[pyfunction]
fn normaliser_version() -> &'static str {
    identifiers::VERSION
}

#[pyfunction]
fn normaliser_digest(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &identifiers::DIGEST)
}

/// X25519 of RFC 7748.
#[pyfunction]
fn x25519(py: Python<'_>, scalar: [u8; 32], point: [u8; 32]) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &curve25519::x25519(&scalar, &point))
}

/// The coordinate u of `map_to_curve(hash_to_field(message))` of RFC 9380.
#[pyfunction]
fn map_to_curve25519<'py>(
    py: Python<'py>,
    message: &[u8],
    dst: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &curve25519::map_message(message, dst)?))
}

/// Fixes how many threads the kernels have; works once, before the first kernel runs.
#[pyfunction]
fn use_threads(count: usize) -> PyResult<()> {
    threads::fix(count).map_err(|_| {
        PyRuntimeError::new_err("the kernels already run on another number of threads")
    })
}

/// Keeps so many bytes of freed memory for what is allocated next.
#[pyfunction]
fn keep_memory(most: usize) {
    memory::keep(most);
}

/// Runs a kernel without the GIL.
fn detached<T: Send>(py: Python<'_>, kernel: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let _turn = threads::enter();
        kernel()
    })
}

/// Cuts contiguous bytes into rows of `N`.
fn rows<'a, const N: usize>(
    bytes: &'a [u8],
    argument: &'static str,
) -> Result<&'a [[u8; N]], Error> {
    match bytes.as_chunks::<N>() {
        (rows, []) => Ok(rows),
        (_, _) => Err(Error::Length { argument, expected: N, actual: bytes.len() }),
    }
}

/// Numbers that Python has as their bytes, little-endian.
fn numbers(rows: &[[u8; 4]]) -> Vec<u32> {
    rows.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

/// Bytes that `fill` fills, behind which stand huge pages before they are touched.
fn large_bytes<'py>(
    py: Python<'py>,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
) -> PyResult<Bound<'py, PyBytes>> {
    let size = isize::try_from(length).map_err(|_| PyMemoryError::new_err(()))?;
    #[expect(unsafe_code, reason = "bytes of the interpreter that nothing has written yet")]
    // SAFETY: the call gives a new object with room for `length` bytes, or none and an exception, of
    // which `from_owned_ptr_or_err` takes care. Nobody else knows the object before it is returned,
    // and its room is written, with zeros, before a slice of it is made.
    unsafe {
        let bytes = Bound::from_owned_ptr_or_err(
            py,
            ffi::PyBytes_FromStringAndSize(std::ptr::null(), size),
        )?;
        let room = ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
        memory::advise(room, length);
        room.write_bytes(0, length);
        fill(std::slice::from_raw_parts_mut(room, length));
        Ok(bytes.cast_into_unchecked())
    }
}

/// Bytes with room for a kernel's result between a head and a tail, so that nobody copies it.
fn between<'py>(
    py: Python<'py>,
    head: Option<&[u8]>,
    length: usize,
    tail: Option<&[u8]>,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    let [head, tail] = [head, tail].map(Option::unwrap_or_default);
    PyBytes::new_with(py, head.len() + length + tail.len(), |out| {
        let (before, rest) = out.split_at_mut(head.len());
        let (room, behind) = rest.split_at_mut(length);
        before.copy_from_slice(head);
        behind.copy_from_slice(tail);
        Ok(detached(py, || fill(room))?)
    })
}

/// Bytes from `start` to `end`, or to the last.
fn part(bytes: &[u8], start: usize, end: Option<usize>) -> Result<&[u8], Error> {
    let (bound, end) = (bytes.len(), end.unwrap_or(bytes.len()));
    bytes.get(start..end).ok_or(Error::Index { argument: "bytes", bound, actual: start.max(end) })
}

#[pymodule(gil_used = false)]
mod _core {
    /// Correlations of a chunk that leave it.
    #[pymodule_export]
    const VOLE_CHUNK: usize = crate::vole::Profile::Fresh.taken();
    /// The same where the places of the noise stay.
    #[pymodule_export]
    const STATIONARY_VOLE_CHUNK: usize = crate::vole::Profile::Stationary.taken();
    /// The place of a row that names nothing.
    #[pymodule_export]
    const NOWHERE: u32 = crate::elements::NOWHERE;
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::grouping::{Block, Grouping, commitment, places_among};

    #[pymodule_export]
    use super::inquiring::{
        Evaluations, TableContents, VoprfBlinds, VoprfKey, VoprfOutputs, VoprfSuite, Wanted,
        entry_width, fuse_places, fuse_shape, record_digests,
    };

    #[pymodule_export]
    use super::joining::{Matched, total, write_rows};

    #[pymodule_export]
    use super::matching::{
        AscendingTags, BaseOtChoice, BaseOtOffer, Rows, TagJoin, VoleCode, VoleReceiver,
        VoleSender, okvs_core_sizes, okvs_large_cores,
    };

    #[pymodule_export]
    use super::{
        CheckError, Entropy, Key, Outputs, Shuffle, SolveError, are_distinct, compose, contains,
        dh_blind, dh_evaluate, hash_elements, have_controls, keep_memory, kinds, label_width,
        map_to_curve25519, normalise, normaliser_digest, normaliser_version, open_entries,
        pack_labels, read_rows, reasons, seal, take_texts, unpack_labels, use_threads, x25519,
    };
}
