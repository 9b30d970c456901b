//! The kernels of the join: hits of a batch, and rows as text.

use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Int64Array, UInt32Array};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::columns::{Column, give};
use super::detached;
use crate::delimited::{self, Cells};
use crate::error::Error;
use crate::joining;

/// Places that were matched.
#[pyclass(frozen, module = "psi._core")]
pub struct Matched(joining::Matched);

#[pymethods]
impl Matched {
    /// The place of each match, an array of uint32 that ascends, of so many places.
    #[new]
    fn new(py: Python<'_>, positions: Column, places: usize) -> PyResult<Self> {
        let positions = positions.numbers::<UInt32Type>()?;
        Ok(Self(detached(py, || joining::Matched::new(positions, places))?))
    }

    /// Row, way and match of each hit in a batch.
    fn find(
        &self,
        py: Python<'_>,
        places: Vec<Column>,
    ) -> PyResult<(Py<PyAny>, Py<PyAny>, Py<PyAny>)> {
        let places =
            places.iter().map(Column::numbers::<UInt32Type>).collect::<PyResult<Vec<_>>>()?;
        let hits = detached(py, || self.0.find(&places))?;
        Ok((
            give(py, UInt32Array::from(hits.rows))?,
            give(py, UInt32Array::from(hits.ways))?,
            give(py, Int64Array::from(hits.matches))?,
        ))
    }
}

/// The sum of an array of uint32.
#[pyfunction]
pub fn total(py: Python<'_>, numbers: Column) -> PyResult<u64> {
    let numbers = numbers.numbers::<UInt32Type>()?;
    Ok(detached(py, || numbers.iter().map(|number| u64::from(*number)).sum()))
}

/// Columns as delimited text, in pieces; texts in quotes where `quoted` says so.
#[pyfunction]
pub fn write_rows<'py>(
    py: Python<'py>,
    columns: Vec<Column>,
    quoted: Vec<bool>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let (expected, actual) = (columns.len(), quoted.len());
    if expected != actual {
        return Err(Error::Length { argument: "quoted", expected, actual }.into());
    }
    let columns = columns.iter().zip(quoted).map(cells).collect::<PyResult<Vec<_>>>()?;
    let pieces = detached(py, || delimited::write(&columns))?;
    Ok(pieces.into_iter().map(|piece| PyBytes::new(py, &piece)).collect())
}

fn cells((column, quoted): (&Column, bool)) -> PyResult<Cells<'_>> {
    if let Some(numbers) = column.primitive::<Int64Type>() {
        return Ok(Cells::Signed(numbers));
    }
    if let Some(numbers) = column.primitive::<UInt32Type>() {
        return Ok(Cells::Unsigned(numbers));
    }
    let texts = column.texts()?;
    Ok(if quoted { Cells::Quoted(texts) } else { Cells::Bare(texts) })
}
