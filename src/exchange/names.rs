//! The names that arrays and lists go by, in an archive and as files.

pub(crate) const USER_FACTORS: &str = "user_factors";
pub(crate) const ITEM_FACTORS: &str = "item_factors";
#[cfg(feature = "npz")]
pub(crate) const REGULARIZATION: &str = "regularization";
/// The extension of an array's file, and of its name in an archive.
pub(crate) const NPY: &str = ".npy";
pub(crate) const USER_IDS: &str = "users.txt";
pub(crate) const ITEM_IDS: &str = "items.txt";
