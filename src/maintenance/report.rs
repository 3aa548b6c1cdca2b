//! What there is to say about a store.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::journal::TornTail;
use crate::storage::StoreError;
use crate::types::Timestamp;

/// What is in a store, and what opening it would do. Its `Display` is for people.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreReport {
    /// The newest first.
    pub checkpoints: Vec<CheckpointInfo>,
    /// The segments of the journal, in order.
    pub segments: Vec<SegmentInfo>,
    /// What opening would do, or why the store would be refused. Whether the settings of the engine fit, and
    /// whether each record fits the one before it, is found out by opening alone.
    pub opening: Result<OpeningForecast, StoreError>,
}

impl StoreReport {
    /// Whether there is no file of a store at all: most likely the directory is another.
    pub fn is_empty(&self) -> bool {
        self.checkpoints.is_empty() && self.segments.is_empty()
    }
}

/// A checkpoint in a store.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The file.
    pub file: String,
    /// The last record whose effect is in it, by its name.
    pub record: u64,
    /// Whether all its checksums are right.
    pub state: FileState,
    /// What is in it; `None` unless it is whole.
    pub contents: Option<CheckpointContents>,
}

/// What is in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointContents {
    /// When it was taken: the latest that the engine's clock had shown by then.
    pub taken_at: Timestamp,
    /// The length of the file.
    pub n_bytes: u64,
    /// Users, without those who were forgotten.
    pub n_users: u64,
    /// Rows of items; those that were forgotten keep theirs.
    pub n_items: u32,
    /// Pairs of a user and an item.
    pub n_pairs: u64,
    /// Factors that the settings ask for; the model in it may still be of another length.
    pub n_factors: usize,
}

/// A segment of the journal, taken by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// The file.
    pub file: String,
    /// By its name.
    pub number: u64,
    /// Its length.
    pub n_bytes: u64,
    /// The records that can be read in order from its start; `None` if there is none.
    pub records: Option<RangeInclusive<u64>>,
    /// How many of them there are of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Whether it can be read to its end.
    pub state: FileState,
}

/// How a file of a store is, taken by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// Every checksum is right.
    Whole,
    /// It does not start as a file of this crate does.
    Foreign,
    /// Written by a later version of this crate.
    Newer {
        /// Its format version.
        found: u32,
    },
    /// Only what is before `offset` is right. A checkpoint is damaged then; the end of a journal may be torn
    /// instead, which [`StoreReport::opening`] tells.
    Bad {
        /// Where the first bad part begins.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
}

/// What opening a store would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpeningForecast {
    /// The checkpoint it would begin with; `None` if there is none.
    pub checkpoint: Option<String>,
    /// Later checkpoints that would be passed over, and why.
    pub skipped_checkpoints: Vec<(String, String)>,
    /// Records of the journal that would be replayed.
    pub records: u64,
    /// Those of them that are events.
    pub events: u64,
    /// Sweeps that would be trained once more.
    pub sweeps: u64,
    /// The last record there is.
    pub last_record: u64,
    /// What a power cut or a kill has left unfinished, which would be cut off. Nothing of it was durable.
    pub torn: Option<TornTail>,
}
