//! The class that groups what rows name.

use arrow_array::UInt32Array;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::columns::{self, Column, give};
use super::{detached, rows};
use crate::elements::{self, Commitment, Element};
use crate::error::Error;

/// The elements that rows name, batch by batch; finished once.
#[pyclass(module = "psi._core")]
pub struct Grouping(Option<elements::Grouping>);

impl Grouping {
    fn unfinished(&mut self) -> Result<&mut elements::Grouping, Error> {
        self.0.as_mut().ok_or(Error::Used { argument: "grouping" })
    }
}

#[pymethods]
impl Grouping {
    #[new]
    fn new(domain: &str, ways: usize) -> Self {
        Self(Some(elements::Grouping::new(domain, ways)))
    }

    /// Adds rows: a column of texts for each way.
    fn add(&mut self, py: Python<'_>, columns: Vec<Column>) -> PyResult<()> {
        let columns = columns::texts(&columns)?;
        let grouping = self.unfinished()?;
        Ok(detached(py, || grouping.add(&columns))?)
    }

    /// How many rows name at least one element.
    fn named(&mut self) -> PyResult<usize> {
        Ok(self.unfinished()?.named())
    }

    /// A block of elements; an array of counts; for each way an array of places. With a key the
    /// block has a commitment under it.
    #[pyo3(signature = (key=None))]
    fn finish<'py>(
        &mut self,
        py: Python<'py>,
        key: Option<[u8; 32]>,
    ) -> PyResult<(Block, Py<PyAny>, Bound<'py, PyList>)> {
        let grouping = self.0.take().ok_or(Error::Used { argument: "grouping" })?;
        let key = key.map(Zeroizing::new);
        let elements::Grouped { elements, counts, places, commitment } =
            detached(py, || grouping.finish(key.as_deref()));
        let numbers = |numbers: Vec<u32>| give(py, UInt32Array::from(numbers));
        let places = places.into_iter().map(numbers).collect::<PyResult<Vec<_>>>()?;
        let block = Block(elements, key.zip(commitment));
        Ok((block, numbers(counts)?, PyList::new(py, places)?))
    }
}

/// Where each wanted element stands among others, m x 4 bytes.
#[pyfunction]
pub fn places_among<'py>(
    py: Python<'py>,
    elements: Elements,
    wanted: Elements,
) -> PyResult<Bound<'py, PyBytes>> {
    let (elements, wanted) = (elements.rows()?, wanted.rows()?);
    let places = detached(py, || elements::places_among(elements, wanted));
    let bytes: Vec<u8> = places.into_iter().flat_map(u32::to_le_bytes).collect();
    Ok(PyBytes::new(py, &bytes))
}

/// The digest of a set under a key.
#[pyfunction]
pub fn commitment<'py>(
    py: Python<'py>,
    key: [u8; 32],
    elements: Elements,
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, rows) = (Zeroizing::new(key), elements.rows()?);
    let digest = match elements.committed() {
        Some((known, digest)) if bool::from(known.ct_eq(&*key)) => *digest,
        _ => detached(py, || elements::commitment(&key, rows).0),
    };
    Ok(PyBytes::new(py, &digest))
}

/// Elements that differ in their first 16 bytes, n x 32 bytes; a commitment to them, and its key.
#[pyclass(frozen, module = "psi._core")]
pub struct Block(Vec<Element>, Option<(Zeroizing<[u8; 32]>, Commitment)>);

#[pymethods]
impl Block {
    fn __len__(&self) -> usize {
        self.0.as_flattened().len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_flattened())
    }

    /// One of the elements.
    fn row<'py>(&self, py: Python<'py>, at: usize) -> PyResult<Bound<'py, PyBytes>> {
        let due = Error::Index { argument: "at", bound: self.0.len(), actual: at };
        Ok(PyBytes::new(py, self.0.get(at).ok_or(due)?))
    }
}

/// Elements in either form.
#[derive(FromPyObject)]
pub enum Elements {
    /// As a grouping gives them.
    Held(Py<Block>),
    /// As bytes, n x 32.
    Told(PyBackedBytes),
}

impl Elements {
    /// The commitment that a grouping has made, and its key.
    fn committed(&self) -> Option<&(Zeroizing<[u8; 32]>, Commitment)> {
        match self {
            Self::Held(block) => block.get().1.as_ref(),
            Self::Told(_) => None,
        }
    }

    /// The elements.
    pub fn rows(&self) -> Result<&[Element], Error> {
        match self {
            Self::Held(block) => Ok(&block.get().0),
            Self::Told(bytes) => rows(bytes, "elements"),
        }
    }
}
