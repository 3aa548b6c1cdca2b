//! A trained model as files for other programs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Ids, write_npy};
use crate::als::TrainedModel;

/// Why a model could not be saved.
#[derive(Debug, Error)]
#[error("cannot write {}; check that there is room and permission", path.display())]
pub struct SaveError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Writes `user_factors.npy` and `item_factors.npy`, shapes (`n_users`, k) and (`n_items`, k), and beside
/// them `users.txt` and `items.txt`: the id of each row, one a line.
///
/// Makes `dir` if it is not there and writes over files of these names. Ids that the model has no row for
/// are left out: they come last. A score is the plain dot product of two rows.
///
/// # Errors
/// [`SaveError`] names the first file that could not be written.
pub fn save_model(dir: &Path, model: &TrainedModel, ids: &Ids) -> Result<(), SaveError> {
    fs::create_dir_all(dir).map_err(|source| SaveError { path: dir.to_owned(), source })?;
    let (users, items) = (model.user_factors(), model.item_factors());
    save(dir.join("user_factors.npy"), |file| write_npy(file, users.view()))?;
    save(dir.join("item_factors.npy"), |file| write_npy(file, items.view()))?;
    save(dir.join("users.txt"), |file| write_lines(file, ids.user_ids().take(users.n_rows())))?;
    save(dir.join("items.txt"), |file| write_lines(file, ids.item_ids().take(items.n_rows())))
}

fn save(path: PathBuf, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), SaveError> {
    let written = File::create(&path).map(BufWriter::new).and_then(|mut file| {
        write(&mut file)?;
        // Dropping the buffer would swallow the error of its last write.
        file.flush()
    });
    written.map_err(|source| SaveError { path, source })
}

fn write_lines<'a>(file: &mut impl Write, lines: impl Iterator<Item = &'a str>) -> io::Result<()> {
    lines.into_iter().try_for_each(|line| writeln!(file, "{line}"))
}
