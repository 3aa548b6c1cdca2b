//! Looking into a store.

use std::sync::Arc;

use super::opening::forecast;
use super::report::{CheckpointContents, CheckpointInfo, FileState, SegmentInfo, StoreReport};
use crate::checkpoint::{self, CheckpointFile};
use crate::journal::{self, SegmentReport, SegmentState};
use crate::storage::{Storage, StoreError};

/// Reads all of a store and tells what is in it and what opening it would do. Changes nothing.
///
/// Takes no lock, so it can be called next to a running engine, whose last records may then look torn; a file
/// that the engine removes meanwhile is [`StoreError::Io`]. Blocks for as long as reading every file twice takes,
/// and needs as much memory as opening the store.
///
/// # Errors
/// [`StoreError::Io`] if the storage fails. What is wrong with the store is in the report.
pub fn inspect(storage: impl Storage) -> Result<StoreReport, StoreError> {
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let opening = match forecast(&storage) {
        Err(error @ StoreError::Io { .. }) => return Err(error),
        opening => opening,
    };
    let checkpoints = checkpoint::list(&*storage)?;
    let checkpoints = checkpoints.into_iter().map(|file| look_into(&*storage, file));
    Ok(StoreReport {
        checkpoints: checkpoints.collect::<Result<_, _>>()?,
        segments: journal::scan(&*storage)?.into_iter().map(segment_info).collect(),
        opening,
    })
}

/// Reads all of a store and checks that every byte is one that was written. Changes nothing, takes no lock: see
/// [`inspect`].
///
/// A torn tail, which opening cuts off, is no error. A bad checkpoint is one even if the one before it stands in.
///
/// # Errors
/// The [`StoreError`] that opening would give, or else what is wrong with the first file that is not whole.
pub fn verify(storage: impl Storage) -> Result<(), StoreError> {
    let report = inspect(storage)?;
    let torn = report.opening?.torn;
    for file in report.checkpoints {
        refuse(file.file, file.state)?;
    }
    for segment in report.segments {
        // Nothing from there on is kept.
        if torn.as_ref().is_some_and(|torn| torn.file == segment.file) {
            break;
        }
        refuse(segment.file, segment.state)?;
    }
    Ok(())
}

fn look_into(storage: &dyn Storage, file: CheckpointFile) -> Result<CheckpointInfo, StoreError> {
    let CheckpointFile { name, record } = file;
    let (state, contents) = match checkpoint::verify(storage, &name) {
        Ok(summary) => {
            let contents = CheckpointContents {
                taken_at: summary.head.taken_at,
                n_bytes: summary.n_bytes,
                n_users: summary.n_users,
                n_items: summary.head.n_items,
                n_pairs: summary.n_cells,
                n_factors: summary.head.settings.als.n_factors(),
            };
            (FileState::Whole, Some(contents))
        }
        Err(StoreError::Foreign { .. }) => (FileState::Foreign, None),
        Err(StoreError::Newer { found, .. }) => (FileState::Newer { found }, None),
        Err(StoreError::Damaged { offset, what, .. }) => (FileState::Bad { offset, what }, None),
        Err(error) => return Err(error),
    };
    Ok(CheckpointInfo { file: name, record, state, contents })
}

fn segment_info(segment: SegmentReport) -> SegmentInfo {
    SegmentInfo {
        file: segment.file,
        number: segment.number,
        n_bytes: segment.n_bytes,
        records: segment.records.map(|(first, last)| first..=last),
        kinds: segment.kinds,
        state: match segment.state {
            SegmentState::Whole => FileState::Whole,
            SegmentState::Foreign => FileState::Foreign,
            SegmentState::Newer { found } => FileState::Newer { found },
            SegmentState::Bad { offset, what } => FileState::Bad { offset, what },
        },
    }
}

fn refuse(file: String, state: FileState) -> Result<(), StoreError> {
    match state {
        FileState::Whole => Ok(()),
        FileState::Foreign => Err(StoreError::Foreign { file }),
        // Both formats are at their first version.
        FileState::Newer { found } => Err(StoreError::Newer { file, found, supported: 1 }),
        FileState::Bad { offset, what } => Err(StoreError::Damaged { file, offset, what }),
    }
}
