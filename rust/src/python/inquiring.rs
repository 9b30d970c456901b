//! The classes of inquiries: keys, questions and prepared tables; secrets stay on this side.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::grouping::Elements;
use super::{Entropy, detached, rows};
use crate::error::Error;
use crate::fuse::Shape;
use crate::table::{self, Form};
use crate::{contents, evaluations, sealed, voprf};

/// What of RFC 9497 both sides run.
#[pyclass(frozen, module = "psi._core")]
pub struct VoprfSuite(voprf::Suite);

#[pymethods]
impl VoprfSuite {
    #[staticmethod]
    fn verifiable() -> PyResult<Self> {
        Ok(Self(voprf::Suite::voprf()?))
    }

    #[staticmethod]
    fn partial(info: &[u8]) -> PyResult<Self> {
        Ok(Self(voprf::Suite::poprf(info)?))
    }
}

/// The secret key of a function.
#[pyclass(frozen, module = "psi._core")]
pub struct VoprfKey(voprf::SecretKey);

#[pymethods]
impl VoprfKey {
    #[staticmethod]
    fn draw(entropy: &mut Entropy) -> Self {
        Self(voprf::SecretKey::draw(&mut entropy.0))
    }

    /// Opens a key that was sealed under 32 bytes.
    #[staticmethod]
    fn unseal(wrapping: [u8; 32], context: &[u8], sealed: &[u8]) -> PyResult<Self> {
        let bytes = sealed::open(&wrapping, context, sealed)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| Error::Check { argument: "sealed" })?;
        Ok(Self(voprf::SecretKey::from_bytes(bytes)?))
    }

    fn seal<'py>(
        &self,
        py: Python<'py>,
        wrapping: [u8; 32],
        context: &[u8],
        entropy: &mut Entropy,
    ) -> Bound<'py, PyBytes> {
        let bytes = self.0.to_bytes();
        PyBytes::new(py, &sealed::seal(&wrapping, context, &*bytes, &mut entropy.0))
    }

    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.public())
    }

    /// Points and a proof for blinded points.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        suite: &VoprfSuite,
        points: &[u8],
        entropy: &mut Entropy,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let points = rows(points, "points")?;
        let (evaluated, proof) =
            detached(py, || self.0.evaluate(&suite.0, points, &mut entropy.0))?;
        let proof = proof.map(|proof| proof.to_bytes());
        let proof = proof.as_ref().map_or(&[][..], |proof| &proof[..]);
        Ok((PyBytes::new(py, evaluated.as_flattened()), PyBytes::new(py, proof)))
    }
}

/// A question that was blinded, and the secrets behind it.
#[pyclass(frozen, module = "psi._core")]
pub struct VoprfBlinds {
    blinds: voprf::Blinds,
    elements: zeroize::Zeroizing<Vec<[u8; 32]>>,
}

#[pymethods]
impl VoprfBlinds {
    #[staticmethod]
    fn draw(
        py: Python<'_>,
        suite: &VoprfSuite,
        elements: &[u8],
        entropy: &mut Entropy,
    ) -> PyResult<Self> {
        let elements = zeroize::Zeroizing::new(rows(elements, "elements")?.to_vec());
        let blinds = detached(py, || voprf::Blinds::draw(&suite.0, &elements, &mut entropy.0))?;
        Ok(Self { blinds, elements })
    }

    fn points<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.blinds.blinded().as_flattened())
    }

    /// The outputs, if the proof holds.
    fn finalize(
        &self,
        py: Python<'_>,
        suite: &VoprfSuite,
        points: &[u8],
        proof: &[u8],
        public: [u8; 32],
    ) -> PyResult<VoprfOutputs> {
        let points = rows(points, "points")?;
        let outputs = detached(py, || {
            self.blinds.finalize(&suite.0, &self.elements, points, proof, &public)
        })?;
        Ok(VoprfOutputs {
            secrets: outputs.rows().iter().map(|row| row.as_chunks().0[0]).collect(),
        })
    }
}

/// Secret outputs, of which tables take half.
#[pyclass(module = "psi._core")]
#[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct VoprfOutputs {
    secrets: Vec<table::Secret>,
}

