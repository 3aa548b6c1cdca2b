//! A model that was trained elsewhere.

use std::fmt::Display;
use std::fs::File;
use std::hash::Hash;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use foldhash::{HashSet, HashSetExt};

use super::ForeignModelError;
use super::ids::read_ids;
use super::names::{ITEM_FACTORS, ITEM_IDS, NPY, USER_FACTORS, USER_IDS};
use super::npy_read::{Source, read_factors};
use crate::als::{AlsParams, Factors};
use crate::types::{ItemId, MAX_ID_BYTES, UserId};

/// A model that was trained elsewhere, checked: what a score is made of is finite, every row has an id of its own, and the
/// rows of users and items are of one length.
///
/// A score is the plain inner product of two rows, as in the Python library `implicit`.
///
/// ```
/// use ndarray::array;
/// use segue::import::{ForeignModel, ForeignSide};
/// use segue::{Factors, ItemId, ItemIndex, UserId};
///
/// let users = ForeignSide {
///     ids: vec![UserId::from("ana")],
///     factors: Factors::from_array(array![[1.0, 2.0]].view())?,
/// };
/// let items = ForeignSide {
///     ids: vec![ItemId::from("muse"), ItemId::from("tricky")],
///     factors: Factors::from_array(array![[1.0, 0.0], [1.0, 1.0]].view())?,
/// };
/// let model = ForeignModel::new(users, items)?;
/// assert_eq!(model.n_factors(), 2);
///
/// let (users, items) = model.into_sides();
/// let best = ItemIndex::new(items.factors).top(users.factors.get(0).expect("ana's"), 1, &[])?;
/// assert_eq!((&items.ids[best[0].0.get() as usize], best[0].1), (&"tricky".into(), 3.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// From files: [`open_dir`](Self::open_dir), and with the feature `npz` `open_npz` and `read_npz`. What the files say is
/// believed only as far as their length bears it out: reading takes memory in proportion to what there is to read.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignModel {
    // INVARIANT: what `new` and `with_regularization` check.
    users: ForeignSide<UserId>,
    items: ForeignSide<ItemId>,
    regularization: Option<f64>,
}

/// One side of a [`ForeignModel`]: an id for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignSide<I> {
    /// The ids, in order of row.
    pub ids: Vec<I>,
    /// The rows.
    pub factors: Factors,
}

/// Where the parts of a side come from, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideNames {
    pub(super) array: &'static str,
    pub(super) list: &'static str,
}

pub(super) const USERS: SideNames = SideNames { array: USER_FACTORS, list: USER_IDS };
pub(super) const ITEMS: SideNames = SideNames { array: ITEM_FACTORS, list: ITEM_IDS };

/// What both kinds of ids are.
pub(crate) trait HostId: for<'a> From<&'a str> + Eq + Hash + Display {
    fn len_bytes(&self) -> usize;
}

impl HostId for UserId {
    fn len_bytes(&self) -> usize {
        self.len_bytes()
    }
}

impl HostId for ItemId {
    fn len_bytes(&self) -> usize {
        self.len_bytes()
    }
}

impl ForeignModel {
    /// The model of these rows.
    ///
    /// # Errors
    /// [`ForeignModelError`] if the sides do not fit together, or an id is empty, longer than
    /// [`MAX_ID_BYTES`] or there twice.
    pub fn new(users: ForeignSide<UserId>, items: ForeignSide<ItemId>) -> Result<Self, ForeignModelError> {
        check(&users, USERS)?;
        check(&items, ITEMS)?;
        let (of_users, of_items) = (users.factors.n_factors(), items.factors.n_factors());
        if of_users != of_items {
            return Err(ForeignModelError::FactorsDiffer { users: of_users, items: of_items });
        }
        Ok(Self { users, items, regularization: None })
    }

    /// The same, trained with this regularization.
    ///
    /// # Errors
    /// [`ForeignModelError::Regularization`] if it is not finite or below 0.
    pub fn with_regularization(self, regularization: f64) -> Result<Self, ForeignModelError> {
        if !(0.0..=f64::MAX).contains(&regularization) {
            return Err(ForeignModelError::Regularization { got: regularization });
        }
        Ok(Self { regularization: Some(regularization), ..self })
    }

