//! What checkpoint files are called, and which there are.

use std::io;

use crate::storage::{Storage, StoreError};

const PREFIX: &str = "checkpoint-";
const FINISHED: &str = ".checkpoint";
const UNFINISHED: &str = ".tmp";

/// A finished checkpoint in a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckpointFile {
    /// The last record whose effect is in it, by its name.
    pub(crate) record: u64,
    pub(crate) name: String,
}

/// All finished checkpoints, the newest first.
pub(crate) fn list(storage: &dyn Storage) -> Result<Vec<CheckpointFile>, StoreError> {
    let names = storage.list().map_err(StoreError::io("list", "the store"))?;
    let mut files: Vec<_> = names
        .into_iter()
        .filter_map(|name| Some(CheckpointFile { record: record_of(&name, FINISHED)?, name }))
        .collect();
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.record));
    Ok(files)
}

/// Removes what was left of checkpoints that were never finished. Nobody may be writing one.
pub(crate) fn remove_unfinished(storage: &dyn Storage) -> Result<(), StoreError> {
    for name in storage.list().map_err(StoreError::io("list", "the store"))? {
        if record_of(&name, UNFINISHED).is_some() {
            match storage.remove(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", name)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

/// The name of the finished checkpoint of everything up to `record`.
pub(super) fn finished(record: u64) -> String {
    format!("{PREFIX}{record:020}{FINISHED}")
}

/// The name it has while it is being written.
pub(super) fn unfinished(record: u64) -> String {
    format!("{PREFIX}{record:020}{UNFINISHED}")
}

/// The record that a finished checkpoint has in its name; `None` for all other files.
pub(super) fn record_of_checkpoint(name: &str) -> Option<u64> {
    record_of(name, FINISHED)
}

fn record_of(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
    // Only the form that is written: `parse` would take a sign, or fewer digits.
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    #[test]
    fn only_finished_checkpoints_are_listed_the_newest_first() {
        let storage = MemoryStorage::new();
        let names = [
            &*finished(7),
            &*finished(u64::MAX),
            &*finished(123),
            &*unfinished(200),
            "checkpoint-5.checkpoint",
            "checkpoint-+0000000000000000005.checkpoint",
            "journal-00000000000000000001",
        ];
        for name in names {
            storage.insert(name, []);
        }
        let listed = list(&storage).expect("memory does not fail");
        assert_eq!(listed.iter().map(|file| file.record).collect::<Vec<_>>(), [u64::MAX, 123, 7]);
        assert_eq!(listed[2].name, "checkpoint-00000000000000000007.checkpoint");
        remove_unfinished(&storage).expect("memory does not fail");
        assert_eq!(storage.list().expect("memory does not fail").len(), names.len() - 1);
    }
}
