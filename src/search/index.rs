//! Rows in order of norm, in small integers: the first look at a catalogue.

use std::cell::RefCell;
use std::ops::Range;

use fearless_simd::{Simd, SimdBase, SimdFloat, SimdMask, f32x16};

use super::codes::{QueryCodes, encode_row, norm_of};
use super::scan::Hit;
use crate::guard::courtesy::after_you;
use crate::kernel::{
    CODE_DIMS, CodeLine, LANES, SimdPath, TopK, count_as_f64, dot, multiply_codes, on_path, rounded,
};

thread_local! {
    /// The codes of a query live where the last one's were.
    static QUERY: RefCell<QueryCodes> = RefCell::default();
}

/// No row: a place in the last block that nothing fills.
const NOBODY: u32 = u32::MAX;

/// The padded rows behind an index.
pub(crate) trait RowSource {
    /// Floats of a row.
    fn stride(&self) -> usize;

    /// How many rows there are.
    fn n_rows(&self) -> usize;

    /// Row `row`, below [`n_rows`](Self::n_rows).
    fn row(&self, row: u32) -> &[f32];
}

/// What a search may return.
pub(crate) trait Allowed {
    /// Whether the row is left out; quick, as it is asked of every row that looks promising.
    fn is_left_out(&self, row: u32) -> bool;

    /// Whether the row may enter the list; asked only of rows that would, so it may be slow.
    fn is_wanted(&mut self, row: u32) -> bool;

    /// The same of some rows with their scores at once: `wanted` is as long as `hits`.
    fn are_wanted(&mut self, hits: &[Hit], wanted: &mut [bool]) {
        for (wanted, &(_, row)) in wanted.iter_mut().zip(hits) {
            *wanted = self.is_wanted(row);
        }
    }
}

/// Rows that would enter a list, until somebody is asked whether they may.
#[derive(Debug, Default)]
pub(super) struct Promising {
    hits: [Hit; LANES],
    n: usize,
}

impl Promising {
    /// Adds one; there is room for [`LANES`].
    pub(super) fn push(&mut self, hit: Hit) {
        self.hits[self.n] = hit;
        self.n += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.n == LANES
    }

    /// Lets those into `top` that are wanted.
    pub(super) fn offer(&mut self, allowed: &mut impl Allowed, top: &mut TopK) {
        let hits = &self.hits[..std::mem::take(&mut self.n)];
        if hits.is_empty() {
            return;
        }
        let mut wanted = [false; LANES];
        allowed.are_wanted(hits, &mut wanted[..hits.len()]);
        for (&(score, row), _) in hits.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
            top.push(score, row);
        }
    }
}

/// Exact search over rows that do not change.
///
/// Rows lie in blocks of 16 in descending order of norm, each as 8-bit codes with a scale. A product of codes
/// is within `|e_u|·|v̂| + |u|·|e_v|` of the true one (Cauchy and Schwarz on `u·v − û·v̂ = e_u·v̂ + u·e_v`), so a
/// row whose product plus this bound stays below the worst row of the list cannot enter it. All others are
/// scored by the canonical dot product. By the same inequality the scan ends at the first block whose norms
/// are too small: long catalogues are mostly never looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct NormIndex {
    n_rows: usize,
    /// Lines of a block.
    n_lines: usize,
    lines: Vec<CodeLine>,
    blocks: Vec<Block>,
}

/// What is known of 16 rows beside their codes.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Block {
    scales: [f32; LANES],
    /// |v̂|, rounded up.
    coded_norms: [f32; LANES],
    /// |v − v̂| and whatever else a product can be off by, per |u|; rounded up.
    errors: [f32; LANES],
    /// |v|, rounded up.
    norms: [f32; LANES],
    rows: [u32; LANES],
}

impl Block {
    const EMPTY: Self = Self {
        scales: [0.0; LANES],
        coded_norms: [0.0; LANES],
        errors: [0.0; LANES],
        norms: [0.0; LANES],
        rows: [NOBODY; LANES],
    };
}

