//! The settings that decide what events become: part of what a store holds.

use super::weighing::Weighing;
use crate::als::AlsParams;

/// What must be the same for the same events to give the same state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LearningSettings {
    pub(crate) als: AlsParams,
    pub(crate) weighing: Weighing,
    pub(crate) max_history: usize,
    pub(crate) recent_events: usize,
    pub(crate) dedupe_window: usize,
}
