//! A blocked scan: every row is scored, few are looked at twice.

use crate::kernel::{SimdPath, TopK, dot, score_rows};

/// A hit: the score and the row.
pub(crate) type Hit = (f32, u32);

/// The `limit` rows with the largest inner product with `query` among those that `keep` accepts; ties go
/// to the lower row.
///
/// `chunks` gives the first row's number and the padded rows. `keep` is asked only of rows that would
/// enter the list, so it may be slow; the list is the same as if it had been asked of all.
pub(crate) fn top_by_product<'a>(
    path: SimdPath,
    query: &[f32],
    chunks: impl Iterator<Item = (usize, &'a [f32])>,
    limit: usize,
    mut keep: impl FnMut(u32) -> bool,
) -> Vec<Hit> {
    let mut top = TopK::new(limit);
    let mut scores = Vec::new();
    for (first, rows) in chunks {
        scores.resize(rows.len() / query.len(), 0.0);
        score_rows(path, query, rows, &mut scores);
        offer(&mut top, first, &scores, &mut keep);
    }
    top.into_sorted()
}

/// The `limit` rows with the largest cosine to `query` among those that `keep` accepts. Rows without a
/// direction (all zero) are left out.
pub(crate) fn top_by_cosine<'a>(
    path: SimdPath,
    query: &[f32],
    chunks: impl Iterator<Item = (usize, &'a [f32])>,
    limit: usize,
    mut keep: impl FnMut(u32) -> bool,
) -> Vec<Hit> {
    let query_norm = dot(path, query, query).sqrt();
    let mut top = TopK::new(limit);
    let mut scores = Vec::new();
    for (first, rows) in chunks {
        scores.resize(rows.len() / query.len(), 0.0);
        score_rows(path, query, rows, &mut scores);
        for (score, row) in scores.iter_mut().zip(rows.chunks_exact(query.len())) {
            // Zero over zero is NaN, which no list keeps.
            *score /= query_norm * dot(path, row, row).sqrt();
        }
        offer(&mut top, first, &scores, &mut keep);
    }
    top.into_sorted()
}

/// The `limit` largest values among those that `keep` accepts.
pub(crate) fn top_by_value(values: &[f32], limit: usize, mut keep: impl FnMut(u32) -> bool) -> Vec<Hit> {
    let mut top = TopK::new(limit);
    offer(&mut top, 0, values, &mut keep);
    top.into_sorted()
}

fn offer(top: &mut TopK, first: usize, scores: &[f32], keep: &mut impl FnMut(u32) -> bool) {
    for (within, &score) in scores.iter().enumerate() {
        if top.would_keep(score) {
            let row = u32::try_from(first + within).expect("rows are capped at u32");
            if keep(row) {
                top.push(score, row);
            }
        }
    }
}
