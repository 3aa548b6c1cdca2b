//! Which of the vectors at hand a reader may use.

use crate::types::{EventSeq, GenerationId};

/// Where a reader gets a user's vector from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VectorSource {
    /// The vector beside the history: it was folded into this very generation.
    Folded,
    /// The row the sweep published: the user has done nothing since the sweep's input was frozen.
    Swept,
    /// Neither: solve the history against the view's items.
    Solve,
}

/// The read rule. `folded_into` is the generation of the vector beside the history, `seq` the user's last
/// event; `generation` and `frozen_at` are the view's.
///
/// INVARIANT: a vector folded into another generation is never used, whatever else is true of it.
pub(crate) fn vector_source(
    folded_into: Option<GenerationId>,
    seq: EventSeq,
    generation: GenerationId,
    frozen_at: EventSeq,
) -> VectorSource {
    if folded_into == Some(generation) {
        VectorSource::Folded
    } else if seq <= frozen_at {
        VectorSource::Swept
    } else {
        VectorSource::Solve
    }
}
