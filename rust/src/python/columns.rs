//! The door for Arrow arrays: PyCapsules of the C data interface, in and out.
//!
//! Arrow's own crate has the interface and the layout; what crosses here is two pointers. A crate
//! that does it for tables and streams too brings casts, sorting and time zones along, more code
//! than all kernels are, which each program that starts would have to load.
//!
//! Source: "The Arrow C data interface" and "The Arrow PyCapsule Interface" of Arrow's
//! specification.

use std::ffi::CStr;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, LargeStringArray, PrimitiveArray, make_array};
use arrow_schema::{ArrowError, DataType, Field};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};
use pyo3::{Borrowed, intern};

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// An array that somebody else has; none where it is of a type that no kernel takes.
pub struct Column(Option<ArrayRef>);

impl FromPyObject<'_, '_> for Column {
    type Error = PyErr;

    fn extract(exporter: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let method = intern!(exporter.py(), "__arrow_c_array__");
        if !exporter.hasattr(method)? {
            return Err(PyTypeError::new_err("an Arrow array is due"));
        }
        let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
            exporter.call_method0(method)?.extract()?;
        let schema = schema.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
        let array = array.pointer_checked(Some(ARRAY))?.cast::<FFI_ArrowArray>();
        #[expect(unsafe_code, reason = "pointers of another library")]
        // SAFETY: a capsule of this name holds such a structure, as long as it lives, which is until
        // the end of this function. `from_raw` takes the array and marks what it leaves there as
        // released.
        let (array, schema) =
            unsafe { (FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
        if array.is_released() {
            return Err(PyValueError::new_err("an Arrow array was taken by somebody else"));
        }
        #[expect(unsafe_code, reason = "buffers of another library")]
        // SAFETY: it is not released. What it says of its own buffers is the promise of who made it.
        let data = unsafe { from_ffi(array, schema) }.map_err(not_arrow)?;
        let buffers = match data.data_type() {
            DataType::LargeUtf8 => 2,
            kind if kind.is_primitive() => 1,
            _ => return Ok(Self(None)),
        };
        if data.buffers().len() != buffers {
            return Err(PyValueError::new_err("an Arrow array has not the buffers of its type"));
        }
        Ok(Self(Some(make_array(data))))
    }
}

impl Column {
    /// The array, if it is of such numbers.
    pub(super) fn primitive<T: ArrowPrimitiveType>(&self) -> Option<&PrimitiveArray<T>> {
        self.0.as_ref()?.as_primitive_opt()
    }

    /// The numbers of the array, whatever stands where one is missing.
    pub(super) fn numbers<T: ArrowPrimitiveType>(&self) -> PyResult<&[T::Native]> {
        let due = || PyTypeError::new_err(format!("an array of {} is due", T::DATA_TYPE));
        Ok(self.primitive::<T>().ok_or_else(due)?.values())
    }

    /// The texts of the array. Arrow's import does not look whether they are UTF-8, and files may
    /// hold anything; a `&str` that is not would be undefined behaviour.
    pub(super) fn texts(&self) -> PyResult<&LargeStringArray> {
        let due = || PyTypeError::new_err("an array of large_string is due");
        let texts = self.0.as_ref().and_then(|array| array.as_string_opt::<i64>());
        let texts = texts.ok_or_else(due)?;
        match are_texts(texts) {
            true => Ok(texts),
            false => Err(PyValueError::new_err("a text is not UTF-8, or its array is damaged")),
        }
    }
}

/// The texts of columns.
pub(super) fn texts(columns: &[Column]) -> PyResult<Vec<&LargeStringArray>> {
    columns.iter().map(Column::texts).collect()
}

/// Looks at the part of the buffer that the array covers, and at each place where a text ends. Where
/// all is ASCII, a text may end anywhere.
fn are_texts(array: &LargeStringArray) -> bool {
    let (offsets, values) = (array.value_offsets(), array.value_data());
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return true };
    if array.is_empty() {
        return true;
    }
    let (Ok(start), Ok(end)) = (usize::try_from(*first), usize::try_from(*last)) else {
        return false;
    };
    let Some(all) = values.get(start..end) else { return false };
    // Ascending from the first to the last, all places are within the part.
    let ascending = offsets.windows(2).fold(true, |all, pair| all & (pair[0] <= pair[1]));
    let ends = || offsets.iter().map(|offset| (offset - first) as usize);
    ascending
        && (all.is_ascii()
            || std::str::from_utf8(all)
                .is_ok_and(|all| ends().all(|end| all.is_char_boundary(end))))
}

/// Gives an array away, as the library that the Python side has for them shows one.
pub(super) fn give(py: Python<'_>, array: impl Array) -> PyResult<Py<PyAny>> {
    let field = Field::new("", array.data_type().clone(), true);
    let schema = FFI_ArrowSchema::try_from(field).map_err(not_arrow)?;
    let schema = PyCapsule::new_with_value(py, schema, SCHEMA)?;
    let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&array.to_data()), ARRAY)?;
    let arrays = py.import(intern!(py, "arro3.core"))?.getattr(intern!(py, "Array"))?;
    Ok(arrays.call_method1(intern!(py, "from_arrow_pycapsule"), (schema, array))?.unbind())
}

fn not_arrow(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
