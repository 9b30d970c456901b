//! The classes of VOLE-PSI: secrets stay on this side of the border.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use zeroize::Zeroizing;

use super::grouping::Elements;
use super::{Entropy, Outputs, between, detached, part, rows};
use crate::aes::Block;
use crate::code::Code;
use crate::error::Error;
use crate::vole::{self, Profile};
use crate::{base_ot, cot, dh, okvs, oprf, tags};

/// The first message of base OTs, and the secret behind it; used once.
///
/// In a box, so that nothing of it stays behind in an object that has given it away.
#[pyclass(module = "psi._core")]
pub struct BaseOtOffer(Option<Box<base_ot::Offer>>);

#[pymethods]
impl BaseOtOffer {
    #[staticmethod]
    fn draw(entropy: &mut Entropy) -> Self {
        Self(Some(Box::new(base_ot::Offer::draw(&mut entropy.0))))
    }

    fn message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let offer = self.0.as_ref().ok_or(Error::Used { argument: "offer" })?;
        Ok(PyBytes::new(py, &offer.message()))
    }
}

/// The answer to an offer, and the secret choices behind it, in a box as the offer's; used once.
#[pyclass(module = "psi._core")]
pub struct BaseOtChoice {
    message: Vec<u8>,
    secret: Option<Box<(Zeroizing<Block>, base_ot::Chosen)>>,
}

#[pymethods]
impl BaseOtChoice {
    /// Draws Delta and chooses by its bits.
    #[staticmethod]
    fn draw(py: Python<'_>, sid: [u8; 32], offer: &[u8], entropy: &mut Entropy) -> PyResult<Self> {
        let entropy = &mut entropy.0;
        let (message, secret) = detached(py, || {
            let mut drawn = Zeroizing::new([0; 16]);
            entropy.fill(&mut *drawn);
            let delta = Zeroizing::new(Block::from_le_bytes(*drawn));
            let (message, keys) = base_ot::choose(&sid, *delta, offer, entropy)?;
            Ok::<_, Error>((message, Box::new((delta, keys))))
        })?;
        Ok(Self { message, secret: Some(secret) })
    }

    fn message<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.message)
    }
}

/// The code of a session, which is public; used once.
#[pyclass(module = "psi._core")]
pub struct VoleCode(Option<Box<(Profile, Code)>>);

#[pymethods]
impl VoleCode {
    #[staticmethod]
    fn draw(py: Python<'_>, sid: [u8; 32], profile: &str) -> PyResult<Self> {
        let profile = match profile {
            "fresh" => Profile::Fresh,
            "checked" => Profile::Checked,
            "stationary" => Profile::Stationary,
            _ => return Err(PyValueError::new_err("profile: fresh, checked or stationary")),
        };
        Ok(Self(Some(Box::new(detached(py, || (profile, profile.code(&sid)))))))
    }
}

impl VoleCode {
    fn take(&mut self) -> Result<(Profile, Code), Error> {
        Ok(*self.0.take().ok_or(Error::Used { argument: "code" })?)
    }
}

/// The receiver's correlations.
///
/// In a box: Python aligns its objects to 16 bytes, and registers of these want 32.
#[pyclass(module = "psi._core")]
pub struct VoleReceiver(Box<vole::Receiver>);

#[pymethods]
impl VoleReceiver {
    /// Ends the base OTs; returns the correlations' source and the message that makes the sender's.
    #[staticmethod]
    fn plant<'py>(
        py: Python<'py>,
        offer: &mut BaseOtOffer,
        code: &mut VoleCode,
        sid: [u8; 32],
        points: &[u8],
        width: usize,
        entropy: &mut Entropy,
    ) -> PyResult<(Self, Bound<'py, PyBytes>)> {
        let offer = offer.0.take().ok_or(Error::Used { argument: "offer" })?;
        let (profile, code) = code.take()?;
        let entropy = &mut entropy.0;
        let (receiver, trees) = detached(py, || {
            let pairs = offer.keys(&sid, points)?;
            let (cots, trees) = match profile {
                Profile::Checked => cot::Receiver::plant_checked(&sid, &pairs, entropy),
                _ => cot::Receiver::plant(&sid, &pairs, entropy),
            };
            Ok::<_, Error>((vole::Receiver::new(&sid, width, profile, code, cots, entropy)?, trees))
        })?;
        Ok((Self(Box::new(receiver)), PyBytes::new(py, &trees)))
    }

    #[pyo3(signature = (entropy, chunks=1))]
    fn request<'py>(
        &mut self,
        py: Python<'py>,
        entropy: &mut Entropy,
        chunks: u8,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let request = detached(py, || self.0.request(chunks, &mut entropy.0));
        Ok(PyBytes::new(py, &request))
    }

    fn absorb(&mut self, py: Python<'_>, corrections: &[u8]) -> PyResult<()> {
        Ok(detached(py, || self.0.absorb(corrections))?)
    }

    /// Ends the chunks; returns the sum of their noise, masked.
    fn mask<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.mask()?))
    }

    /// Refuses a proof that is not of all corrections.
    fn verify(&mut self, proof: &[u8]) -> PyResult<()> {
        Ok(self.0.verify(proof)?)
    }
}

