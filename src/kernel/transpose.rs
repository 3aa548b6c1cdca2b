//! A 16 × 16 block turned on its diagonal.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, f32x16};

/// Lane j of vector i becomes lane i of vector j: four rounds of a perfect shuffle.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(block: [f32x16<S>; 16]) -> [f32x16<S>; 16] {
    shuffle(shuffle(shuffle(shuffle(block))))
}

/// Interleaves vector i with vector i + 8.
#[inline(always)]
fn shuffle<S: Simd>(block: [f32x16<S>; 16]) -> [f32x16<S>; 16] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = block;
    let (c0, d0) = a0.interleave(b0);
    let (c1, d1) = a1.interleave(b1);
    let (c2, d2) = a2.interleave(b2);
    let (c3, d3) = a3.interleave(b3);
    let (c4, d4) = a4.interleave(b4);
    let (c5, d5) = a5.interleave(b5);
    let (c6, d6) = a6.interleave(b6);
    let (c7, d7) = a7.interleave(b7);
    [c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, c6, d6, c7, d7]
}