    /// Reads `user_factors.npy`, `item_factors.npy`, `users.txt` and `items.txt` from a directory, as
    /// [`Export::save`](crate::export::Export::save), [`save_model`](crate::eval::save_model) and `numpy.save` write them.
    /// [`docs::formats`](crate::docs::formats) says what may be in them.
    ///
    /// Blocks for about as long as reading the files takes.
    ///
    /// # Errors
    /// [`ForeignModelError`] names what is wrong first: the lists are read before the factors.
    pub fn open_dir(dir: impl AsRef<Path>) -> Result<Self, ForeignModelError> {
        let dir = dir.as_ref();
        let (users, items) = open_lists(dir)?;
        let factors = |names: SideNames, n_ids| {
            let path = dir.join(format!("{}{NPY}", names.array));
            let failed = |source| ForeignModelError::Open { path: path.clone(), source };
            let file = File::open(&path).map_err(failed)?;
            let n_bytes = file.metadata().map_err(failed)?.len();
            read_factors(
                Source { array: names.array, reader: BufReader::new(file), n_bytes },
                names.list,
                n_ids,
            )
        };
        let user_factors = factors(USERS, users.len())?;
        let item_factors = factors(ITEMS, items.len())?;
        Self::new(
            ForeignSide { ids: users, factors: user_factors },
            ForeignSide { ids: items, factors: item_factors },
        )
    }

    /// The users.
    pub fn users(&self) -> &ForeignSide<UserId> {
        &self.users
    }

    /// The items.
    pub fn items(&self) -> &ForeignSide<ItemId> {
        &self.items
    }

    /// How long a row is.
    pub fn n_factors(&self) -> usize {
        self.items.factors.n_factors()
    }

    /// What it was trained with, if that is known: λ in the unit of whoever trained it, which need not be that of
    /// [`AlsParams`].
    pub fn regularization(&self) -> Option<f64> {
        self.regularization
    }

    /// Both sides, to keep.
    pub fn into_sides(self) -> (ForeignSide<UserId>, ForeignSide<ItemId>) {
        (self.users, self.items)
    }
}

fn check<I: HostId>(
    side: &ForeignSide<I>,
    SideNames { array, list }: SideNames,
) -> Result<(), ForeignModelError> {
    let (n_rows, n_ids, n_factors) = (side.factors.n_rows(), side.ids.len(), side.factors.n_factors());
    if n_rows != n_ids {
        return Err(ForeignModelError::Rows { array, list, n_rows: n_rows as u64, n_ids });
    }
    if !(1..=AlsParams::MAX_FACTORS).contains(&n_factors) {
        return Err(ForeignModelError::Factors { array, got: n_factors as u64 });
    }
    let mut seen = HashSet::with_capacity(n_ids);
    for (row, id) in side.ids.iter().enumerate() {
        if id.len_bytes() == 0 {
            return Err(ForeignModelError::EmptyId { list, row });
        }
        if id.len_bytes() > MAX_ID_BYTES {
            return Err(ForeignModelError::IdTooLong { list, row });
        }
        if !seen.insert(id) {
            return Err(ForeignModelError::DuplicateId { list, row, id: id.to_string() });
        }
    }
    Ok(())
}

/// Reads both lists of ids in `dir`.
pub(super) fn open_lists(dir: &Path) -> Result<(Vec<UserId>, Vec<ItemId>), ForeignModelError> {
    Ok((open_list(dir.join(USER_IDS), USER_IDS)?, open_list(dir.join(ITEM_IDS), ITEM_IDS)?))
}

fn open_list<I: HostId>(path: PathBuf, list: &'static str) -> Result<Vec<I>, ForeignModelError> {
    match File::open(&path) {
        Ok(file) => read_ids(BufReader::new(file), list),
        Err(source) => Err(ForeignModelError::Open { path, source }),
    }
}