#[pymethods]
impl VoprfOutputs {
    #[new]
    fn new() -> Self {
        Self { secrets: Vec::new() }
    }

    fn __len__(&self) -> usize {
        self.secrets.len()
    }

    fn extend(&mut self, other: &Self) {
        // Into a new place, so that the old one is wiped; a growing `Vec` would not do that.
        let mut joined = Vec::with_capacity(self.secrets.len() + other.secrets.len());
        joined.extend_from_slice(&self.secrets);
        joined.extend_from_slice(&other.secrets);
        zeroize::Zeroize::zeroize(&mut std::mem::replace(&mut self.secrets, joined));
    }
}

/// What a party has evaluated of its own elements.
#[pyclass(module = "psi._core")]
pub struct Evaluations {
    known: evaluations::Evaluations,
    key: Py<VoprfKey>,
    suite: Py<VoprfSuite>,
}

#[pymethods]
impl Evaluations {
    #[new]
    fn new(key: Py<VoprfKey>, suite: Py<VoprfSuite>) -> Self {
        Self { known: evaluations::Evaluations::new(&key.get().0), key, suite }
    }

    fn __len__(&self) -> usize {
        self.known.len()
    }

    fn read(&mut self, py: Python<'_>, block: &[u8], context: &[u8]) -> PyResult<()> {
        Ok(detached(py, || self.known.read(block, context))?)
    }

    fn missing<'py>(&self, py: Python<'py>, elements: Elements) -> PyResult<Bound<'py, PyBytes>> {
        let elements = elements.rows()?;
        let missing = detached(py, || self.known.missing(elements));
        Ok(PyBytes::new(py, missing.as_flattened()))
    }

    /// Evaluates elements and gives the sealed block of them.
    fn evaluate<'py>(
        &mut self,
        py: Python<'py>,
        elements: &[u8],
        context: &[u8],
        entropy: &mut Entropy,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let elements = rows(elements, "elements")?;
        let (key, suite) = (&self.key.get().0, &self.suite.get().0);
        let block =
            detached(py, || self.known.evaluate(key, suite, elements, context, &mut entropy.0))?;
        Ok(PyBytes::new(py, &block))
    }

    /// Builds a shard: the seed of its map, and its rows.
    #[expect(clippy::too_many_arguments, reason = "a shape's numbers cross the border one by one")]
    fn build<'py>(
        &self,
        py: Python<'py>,
        elements: Elements,
        positions: &[u8],
        labels: &[u8],
        label: Option<usize>,
        salt: [u8; 32],
        shape: (u32, u32),
        entropy: &mut Entropy,
    ) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let (elements, positions) = (elements.rows()?, numbers(positions, "positions")?);
        let shape = Shape::read(shape.0, shape.1)?;
        let (seed, rows) = detached(py, || {
            let secrets = self.known.secrets(elements)?;
            let form = form(label);
            table::build(&secrets, &positions, labels, form, &salt, shape, &mut entropy.0)
        })?;
        Ok((seed, PyBytes::new(py, &rows)))
    }
}

/// What a table holds, as its holder remembers it.
#[pyclass(module = "psi._core")]
pub struct TableContents(contents::Contents);

#[pymethods]
impl TableContents {
    #[new]
    fn new(key: &VoprfKey) -> Self {
        Self(contents::Contents::new(&key.0))
    }

    /// The number of the table of which a block tells.
    fn number(&self, py: Python<'_>, block: &[u8], context: &[u8]) -> PyResult<u64> {
        Ok(detached(py, || self.0.number(block, context))?)
    }

    fn read(&mut self, py: Python<'_>, block: &[u8], context: &[u8]) -> PyResult<()> {
        Ok(detached(py, || self.0.read(block, context))?)
    }