impl NormIndex {
    /// Memory held.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&*self.lines) + size_of_val(&*self.blocks)
    }

    /// Indexes all rows. Runs on the calling thread: a fifth of a microsecond a row at 64 factors.
    pub(crate) fn build(rows: &impl RowSource) -> Self {
        let n_lines = rows.stride() / CODE_DIMS;
        let numbers = 0..u32::try_from(rows.n_rows()).expect("rows are capped at u32");
        let mut order: Vec<u64> = numbers.map(|row| place_in_order(rows.row(row), row)).collect();
        order.sort_unstable();
        let n_blocks = order.len().div_ceil(LANES);
        let mut lines = vec![CodeLine::ZERO; n_blocks * n_lines];
        let mut blocks = vec![Block::EMPTY; n_blocks];
        let relative = rounding(rows.stride());
        for (at, &in_order) in order.iter().enumerate() {
            after_you();
            let row = row_in_order(in_order);
            let (block, place) = (at / LANES, at % LANES);
            let lines = &mut lines[block * n_lines..(block + 1) * n_lines];
            let (scale, spread) = encode_row(rows.row(row), lines, place);
            let block = &mut blocks[block];
            block.scales[place] = scale;
            block.coded_norms[place] = spread.coded_norm;
            block.errors[place] = if is_ordinary(spread.norm) {
                (spread.error + spread.norm * relative).next_up()
            } else {
                f32::INFINITY
            };
            block.norms[place] = spread.norm;
            block.rows[place] = row;
        }
        Self { n_rows: order.len(), n_lines, lines, blocks }
    }

    /// Rows indexed, those taken out included.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Blocks of 16 rows, in the order of a search.
    pub(crate) fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Offers `top` every row of `blocks` whose inner product with `query` it would keep, and few others. Says whether
    /// rows of later blocks may be kept too.
    pub(crate) fn offer_by_product(
        &self,
        path: SimdPath,
        query: &[f32],
        blocks: Range<usize>,
        rows: &impl RowSource,
        allowed: &mut impl Allowed,
        top: &mut TopK,
    ) -> bool {
        let score = |row: &[f32]| dot(path, query, row);
        self.offer(path, query, blocks, &ByProduct, score, rows, allowed, top)
    }

    /// Offers `top` every row whose cosine to `query` it would keep, and few others. Rows of zeros have none.
    pub(crate) fn offer_by_cosine(
        &self,
        path: SimdPath,
        query: &[f32],
        rows: &impl RowSource,
        allowed: &mut impl Allowed,
        top: &mut TopK,
    ) {
        let (score, blocks) = (|row: &[f32]| cosine(path, query, row), 0..self.n_blocks());
        self.offer(
            path,
            query,
            blocks,
            &ByCosine { relative: rounding(query.len()) },
            score,
            rows,
            allowed,
            top,
        );
    }

    #[expect(clippy::too_many_arguments, reason = "the two callers above are what others see")]
    fn offer(
        &self,
        path: SimdPath,
        query: &[f32],
        blocks: Range<usize>,
        measure: &impl Measure,
        score: impl Fn(&[f32]) -> f32,
        rows: &impl RowSource,
        allowed: &mut impl Allowed,
        top: &mut TopK,
    ) -> bool {
        // Taken, not borrowed: whoever is asked below may search too.
        let mut codes = QUERY.take();
        codes.encode(query);
        if !is_ordinary(codes.spread.norm) {
            codes.spread.error = f32::INFINITY;
        }
        let mut would_enter = Promising::default();
        let mut from = blocks.start;
        let goes_on = loop {
            let (block, promising) =
                match self.next_promising(path, &codes, measure, from..blocks.end, top.worst()) {
                    Next::Promising { block, places } => (block, places),
                    Next::EndOfBlocks => break true,
                    Next::OutOfReach => break false,
                };
            for place in (0..LANES).filter(|place| promising >> place & 1 == 1) {
                let row = self.blocks[block].rows[place];
                if row == NOBODY || allowed.is_left_out(row) {
                    continue;
                }
                let score = score(rows.row(row));
                if top.would_keep(score) {
                    would_enter.push((score, row));
                }
            }
            would_enter.offer(allowed, top);
            from = block + 1;
        };
        QUERY.set(codes);
        goes_on
    }

    /// The first of `blocks` with rows that may reach `worst`.
    fn next_promising(
        &self,
        path: SimdPath,
        query: &QueryCodes,
        measure: &impl Measure,
        blocks: Range<usize>,
        worst: Option<f32>,
    ) -> Next {
        on_path!(path, simd => self.next_promising_in(simd, query, measure, blocks, worst))
    }

    #[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
    #[inline(always)]
    fn next_promising_in<S: Simd>(
        &self,
        simd: S,
        query: &QueryCodes,
        measure: &impl Measure,
        blocks: Range<usize>,
        worst: Option<f32>,
    ) -> Next {
        let Some(worst) = worst else {
            // The list is not full: everything may enter it.
            let block = blocks.start;
            return if blocks.is_empty() {
                Next::EndOfBlocks
            } else {
                Next::Promising { block, places: u64::MAX }
            };
        };
        let scale = f32x16::splat(simd, query.scale);
        let error = f32x16::splat(simd, query.spread.error);
        let norm = f32x16::splat(simd, query.spread.norm);
        let worst_of_lanes = f32x16::splat(simd, worst);
        let lines = self.lines[blocks.start * self.n_lines..].chunks_exact(self.n_lines.max(1));
        for ((at, block), lines) in blocks.clone().zip(&self.blocks[blocks]).zip(lines) {
            if measure.is_out_of_reach(query.spread.norm, block.norms[0], worst) {
                return Next::OutOfReach;
            }
            let product = multiply_codes(simd, lines, &query.pairs);
            let approximation = product * (scale * f32x16::from_slice(simd, &block.scales));
            let bound = error.mul_add(
                f32x16::from_slice(simd, &block.coded_norms),
                norm * f32x16::from_slice(simd, &block.errors),
            );
            let norms = f32x16::from_slice(simd, &block.norms);
            let to_reach = measure.to_reach(simd, worst_of_lanes, norm * norms);
            // Not "at least": NaN, of products beyond f32, is promising.
            let hopeless = (approximation + bound).simd_lt(to_reach).to_bitmask();
            let promising = !hopeless & ((1 << LANES) - 1);
            if promising != 0 {
                return Next::Promising { block: at, places: promising };
            }
        }
        Next::EndOfBlocks
    }
}

