//! The class that groups what rows name.

use std::sync::Arc;

use arrow_array::UInt32Array;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use pyo3_arrow::PyArray;

use super::{give, large_bytes, texts};
use crate::elements;
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
    fn add(&mut self, py: Python<'_>, columns: Vec<PyArray>) -> PyResult<()> {
        let columns = columns.iter().map(texts).collect::<PyResult<Vec<_>>>()?;
        let grouping = self.unfinished()?;
        Ok(py.detach(|| grouping.add(&columns))?)
    }

    /// How many rows name at least one element.
    fn named(&mut self) -> PyResult<usize> {
        Ok(self.unfinished()?.named())
    }

    /// Elements, m x 32 bytes ascending; an array of counts; for each way an array of places.
    fn finish<'py>(
        &mut self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyBytes>, Py<PyAny>, Bound<'py, PyList>)> {
        let grouping = self.0.take().ok_or(Error::Used { argument: "grouping" })?;
        let mut grouped = py.detach(|| grouping.finish());
        let elements = large_bytes(py, 32 * grouped.distinct(), |out| {
            let (rows, _) = out.as_chunks_mut();
            py.detach(|| grouped.write(rows));
        })?;
        let counts = std::mem::take(&mut grouped.counts);
        let places = std::mem::take(&mut grouped.places);
        let numbers = |numbers: Vec<u32>| give(py, Arc::new(UInt32Array::from(numbers)));
        let places = places.into_iter().map(numbers).collect::<PyResult<Vec<_>>>()?;
        Ok((elements, numbers(counts)?, PyList::new(py, places)?))
    }
}
