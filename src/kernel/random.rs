//! Seeded random numbers whose bytes depend on nothing but the seed.

/// The step of the Weyl sequence under the generator: 2⁶⁴ divided by the golden ratio, made odd.
const GOLDEN_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The generator of Steele, Lea & Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014).
///
/// Eight bytes of state and no warm-up, so one per row or per listener costs nothing. Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The generator of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The generator of number `stream` under `seed`: a pure function of both, so that rows can be drawn in
    /// any order and on any thread. Different streams of one seed never start in the same state.
    pub(crate) fn at(seed: u64, stream: u64) -> Self {
        let base = mixed(seed.wrapping_add(GOLDEN_STEP));
        Self { state: mixed(base.wrapping_add(stream.wrapping_mul(GOLDEN_STEP))) }
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_STEP);
        mixed(self.state)
    }

    /// A number in [0, 1), a multiple of 2⁻⁵³.
    pub(crate) fn uniform(&mut self) -> f64 {
        fraction_of_53_bits(self.next_u64() >> 11)
    }

    /// A whole number below `bound`, each equally likely (multiplication with rejection, Lemire, ACM TOMACS
    /// 2019). A bound of 0 counts as 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = (bound as u64).max(1);
        loop {
            let (whole, rest) = wide_product(self.next_u64(), bound);
            // Only the first `2⁶⁴ mod bound` remainders would be drawn once too often.
            if rest >= bound || rest >= bound.wrapping_neg() % bound {
                return index_of(whole);
            }
        }
    }

    /// A draw from the standard normal distribution (Box & Muller, 1958).
    ///
    /// Always two uniform numbers for one draw: the second normal is thrown away, so that the state stays one
    /// word and the n-th draw does not depend on what was called before it.
    pub(crate) fn normal(&mut self) -> f64 {
        // One minus it, because the logarithm needs (0, 1].
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }
}

/// Draws an index in proportion to fixed weights, in constant time (Walker 1977, built as by Vose 1991).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AliasTable {
    columns: Box<[Column]>,
}

/// Column `i` of the table: below the threshold it stands for `i`, from there on for `alias`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    /// The share of the column that is its own, in units of 2⁻³²: so a probability is off by at most that.
    threshold: u32,
    alias: u32,
}

impl AliasTable {
    /// A table over `weights`; `None` if a weight is negative or not finite, if none (or not even their sum)
    /// is above zero and finite, or if there are more than 2³² − 1 of them.
    pub(crate) fn new(weights: &[f64]) -> Option<Self> {
        let n_columns = u32::try_from(weights.len()).ok()?;
        let total: f64 = weights.iter().sum();
        let usable = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !usable || !total.is_finite() || total <= 0.0 {
            return None;
        }
        let mut own: Vec<f64> = weights.iter().map(|weight| weight / total * f64::from(n_columns)).collect();
        // A column that is never paired stands for itself; but one without weight must not, even if rounding
        // leaves it over, so everything points at the heaviest until it is paired.
        let heaviest = (0..n_columns).max_by(|&a, &b| own[a as usize].total_cmp(&own[b as usize]))?;
        let mut columns = vec![Column { threshold: 0, alias: heaviest }; weights.len()];
        let (mut poor, mut rich): (Vec<u32>, Vec<u32>) = (0..n_columns).partition(|&i| own[i as usize] < 1.0);
        while let (Some(&receiver), Some(&giver)) = (poor.last(), rich.last()) {
            poor.pop();
            columns[receiver as usize] =
                Column { threshold: in_32_bits(own[receiver as usize]), alias: giver };
            own[giver as usize] -= 1.0 - own[receiver as usize];
            if own[giver as usize] < 1.0 {
                rich.pop();
                poor.push(giver);
            }
        }
        for whole in poor.into_iter().chain(rich).filter(|&i| weights[i as usize] > 0.0) {
            columns[whole as usize] = Column { threshold: u32::MAX, alias: whole };
        }
        Some(Self { columns: columns.into() })
    }

    /// An index below the number of weights, never one of weight zero.
    pub(crate) fn sample(&self, random: &mut SplitMix64) -> usize {
        // The product's whole part picks the column, its fraction is the coin: one draw does for both.
        let (whole, rest) = wide_product(random.next_u64(), self.columns.len() as u64);
        let column = index_of(whole);
        let Column { threshold, alias } = self.columns[column];
        if rest >> 32 < u64::from(threshold) { column } else { alias as usize }
    }
}

/// The finalizer of the generator: a bijection that spreads every bit over the whole word.
fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// The high and the low word of a product.
#[expect(clippy::cast_possible_truncation, reason = "each half of a 128-bit product is one word")]
fn wide_product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    ((product >> 64) as u64, product as u64)
}