/// What a scan comes to next.
enum Next {
    /// A block, some places of which, as bits, may hold what the list would keep.
    Promising { block: usize, places: u64 },
    /// The end of what was to be looked at.
    EndOfBlocks,
    /// Rows too short to be kept, and so are all after them.
    OutOfReach,
}

/// The cosine of two rows; NaN if one of them is zero.
pub(super) fn cosine(path: SimdPath, query: &[f32], row: &[f32]) -> f32 {
    dot(path, query, row) / (dot(path, query, query).sqrt() * dot(path, row, row).sqrt())
}

/// What a list is in order of.
trait Measure {
    /// Whether neither this block nor any after it can reach `worst`.
    fn is_out_of_reach(&self, query_norm: f32, largest_norm: f32, worst: f32) -> bool;

    /// What an upper bound of the product must reach, given the product of the norms.
    fn to_reach<S: Simd>(&self, simd: S, worst: f32x16<S>, norms: f32x16<S>) -> f32x16<S>;
}

struct ByProduct;

impl Measure for ByProduct {
    fn is_out_of_reach(&self, query_norm: f32, largest_norm: f32, worst: f32) -> bool {
        // Both norms are rounded up, and the canonical dot product adds less than a thousandth.
        query_norm * largest_norm * (1.0 + 1e-3) + f32::MIN_POSITIVE < worst
    }

    #[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
    #[inline(always)]
    fn to_reach<S: Simd>(&self, _simd: S, worst: f32x16<S>, _norms: f32x16<S>) -> f32x16<S> {
        worst
    }
}

struct ByCosine {
    /// What a quotient may be off by.
    relative: f32,
}

impl Measure for ByCosine {
    fn is_out_of_reach(&self, _query_norm: f32, largest_norm: f32, _worst: f32) -> bool {
        // Rows of zeros have no direction, and they are the last.
        largest_norm == 0.0
    }

    #[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
    #[inline(always)]
    fn to_reach<S: Simd>(&self, simd: S, worst: f32x16<S>, norms: f32x16<S>) -> f32x16<S> {
        (worst - f32x16::splat(simd, self.relative)) * norms
    }
}

/// Ascending in the order of a scan, by descending norm and then by row, in one word as that is sorted faster.
fn place_in_order(values: &[f32], row: u32) -> u64 {
    after_you();
    // Norms are not negative, so that their bits are in their order.
    u64::from(!norm_of(values).to_bits()) << 32 | u64::from(row)
}

/// The row of a [place](place_in_order).
#[expect(clippy::cast_possible_truncation, reason = "the lower half of the word is the row")]
fn row_in_order(place: u64) -> u32 {
    place as u32
}

/// Whether products with a vector of this norm stay where f32 has its full precision. Bounds hold there; rows
/// beyond are always looked at twice. Zero is exact.
fn is_ordinary(norm: f32) -> bool {
    norm == 0.0 || (1e-15..=1e15).contains(&norm)
}

/// What the sum of a dot product in f32, and the few operations of its bound, may be off by, relative to the
/// product of the norms.
fn rounding(stride: usize) -> f32 {
    rounded((2.0 * count_as_f64(stride) + 64.0) * f64::from(f32::EPSILON))
}
