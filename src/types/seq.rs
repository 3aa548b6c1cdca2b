//! Typed sequence numbers: they count different things and must never be mixed.

use std::fmt;

macro_rules! sequence {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// As a plain number, for logs and metrics.
            pub fn get(self) -> u64 {
                self.0
            }

            /// From a plain number: of what was written down, and in tests.
            pub(crate) fn from_raw(raw: u64) -> Self {
                Self(raw)
            }

            /// The one after this.
            pub(crate) fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

sequence! {
    /// The place of an event in the order of application. The first event has 1.
    EventSeq
}
sequence! {
    /// Names one trained model: a basis, both factor matrices, and the counts and prior means they
    /// were solved with. Vectors of different generations are never multiplied with each other.
    GenerationId
}
sequence! {
    /// Counts the batches of item fold-ins within one generation.
    ItemVersion
}
