//! Raw little-endian arrays in files, and fields of commands.

use std::fs;

use segue::Factors;
use serde_json::Value;

use super::Failure;

pub(super) fn text<'a>(command: &'a Value, field: &str) -> Result<&'a str, Failure> {
    command[field].as_str().ok_or_else(|| format!("`{field}` should be a text").into())
}

pub(super) fn count(command: &Value, field: &str) -> Result<usize, Failure> {
    let count = command[field].as_u64().ok_or_else(|| format!("`{field}` should be a count"))?;
    Ok(usize::try_from(count)?)
}

pub(super) fn read_f32(path: &str) -> Result<Vec<f32>, Failure> {
    read(path, f32::from_le_bytes)
}

pub(super) fn read_u32(path: &str) -> Result<Vec<u32>, Failure> {
    read(path, u32::from_le_bytes)
}

pub(super) fn read_indptr(path: &str) -> Result<Vec<usize>, Failure> {
    read(path, u64::from_le_bytes)?.into_iter().map(|start| Ok(usize::try_from(start)?)).collect()
}

pub(super) fn read_factors(path: &str, n_factors: usize) -> Result<Factors, Failure> {
    let values = read_f32(path)?;
    let shape = (values.len() / n_factors, n_factors);
    Ok(Factors::from_array(ndarray::ArrayView2::from_shape(shape, &values)?)?)
}

pub(super) fn write_factors(path: &str, factors: &Factors) -> Result<(), Failure> {
    write_f32(path, factors.view().iter().copied())
}

pub(super) fn write_f32(path: &str, values: impl IntoIterator<Item = f32>) -> Result<(), Failure> {
    let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok(fs::write(path, bytes)?)
}

pub(super) fn write_u32(path: &str, values: &[u32]) -> Result<(), Failure> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(fs::write(path, bytes)?)
}

fn read<T, const N: usize>(path: &str, from_bytes: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Failure> {
    let bytes = fs::read(path)?;
    Ok(bytes.chunks_exact(N).map(|chunk| from_bytes(chunk.try_into().expect("chunks of N"))).collect())
}

/// The median and the 99th percentile of `seconds`, in microseconds.
pub(super) fn summary(mut seconds: Vec<f64>) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |share: usize| seconds.get(seconds.len() * share / 100).map(|seconds| seconds * 1e6);
    serde_json::json!({ "p50_us": at(50), "p99_us": at(99) })
}