#[expect(clippy::cast_possible_truncation, reason = "callers pass numbers below a `usize`")]
fn index_of(below_a_usize: u64) -> usize {
    below_a_usize as usize
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
fn fraction_of_53_bits(bits: u64) -> f64 {
    bits as f64 / (1_u64 << 53) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates; shares are in [0, 1]"
)]
fn in_32_bits(share: f64) -> u32 {
    (share * (f64::from(u32::MAX) + 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 200_000;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn streams_of_a_seed_are_reproducible_and_differ() {
        assert_eq!(SplitMix64::at(7, 3), SplitMix64::at(7, 3));
        let mut starts: Vec<u64> = (0..1_000).map(|stream| SplitMix64::at(7, stream).next_u64()).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), 1_000);
        assert_ne!(SplitMix64::at(3, 7), SplitMix64::at(7, 3));
    }

    #[test]
    fn uniform_fills_the_unit_interval_evenly() {
        let mut random = SplitMix64::new(1);
        let mut counts = [0_u32; 20];
        for _ in 0..DRAWS {
            let drawn = random.uniform();
            assert!((0.0..1.0).contains(&drawn));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bin below 20")]
            let bin = (drawn * 20.0) as usize;
            counts[bin] += 1;
        }
        // 19 degrees of freedom: 50 is beyond the 99.98th percentile.
        assert!(chi_square(&counts, &[1.0; 20]) < 50.0, "{counts:?}");
    }

    #[test]
    fn below_is_even_and_stays_below() {
        let mut random = SplitMix64::new(2);
        let mut counts = [0_u32; 7];
        for _ in 0..DRAWS {
            counts[random.below(7)] += 1;
        }
        // 6 degrees of freedom: 27 is beyond the 99.98th percentile.
        assert!(chi_square(&counts, &[1.0; 7]) < 27.0, "{counts:?}");
        assert_eq!((random.below(0), random.below(1)), (0, 0));
    }

    #[test]
    fn normal_has_the_moments_and_tails_of_the_standard_normal() {
        let mut random = SplitMix64::new(3);
        let drawn: Vec<f64> = (0..DRAWS).map(|_| random.normal()).collect();
        let mean = |power: i32| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(DRAWS);
        // Five standard errors of each estimate: the moments' variances are 1, 2, 15 and 96.
        assert!(mean(1).abs() < 5.0 * (1.0 / f64::from(DRAWS)).sqrt());
        assert!((mean(2) - 1.0).abs() < 5.0 * (2.0 / f64::from(DRAWS)).sqrt());
        assert!(mean(3).abs() < 5.0 * (15.0 / f64::from(DRAWS)).sqrt());
        assert!((mean(4) - 3.0).abs() < 5.0 * (96.0 / f64::from(DRAWS)).sqrt());
        let beyond_two = drawn.iter().filter(|x| x.abs() > 2.0).count();
        // P(|x| > 2) = 0.0455, so 9,100 expected with a standard deviation of 93.
        assert!((8_635..9_565).contains(&beyond_two), "{beyond_two}");
    }

    #[test]
    fn the_alias_table_draws_in_proportion_to_the_weights() {
        let weights = [5.0, 0.0, 1.0, 0.25, 3.75, 0.0, 10.0];
        let table = AliasTable::new(&weights).expect("usable weights");
        let mut random = SplitMix64::new(4);
        let mut counts = [0_u32; 7];
        for _ in 0..DRAWS {
            counts[table.sample(&mut random)] += 1;
        }
        assert_eq!((counts[1], counts[5]), (0, 0), "no weight, never drawn");
        // 4 degrees of freedom: 22 is beyond the 99.98th percentile.
        assert!(chi_square(&counts, &weights) < 22.0, "{counts:?}");
    }

    #[test]
    fn the_alias_table_never_draws_what_has_no_weight_whatever_the_rounding() {
        let mut random = SplitMix64::new(5);
        for _ in 0..200 {
            let weights: Vec<f64> = (0..=random.below(40))
                .map(|_| if random.below(2) == 0 { 0.0 } else { random.uniform() + 1e-3 })
                .collect();
            let Some(table) = AliasTable::new(&weights) else {
                assert!(weights.iter().all(|weight| *weight == 0.0));
                continue;
            };
            for _ in 0..2_000 {
                assert!(weights[table.sample(&mut random)] > 0.0, "{weights:?}");
            }
        }
    }

    #[test]
    fn the_alias_table_refuses_weights_without_a_distribution() {
        for weights in
            [&[][..], &[0.0, 0.0], &[1.0, -1.0], &[1.0, f64::NAN], &[f64::INFINITY], &[f64::MAX; 2]]
        {
            assert_eq!(AliasTable::new(weights), None, "{weights:?}");
        }
    }

    /// Pearson's statistic of counts against what the weights let expect; weights of zero are left out.
    fn chi_square(counts: &[u32], weights: &[f64]) -> f64 {
        let total: f64 = weights.iter().sum();
        let drawn = f64::from(counts.iter().sum::<u32>());
        counts
            .iter()
            .zip(weights)
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(&count, weight)| {
                let expected = drawn * weight / total;
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum()
    }
}
