//! Which instructions the kernels run with.

use std::fmt;
use std::sync::OnceLock;

use fearless_simd::{Level, Simd};

use super::LANES;

/// Which instructions the arithmetic uses. Every path gives the same bytes, so the choice is one of speed
/// alone.
///
/// ```
/// use segue::SimdPath;
///
/// let path = SimdPath::detect();
/// assert!(SimdPath::available().contains(&path));
/// println!("solving with {path}");
/// ```
#[derive(Clone, Copy)]
pub struct SimdPath {
    level: Level,
    name: &'static str,
}

impl SimdPath {
    /// The environment variable that overrules detection: `portable`, `avx2`, `avx512` or `neon`.
    pub const ENV: &'static str = "SEGUE_SIMD";

    /// The best path of this CPU, or the one that the environment variable `SEGUE_SIMD` names.
    ///
    /// The variable is read once per process. A name that is unknown, or that this CPU cannot run, is
    /// reported as a warning and the best path taken.
    pub fn detect() -> Self {
        static DETECTED: OnceLock<SimdPath> = OnceLock::new();
        *DETECTED.get_or_init(|| Self::named(std::env::var(Self::ENV).ok().as_deref()))
    }

    /// The path that every CPU of this architecture can run. On x86-64 it is slow: without fused
    /// multiply-add in hardware, its exact rounding is computed in software.
    pub fn portable() -> Self {
        Self { level: Level::baseline(), name: "portable" }
    }

    /// All paths this CPU can run, the portable one first, the best one last.
    pub fn available() -> Vec<Self> {
        let mut paths = vec![Self::portable()];
        let detected = Level::new();
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            let avx2 = detected.as_avx2().map(Simd::level);
            let avx512 = detected.as_avx512().map(Simd::level);
            paths.extend(avx2.map(|level| Self { level, name: "avx2" }));
            paths.extend(avx512.map(|level| Self { level, name: "avx512" }));
        }
        #[cfg(target_arch = "aarch64")]
        {
            let neon = detected.as_neon().map(Simd::level);
            paths.extend(neon.map(|level| Self { level, name: "neon" }));
        }
        paths
    }

    /// Its name: `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// As `fearless_simd` has it; see `on_path!`.
    pub(crate) fn level(self) -> Level {
        self.level
    }

    /// The available path of that name, else the best.
    fn named(wanted: Option<&str>) -> Self {
        let available = Self::available();
        let best = *available.last().expect("the portable path is always there");
        let Some(wanted) = wanted else { return best };
        available.into_iter().find(|path| path.name == wanted).unwrap_or_else(|| {
            tracing::warn!(target: "segue::engine", "{} names no path of this CPU: {wanted}; using {best}", Self::ENV);
            best
        })
    }
}

/// Computes `$op`, generic over the `Simd` token `$simd`, with the instructions of a [`SimdPath`].
///
/// As `fearless_simd::dispatch!`, without code for instructions that no path has: it took the compiler longer than much of
/// the rest.
#[cfg(target_arch = "x86_64")]
macro_rules! on_path {
    ($path:expr, $simd:ident => $op:expr) => {{
        let level = $crate::kernel::SimdPath::level($path);
        if let Some(token) = level.as_avx512() {
            $crate::kernel::with_token!(token, $simd => $op)
        } else if let Some(token) = level.as_avx2() {
            $crate::kernel::with_token!(token, $simd => $op)
        } else {
            let token = level.as_sse2().expect("every CPU of this architecture has it");
            $crate::kernel::with_token!(token, $simd => $op)
        }
    }};
}
#[cfg(not(target_arch = "x86_64"))]
macro_rules! on_path {
    ($path:expr, $simd:ident => $op:expr) => {
        fearless_simd::dispatch!($crate::kernel::SimdPath::level($path), $simd => $op)
    };
}
pub(crate) use on_path;

#[cfg(target_arch = "x86_64")]
macro_rules! with_token {
    ($token:expr, $simd:ident => $op:expr) => {{
        let $simd = $token;
        fearless_simd::Simd::vectorize(
            $simd,
            #[inline(always)]
            || $op,
        )
    }};
}
#[cfg(target_arch = "x86_64")]
pub(crate) use with_token;

/// Whether every CPU can run it and none should have to: code for it is to be short.
pub(crate) const fn is_portable<S: Simd>() -> bool {
    cfg!(target_arch = "x86_64") && size_of::<S::f32s>() < 32
}

/// Whether 16 floats are one register of this path, of which there are 32 then: tiles may be twice as large.
/// Known at compile time, as each path has its own code.
pub(crate) const fn has_wide_registers<S: Simd>() -> bool {
    size_of::<S::f32s>() >= LANES * size_of::<f32>()
}

impl PartialEq for SimdPath {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SimdPath {}

impl fmt::Display for SimdPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for SimdPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimdPath({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_taken_and_any_other_gives_the_best_path() {
        let best = *SimdPath::available().last().expect("one at least");
        assert_eq!(SimdPath::named(Some("portable")), SimdPath::portable());
        assert_eq!(SimdPath::named(Some("abacus")), best);
        assert_eq!(SimdPath::named(None), best);
    }
}