/// The sender's correlations, and Delta. In a box, as the receiver's.
#[pyclass(module = "psi._core")]
pub struct VoleSender(Box<vole::Sender>);

#[pymethods]
impl VoleSender {
    #[staticmethod]
    fn grow(
        py: Python<'_>,
        choice: &mut BaseOtChoice,
        code: &mut VoleCode,
        sid: [u8; 32],
        trees: &[u8],
        width: usize,
    ) -> PyResult<Self> {
        let secret = choice.secret.take().ok_or(Error::Used { argument: "choice" })?;
        let (profile, code) = code.take()?;
        Ok(Self(detached(py, || {
            let (delta, keys) = &*secret;
            let cots = match profile {
                Profile::Checked => cot::Sender::grow_checked(&sid, **delta, keys, trees)?,
                _ => cot::Sender::grow(&sid, **delta, keys, trees)?,
            };
            Ok::<_, Error>(Box::new(vole::Sender::new(&sid, width, profile, code, **delta, cots)?))
        })?))
    }

    #[pyo3(signature = (request, entropy, chunks=1))]
    fn answer<'py>(
        &mut self,
        py: Python<'py>,
        request: &[u8],
        entropy: &mut Entropy,
        chunks: u8,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let corrections = detached(py, || self.0.answer(request, chunks, &mut entropy.0))?;
        Ok(PyBytes::new(py, &corrections))
    }

    /// Ends the chunks; proves their corrections from the receiver's masked sum.
    fn prove<'py>(&mut self, py: Python<'py>, masked: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.prove(masked)?))
    }
}

/// A set, hashed and grouped by bins; bin by bin its hashes become outputs.
#[pyclass(module = "psi._core")]
pub struct Rows(crate::rows::Rows);

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (elements, extras, sid, bins, third, width, numbered=true))]
    #[expect(clippy::too_many_arguments, reason = "the form's numbers cross the border one by one")]
    fn new(
        py: Python<'_>,
        elements: Elements,
        extras: &[u8],
        sid: [u8; 32],
        bins: usize,
        third: usize,
        width: usize,
        numbered: bool,
    ) -> PyResult<Self> {
        let (elements, extras) = (elements.rows()?, rows(extras, "extras")?);
        let group =
            || crate::rows::Rows::group(elements, extras, &sid, bins, third, width, numbered);
        Ok(Self(detached(py, group)?))
    }

    /// Encodes bins of the receiver's, masks their cells and computes their outputs. The cells stand
    /// between a head and a tail of the caller's.
    #[pyo3(signature = (first, count, capacity, correlations, salt=None, head=None, tail=None))]
    #[expect(clippy::too_many_arguments, reason = "the bins' numbers cross the border one by one")]
    fn blind<'py>(
        &mut self,
        py: Python<'py>,
        first: usize,
        count: usize,
        capacity: usize,
        correlations: &mut VoleReceiver,
        salt: Option<[u8; 16]>,
        head: Option<&[u8]>,
        tail: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (vole, salt) = (correlations.0.as_mut(), salt.map(Block::from_le_bytes));
        let bins = first..first.saturating_add(count);
        let length = oprf::masked_length(&self.0, &bins)?;
        between(py, head, length, tail, |cells| {
            oprf::blind(&mut self.0, bins, capacity, vole, salt, cells)
        })
    }

    /// Computes the outputs of bins of the sender's from masked cells, `cells[start:end]`.
    #[pyo3(signature = (first, count, cells, correlations, salt=None, start=0, end=None))]
    #[expect(clippy::too_many_arguments, reason = "the bins' numbers cross the border one by one")]
    fn evaluate(
        &mut self,
        py: Python<'_>,
        first: usize,
        count: usize,
        cells: &[u8],
        correlations: &mut VoleSender,
        salt: Option<[u8; 16]>,
        start: usize,
        end: Option<usize>,
    ) -> PyResult<()> {
        let (vole, salt) = (correlations.0.as_mut(), salt.map(Block::from_le_bytes));
        let cells = part(cells, start, end)?;
        Ok(detached(py, || {
            oprf::evaluate(&mut self.0, first..first.saturating_add(count), cells, vole, salt)
        })?)
    }

    /// All outputs, in the order of elements and extras, as labels are sealed with; taken once.
    fn outputs(&mut self, py: Python<'_>) -> PyResult<Outputs> {
        Ok(Outputs(dh::Outputs::of(detached(py, || self.0.seals())?)))
    }
}

