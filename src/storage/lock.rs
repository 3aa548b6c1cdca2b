//! Keeping others out of a store.

use std::io;

use super::error::StoreError;
use super::traits::{Storage, StorageLock};

/// Takes the lock of a storage.
///
/// # Errors
/// [`StoreError::InUse`] if somebody else has it.
pub(crate) fn lock(storage: &dyn Storage) -> Result<Box<dyn StorageLock>, StoreError> {
    storage.lock().map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            StoreError::InUse
        } else {
            StoreError::io("lock", "the store")(error)
        }
    })
}
