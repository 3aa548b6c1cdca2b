//! What an engine tells of itself.
//!
//! Counted where it happens, without locks but for what is rare; read by whoever asks, at any time.

mod board;
mod health;
mod memory;
mod stages;
mod stats;
mod waiting;
mod watches;

pub(super) use board::{Meters, QueueState};
pub use health::{Degradation, Health};
pub use memory::MemoryStats;
pub(super) use memory::WriterBytes;
pub use stages::StageLatencies;
pub(super) use stages::Stages;
pub use stats::{ReloadStats, Stats, SweepProgress};
pub(super) use watches::{HandedBack, Watches};
