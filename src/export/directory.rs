//! A directory that is there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ExportError;
use crate::storage::sync_directory;

/// Tells apart what one process writes at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory that is being filled under another name. It is removed if it is dropped before it is published.
#[derive(Debug)]
pub(super) struct Directory {
    target: PathBuf,
    parent: PathBuf,
    filling: PathBuf,
}

impl Directory {
    /// Begins what will be `target`.
    pub(super) fn beside(target: &Path) -> Result<Self, ExportError> {
        if is_taken(target) {
            return Err(ExportError::Exists { path: target.to_owned() });
        }
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let filling = parent.join(format!(".{name}.{process}-{number}.tmp"));
        fs::create_dir_all(&parent).map_err(file_error(&parent))?;
        fs::create_dir(&filling).map_err(file_error(&filling))?;
        Ok(Self { target: target.to_owned(), parent, filling })
    }

    /// Writes a file in it.
    pub(super) fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let path = self.filling.join(name);
        let mut file = BufWriter::new(File::create_new(&path).map_err(file_error(&path))?);
        match write(&mut file) {
            Err(ExportError::Write { source }) => return Err(ExportError::File { path, source }),
            result => result?,
        }
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(file_error(&path))
    }

    /// Gives it its name.
    pub(super) fn publish(self) -> Result<(), ExportError> {
        sync_directory(&self.filling).map_err(file_error(&self.filling))?;
        // A rename replaces an empty directory, but not everywhere; whoever filled it since is not overwritten.
        let _ = fs::remove_dir(&self.target);
        fs::rename(&self.filling, &self.target).map_err(|source| {
            if is_taken(&self.target) {
                ExportError::Exists { path: self.target.clone() }
            } else {
                ExportError::File { path: self.target.clone(), source }
            }
        })?;
        sync_directory(&self.parent).map_err(file_error(&self.parent))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Once published it is not there under this name.
        let _ = fs::remove_dir_all(&self.filling);
    }
}

/// Whether there is anything but an empty directory.
fn is_taken(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        // A file, a link that leads nowhere, a directory that we may not read; or nothing at all.
        Err(_) => fs::symlink_metadata(path).is_ok(),
    }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    move |source| ExportError::File { path: path.to_owned(), source }
}
