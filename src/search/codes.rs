//! Vectors as small integers, and how far products of those can be from the truth.

use crate::kernel::{CODE_DIMS, CodeLine, LANES, code_pair, rounded};

/// The largest code of a row.
const MAX_CODE: f64 = 127.0;
/// The largest code of a query, as long as no sum of products can leave i32.
const MAX_QUERY_CODE: f64 = 8_191.0;

/// A vector's distance from its codes, each number rounded up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread {
    /// |v|.
    pub(super) norm: f32,
    /// |v̂|, v̂ being the codes times their scale.
    pub(super) coded_norm: f32,
    /// |v − v̂|.
    pub(super) error: f32,
}

/// A query in codes.
#[derive(Debug, Clone, Default)]
pub(super) struct QueryCodes {
    /// Two dimensions each.
    pub(super) pairs: Vec<i32>,
    pub(super) scale: f32,
    pub(super) spread: Spread,
}

impl QueryCodes {
    /// Codes `query`, whose length is a multiple of [`LANES`].
    pub(super) fn encode(&mut self, query: &[f32]) {
        let dims = f64::from(u32::try_from(query.len()).unwrap_or(u32::MAX)).max(1.0);
        let max_code = MAX_QUERY_CODE.min((f64::from(i32::MAX) / (MAX_CODE * dims)).floor());
        self.scale = scale_of(query, max_code);
        let mut sums = Sums::new(self.scale, max_code);
        let mut code = |value| as_i16(sums.code(value));
        self.pairs.clear();
        self.pairs.extend(query.chunks_exact(2).map(|pair| code_pair(code(pair[0]), code(pair[1]))));
        self.spread = sums.spread();
    }
}

/// Codes `row` into place `place` of a block, and returns its scale and spread.
pub(super) fn encode_row(row: &[f32], lines: &mut [CodeLine], place: usize) -> (f32, Spread) {
    debug_assert!(place < LANES && lines.len() * CODE_DIMS == row.len());
    let scale = scale_of(row, MAX_CODE);
    let mut sums = Sums::new(scale, MAX_CODE);
    for (line, values) in lines.iter_mut().zip(row.chunks_exact(CODE_DIMS)) {
        for (dim, &value) in values.iter().enumerate() {
            line.set(place, dim, as_i8(sums.code(value)));
        }
    }
    (scale, sums.spread())
}

/// The norm of `row`, rounded up.
pub(super) fn norm_of(row: &[f32]) -> f32 {
    rounded_up(row.iter().fold(0.0, |sum, &value| sum + f64::from(value) * f64::from(value)).sqrt())
}

/// An f32 that is no less than what `value` is but for rounding in f64; zero stays zero.
fn rounded_up(value: f64) -> f32 {
    if value == 0.0 { 0.0 } else { rounded(value * (1.0 + 1e-9)).next_up() }
}

fn scale_of(values: &[f32], max_code: f64) -> f32 {
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    rounded(f64::from(largest) / max_code)
}

/// The sums of squares behind a [`Spread`], in f64 and of the scale that is stored, whatever it was rounded to.
#[derive(Debug)]
struct Sums {
    scale: f64,
    inverse: f64,
    max_code: f64,
    values: f64,
    codes: f64,
    errors: f64,
}

impl Sums {
    fn new(scale: f32, max_code: f64) -> Self {
        let scale = f64::from(scale);
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        Self { scale, inverse, max_code, values: 0.0, codes: 0.0, errors: 0.0 }
    }

    fn code(&mut self, value: f32) -> f64 {
        /// What pushes the fraction of an f64 out of its mantissa: rounding without a call.
        const ROUNDER: f64 = 6_755_399_441_055_744.0;
        let value = f64::from(value);
        let code = ((value * self.inverse).clamp(-self.max_code, self.max_code) + ROUNDER) - ROUNDER;
        let error = value - code * self.scale;
        self.values += value * value;
        self.codes += code * code;
        self.errors += error * error;
        code
    }

    fn spread(&self) -> Spread {
        Spread {
            norm: rounded_up(self.values.sqrt()),
            coded_norm: rounded_up(self.codes.sqrt() * self.scale),
            error: rounded_up(self.errors.sqrt()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "codes are clamped to 127")]
fn as_i8(code: f64) -> i8 {
    code as i8
}

#[expect(clippy::cast_possible_truncation, reason = "codes are clamped to 8191")]
fn as_i16(code: f64) -> i16 {
    code as i16
}
