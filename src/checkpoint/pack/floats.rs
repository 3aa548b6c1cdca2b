//! Rows of floats.

use crate::checkpoint::error::Unsound;
use crate::checkpoint::rules::ensure;
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};

pub(in crate::checkpoint) fn put_f32s(out: &mut Vec<u8>, values: &[f32]) {
    out.reserve(size_of_val(values));
    for &value in values {
        out.put_f32(value);
    }
}

pub(in crate::checkpoint) fn put_f64s(out: &mut Vec<u8>, values: impl IntoIterator<Item = f64>) {
    for value in values {
        out.put_f64(value);
    }
}

/// Fills `out`.
pub(in crate::checkpoint) fn take_f32s(
    bytes: &mut TakeBytes<'_>,
    out: &mut [f32],
) -> Result<(), DecodeError> {
    let (values, _) = bytes.bytes(size_of_val(out))?.as_chunks();
    for (out, &value) in out.iter_mut().zip(values) {
        *out = f32::from_le_bytes(value);
    }
    Ok(())
}

/// All of `bytes`, which must be `n` floats.
pub(in crate::checkpoint) fn take_f64s(
    bytes: &[u8],
    n: usize,
) -> Result<impl Iterator<Item = f64> + '_, Unsound> {
    let (values, rest) = bytes.as_chunks();
    ensure(values.len() == n && rest.is_empty(), "the number of floats")?;
    Ok(values.iter().map(|&value| f64::from_le_bytes(value)))
}
