//! Which checkpoint a store is opened with.

use super::name::list;
use super::read::read;
use super::snapshot::Restored;
use crate::kernel::SimdPath;
use crate::model::Limits;
use crate::storage::{Storage, StoreError};

/// What there is of checkpoints.
#[derive(Debug)]
pub(crate) struct Found {
    /// The newest that can be read, by its name.
    pub(crate) restored: Option<(String, Box<Restored>)>,
    /// Later ones that are damaged.
    pub(crate) skipped: Vec<(String, String)>,
    /// Of the newest of those.
    pub(crate) damage: Option<StoreError>,
}

/// The newest checkpoint that can be read. One that is damaged is passed over for the one before it; whether the
/// journal reaches back so far is found out when it is read.
pub(crate) fn newest(storage: &dyn Storage, limits: &Limits, path: SimdPath) -> Result<Found, StoreError> {
    let mut found = Found { restored: None, skipped: Vec::new(), damage: None };
    for file in list(storage)? {
        match read(storage, &file.name, limits, path) {
            Ok(restored) => {
                found.restored = Some((file.name, Box::new(restored)));
                break;
            }
            // One that does not even start as ours do has our name all the same.
            Err(error @ (StoreError::Damaged { .. } | StoreError::Foreign { .. })) => {
                tracing::error!(target: "segue::recovery", file = file.name, %error, "a checkpoint is passed over");
                found.skipped.push((file.name, error.to_string()));
                found.damage.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