    /// Positions that changed, n x 4 bytes, and elements that are gone.
    fn compare<'py>(
        &mut self,
        py: Python<'py>,
        elements: Elements,
        digests: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let (elements, digests) = (elements.rows()?, rows(digests, "digests")?);
        let contents::Change { changed, gone } =
            detached(py, || self.0.compare(elements, digests))?;
        let changed: Vec<u8> = changed.into_iter().flat_map(u32::to_le_bytes).collect();
        Ok((PyBytes::new(py, &changed), PyBytes::new(py, gone.as_flattened())))
    }

    /// The sealed block of a change that the table with this number tells, positions n x 4 bytes.
    #[expect(clippy::too_many_arguments, reason = "a change crosses the border in two parts")]
    fn tell<'py>(
        &self,
        py: Python<'py>,
        number: u64,
        elements: Elements,
        digests: &[u8],
        changed: &[u8],
        gone: &[u8],
        context: &[u8],
        entropy: &mut Entropy,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (elements, digests) = (elements.rows()?, rows(digests, "digests")?);
        let changed = numbers(changed, "changed")?;
        let change = contents::Change { changed, gone: rows(gone, "gone")?.to_vec() };
        let block = detached(py, || {
            self.0.tell(number, elements, digests, &change, context, &mut entropy.0)
        })?;
        Ok(PyBytes::new(py, &block))
    }
}

/// A digest of the records of each of `count` elements, n x 16 bytes; positions are 4 bytes each.
#[pyfunction]
pub fn record_digests<'py>(
    py: Python<'py>,
    count: usize,
    positions: &[u8],
    labels: &[u8],
    width: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let positions = numbers(positions, "positions")?;
    let digests = detached(py, || contents::digests(count, &positions, labels, width))?;
    Ok(PyBytes::new(py, digests.as_flattened()))
}

/// Entries of a shard that are looked for.
#[pyclass(frozen, module = "psi._core")]
pub struct Wanted(table::Wanted);

#[pymethods]
impl Wanted {
    /// Entry `entries[i]` of output `positions[i]`, 4 bytes each.
    #[new]
    fn new(
        py: Python<'_>,
        outputs: &VoprfOutputs,
        positions: &[u8],
        entries: &[u8],
        salt: [u8; 32],
    ) -> PyResult<Self> {
        let (positions, entries) = (numbers(positions, "positions")?, numbers(entries, "entries")?);
        let bound = outputs.secrets.len();
        let mut secrets = zeroize::Zeroizing::new(Vec::with_capacity(positions.len()));
        for position in &positions {
            let actual = *position as usize;
            let index = Error::Index { argument: "positions", bound, actual };
            secrets.push(*outputs.secrets.get(actual).ok_or(index)?);
        }
        Ok(Self(detached(py, || table::Wanted::of(&secrets, &entries, &salt))?))
    }

    /// The three places of each entry, n x 3 x 4 bytes.
    fn places<'py>(
        &self,
        py: Python<'py>,
        shape: (u32, u32),
        seed: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let places = self.0.places(Shape::read(shape.0, shape.1)?, seed);
        let bytes: Vec<u8> =
            places.as_flattened().iter().flat_map(|place| place.to_le_bytes()).collect();
        Ok(PyBytes::new(py, &bytes))
    }

    /// Counts, n x 4 bytes, and labels.
    fn open<'py>(
        &self,
        py: Python<'py>,
        sums: &[u8],
        label: Option<usize>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let opened = detached(py, || self.0.open(sums.to_vec(), form(label)))?;
        let counts: Vec<u8> = opened.counts.into_iter().flat_map(u32::to_le_bytes).collect();
        Ok((PyBytes::new(py, &counts), PyBytes::new(py, &opened.labels)))
    }
}

/// Numbers of four bytes each, little-endian.
fn numbers(bytes: &[u8], argument: &'static str) -> Result<Vec<u32>, Error> {
    Ok(rows(bytes, argument)?.iter().copied().map(u32::from_le_bytes).collect())
}

/// The layout of a map for so many entries: places of a segment, and segments where a key may start.
#[pyfunction]
pub fn fuse_shape(capacity: usize) -> PyResult<(u32, u32)> {
    Ok(Shape::of(capacity)?.written())
}

/// How many places a layout has.
#[pyfunction]
pub fn fuse_places(shape: (u32, u32)) -> PyResult<usize> {
    Ok(Shape::read(shape.0, shape.1)?.places())
}

/// Bytes of an entry with a label of so many bytes, or with none.
#[pyfunction]
#[pyo3(signature = (label))]
pub fn entry_width(label: Option<usize>) -> usize {
    form(label).width()
}

fn form(label: Option<usize>) -> Form {
    label.map_or(Form::Members, Form::Labels)
}
