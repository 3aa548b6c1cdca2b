//! What may change while an engine runs, by call or by file.

#[cfg(feature = "reload")]
mod file;
mod keys;
mod live;
#[cfg(feature = "reload")]
mod reload;
mod retune;

#[cfg(feature = "reload")]
pub use file::{SettingsFile, SettingsFileError};
pub use live::{LiveSettings, SettingChange, SettingError};
#[cfg(feature = "reload")]
pub use reload::ReloadError;
#[cfg(feature = "reload")]
pub(super) use reload::{Retuner, laid_over};
pub use retune::RetuneError;
#[cfg(feature = "reload")]
pub(super) use retune::begin_with;
