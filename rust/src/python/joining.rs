//! The kernels of the join: hits of a batch, and rows as text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int64Type, UInt32Type};
use arrow_array::{Int64Array, UInt32Array};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3_arrow::PyArray;

use super::{detached, give, texts};
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
    fn new(py: Python<'_>, positions: PyArray, places: usize) -> PyResult<Self> {
        let positions = numbers::<UInt32Type>(&positions)?;
        Ok(Self(detached(py, || joining::Matched::new(positions, places))?))
    }

    /// Row, way and match of each hit in a batch.
    fn find(
        &self,
        py: Python<'_>,
        places: Vec<PyArray>,
    ) -> PyResult<(Py<PyAny>, Py<PyAny>, Py<PyAny>)> {
        let places = places.iter().map(numbers::<UInt32Type>).collect::<PyResult<Vec<_>>>()?;
        let hits = detached(py, || self.0.find(&places))?;
        Ok((
            give(py, Arc::new(UInt32Array::from(hits.rows)))?,
            give(py, Arc::new(UInt32Array::from(hits.ways)))?,
            give(py, Arc::new(Int64Array::from(hits.matches)))?,
        ))
    }
}

/// The sum of an array of uint32.
#[pyfunction]
pub fn total(py: Python<'_>, numbers: PyArray) -> PyResult<u64> {
    let numbers = self::numbers::<UInt32Type>(&numbers)?;
    Ok(detached(py, || numbers.iter().map(|number| u64::from(*number)).sum()))
}

/// Columns as delimited text, in pieces; texts in quotes where `quoted` says so.
#[pyfunction]
pub fn write_rows<'py>(
    py: Python<'py>,
    columns: Vec<PyArray>,
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

fn cells((column, quoted): (&PyArray, bool)) -> PyResult<Cells<'_>> {
    let array = column.array();
    if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
        return Ok(Cells::Signed(numbers));
    }
    if let Some(numbers) = array.as_primitive_opt::<UInt32Type>() {
        return Ok(Cells::Unsigned(numbers));
    }
    let texts = texts(column)?;
    Ok(if quoted { Cells::Quoted(texts) } else { Cells::Bare(texts) })
}

/// The numbers of an array, whatever stands where one is missing.
pub(super) fn numbers<T: ArrowPrimitiveType>(array: &PyArray) -> PyResult<&[T::Native]> {
    let numbers = array.array().as_primitive_opt::<T>();
    let due = || PyTypeError::new_err(format!("an array of {} is due", T::DATA_TYPE));
    Ok(numbers.ok_or_else(due)?.values())
}