/// How often peeling left so many of `keys` random keys, over `runs` runs: {left: runs}.
#[pyfunction]
pub fn okvs_core_sizes(
    py: Python<'_>,
    keys: usize,
    third: usize,
    seed: u64,
    runs: u64,
) -> PyResult<BTreeMap<usize, u64>> {
    Ok(detached(py, || okvs::core_sizes(keys, third, seed, runs))?)
}

/// How many of a population of bins had a large core at each level (keys, most keys of a step).
#[pyfunction]
pub fn okvs_large_cores(
    py: Python<'_>,
    levels: Vec<(usize, usize)>,
    third: usize,
    seed: u64,
    population: usize,
    steps: u64,
) -> PyResult<Vec<usize>> {
    let levels: Vec<_> =
        levels.into_iter().map(|(keys, redrawn)| okvs::Level { keys, redrawn }).collect();
    Ok(detached(py, || okvs::large_cores(&levels, third, seed, population, steps))?)
}

/// The sender's tags, ascending; takes the outputs of its rows.
#[pyclass(module = "psi._core")]
pub struct AscendingTags(tags::Sorted);

#[pymethods]
impl AscendingTags {
    #[new]
    fn new(py: Python<'_>, rows: &mut Rows, bits: usize) -> PyResult<Self> {
        Ok(Self(detached(py, || tags::Sorted::of(rows.0.take()?, bits))?))
    }

    fn unary<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &detached(py, || self.0.unary()))
    }

    /// The low parts of tags `start..start + count`, or of those of them that there are, behind a head
    /// of the caller's.
    #[pyo3(signature = (start, count, head=None))]
    fn lows<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        count: usize,
        head: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        between(py, head, self.0.length(start, count), None, |lows| self.0.lows(start, lows))
    }
}

/// The receiver's rows, waiting for the sender's tags; takes their outputs.
#[pyclass(module = "psi._core")]
pub struct TagJoin(Option<tags::Join>);

#[pymethods]
impl TagJoin {
    #[new]
    fn new(
        py: Python<'_>,
        rows: &mut Rows,
        bits: usize,
        tags: usize,
        unary: &[u8],
    ) -> PyResult<Self> {
        let (outputs, index) = rows.0.take_numbered()?;
        Ok(Self(Some(detached(py, || tags::Join::of(outputs, index, bits, tags, unary))?)))
    }

    /// Takes the next low parts, `lows[start:end]`.
    #[pyo3(signature = (lows, start=0, end=None))]
    fn probe(
        &mut self,
        py: Python<'_>,
        lows: &[u8],
        start: usize,
        end: Option<usize>,
    ) -> PyResult<()> {
        let lows = part(lows, start, end)?;
        let join = self.0.as_mut().ok_or(Error::Used { argument: "join" })?;
        Ok(detached(py, || join.probe(lows))?)
    }

    /// Positions of the rows that matched, ascending, n x 4 bytes little-endian.
    fn matched<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let join = self.0.take().ok_or(Error::Used { argument: "join" })?;
        let matched = detached(py, || join.matched())?;
        let bytes: Vec<u8> = matched.into_iter().flat_map(u32::to_le_bytes).collect();
        Ok(PyBytes::new(py, &bytes))
    }
}
