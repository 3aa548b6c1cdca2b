//! Logarithms.

/// `ln(1 + x)` for x from 0 to 1e37, to within 3 units in the last place.
///
/// Without a branch, a call or a fused operation: loops over many become vector instructions, and the bytes are the same
/// everywhere. With `1 + x = 2^e (1 + f)` and `s = f / (2 + f)` it is `e ln 2 + 2 (s + s³/3 + s⁵/5 + …)`, where |s| < 0.172.
#[expect(clippy::cast_precision_loss, reason = "an exponent has eight bits")]
pub(crate) fn log1p(x: f32) -> f32 {
    const ROOT_HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;
    const BIAS: u32 = f32::MAX_EXP.unsigned_abs() - 1;
    /// The first digits of ln 2, so that a product with an exponent is exact, and the others.
    const LN_2: (f32, f32) = (355.0 / 512.0, -2.121_944_4e-4);
    let e = ((1.0 + x).to_bits() - ROOT_HALF) >> MANTISSA_BITS;
    let power = f32::from_bits((BIAS + e) << MANTISSA_BITS);
    let inverse = f32::from_bits((BIAS - e) << MANTISSA_BITS);
    // Exact: the two are less than a factor of two apart. `1 + x` would have lost what is small in x.
    let f = (x - (power - 1.0)) * inverse;
    let s = f / (2.0 + f);
    let square = s * s;
    let series = 2.0 / 3.0 + square * (2.0 / 5.0 + square * (2.0 / 7.0 + square * (2.0 / 9.0)));
    let e = e.cast_signed() as f32;
    (s * (2.0 + square * series) + e * LN_2.1) + e * LN_2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_logarithm_that_f64_gives_to_three_units_in_the_last_place() {
        assert_eq!(log1p(0.0).to_bits(), 0.0_f32.to_bits());
        // Every exponent there is, at some forty thousand places each: 5 million numbers from 1e-45 to 1e37.
        let mut worst = 0.0_f64;
        for bits in (1..1e37_f32.to_bits()).step_by(401) {
            let x = f32::from_bits(bits);
            let (ours, theirs) = (f64::from(log1p(x)), f64::from(x).ln_1p());
            let unit = f64::from(f32::from_bits(log1p(x).to_bits() + 1)) - ours;
            worst = worst.max((ours - theirs).abs() / unit);
        }
        assert!(worst <= 3.0, "{worst} units");
        assert!(worst > 0.4, "f32 cannot be this good: {worst} units");
    }
}
