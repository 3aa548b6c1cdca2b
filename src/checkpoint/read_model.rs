//! The part of a file that is the trained model, into a generation and its Gramians.

use std::sync::Arc;

use super::error::Flaw;
use super::head::{CheckpointHead, als_from_wire, weighing_from_wire};
use super::pack::{take_f32s, take_f64s};
use super::rows::exactly;
use super::rules::{self, ensure};
use super::sections::{SectionReader, Tag, fields};
use super::snapshot::RunningGramians;
use super::wire;
use crate::als::{Factors, Gramian, UserBase};
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::{Generation, ItemRows, ItemSide, RowsOf, UserSide, Weighing};
use crate::publish::Published;
use crate::storage::StoreError;
use crate::storage::bytes::{DecodeError, TakeBytes};
use crate::types::{EventSeq, GenerationId, ItemIdx, ItemVersion, Timestamp};

/// What a generation is made from besides its rows.
#[derive(Debug)]
pub(super) struct ModelParts {
    id: GenerationId,
    n_factors: usize,
    frozen_at: EventSeq,
    as_of: Timestamp,
    item_version: ItemVersion,
    n_item_rows: u32,
    users: Option<UserParts>,
    items_moved: Option<f64>,
}

#[derive(Debug)]
struct UserParts {
    base: UserBase,
    weighing: Weighing,
    n_user_rows: u32,
    rows_of: RowsOf,
}

impl ModelParts {
    pub(super) fn take(payload: &[u8], head: &CheckpointHead) -> Result<Self, Flaw> {
        let model: wire::Model<'_> = fields(payload)?;
        let frozen_at = EventSeq::from_raw(model.frozen_at);
        rules::seq(frozen_at, head.seq, "the event a sweep was frozen at")?;
        ensure(model.n_item_rows <= head.n_items, "the number of item rows")?;
        rules::items_moved(model.items_moved)?;
        ensure(
            model.users.is_some() == model.items_moved.is_some(),
            "a model without Gramians, or Gramians without",
        )?;
        let item_version = ItemVersion::from_raw(model.item_version);
        rules::item_version(item_version)?;
        let users = model.users.map(|users| UserParts::from_wire(&users, head)).transpose()?;
        // The settings are for the next model, which may be of another length.
        let of_model = users.as_ref().map(|users| users.base.params().n_factors());
        Ok(Self {
            id: head.generation,
            n_factors: of_model.unwrap_or(head.n_factors()),
            frozen_at,
            as_of: Timestamp::from_unix_ms(model.as_of_ms),
            item_version,
            n_item_rows: model.n_item_rows,
            users,
            items_moved: model.items_moved,
        })
    }

    /// The length of its rows.
    pub(super) fn n_factors(&self) -> usize {
        self.n_factors
    }

    /// Whether there is a trained model at all.
    pub(super) fn has_users(&self) -> bool {
        self.users.is_some()
    }

    /// Whether the users' rows are those of a model from elsewhere.
    pub(super) fn is_foreign(&self) -> bool {
        self.users.as_ref().is_some_and(|users| users.rows_of == RowsOf::Foreigners)
    }

    pub(super) fn read_item_rows(&self, sections: &mut SectionReader) -> Result<ItemSide, StoreError> {
        let n_factors = self.n_factors;
        let mut rows = ItemRows::empty(n_factors);
        let mut popularity: Vec<f32> = Vec::new();
        let mut padded = AlignedVec::zeros(rows.stride());
        exactly(self.n_item_rows, sections, Tag::ItemRows, |row| {
            let item = popularity.len();
            popularity.push(row.f32()?);
            rules::popularity(&popularity[item..])?;
            take_f32s(row, &mut padded[..n_factors])?;
            rules::finite(&padded, "the vector of an item")?;
            rows.grow_to(item + 1);
            rows.set_row(ItemIdx::new(u32::try_from(item).map_err(|_| DecodeError::Overlong)?), &padded);
            Ok(())
        })?;
        if self.has_users() {
            rows.settle();
        }
        Ok(ItemSide { version: self.item_version, rows, popularity: popularity.into() })
    }

    pub(super) fn read_gramians(
        &self,
        sections: &mut SectionReader,
    ) -> Result<Option<RunningGramians>, StoreError> {
        let Some(items_moved) = self.items_moved else { return Ok(None) };
        let take = |payload: &[u8]| {
            let wire::Gramian { upper_triangle } = fields(payload)?;
            let values = take_f64s(upper_triangle, self.n_factors * (self.n_factors + 1) / 2)?;
            let gramian = Gramian::from_upper_triangle(self.n_factors, values);
            rules::gramian(&gramian, self.n_factors)?;
            Ok(gramian)
        };
        Ok(Some(RunningGramians {
            users: sections.one(Tag::Gramian, take)?,
            items: sections.one(Tag::Gramian, take)?,
            items_at_sweep: sections.one(Tag::Gramian, take)?,
            items_moved,
        }))
    }

    /// With the users' rows, which come last.
    pub(super) fn read_generation(
        self,
        sections: &mut SectionReader,
        items: ItemSide,
        path: SimdPath,
    ) -> Result<Generation, StoreError> {
        let users = match self.users {
            None => None,
            Some(UserParts { base, weighing, n_user_rows, rows_of }) => {
                let factors = read_user_rows(sections, n_user_rows, self.n_factors)?;
                Some(UserSide { base, factors, weighing, path, rows_of })
            }
        };
        Ok(Generation {
            id: self.id,
            frozen_at: self.frozen_at,
            as_of: self.as_of,
            users,
            items: Published::new(Arc::new(items)),
            as_published: None,
        })
    }
}

impl UserParts {
    fn from_wire(users: &wire::UserSide<'_>, head: &CheckpointHead) -> Result<Self, Flaw> {
        let params = als_from_wire(&users.als)?;
        ensure(users.n_user_rows <= head.n_users, "the number of user rows")?;
        let mut weighted = vec![0.0; params.n_factors()];
        let mut values = TakeBytes::new(users.weighted);
        take_f32s(&mut values, &mut weighted)?;
        values.end()?;
        rules::finite(&weighted, "a basis")?;
        let n_items = usize::try_from(users.n_items).map_err(|_| DecodeError::Overlong)?;
        Ok(Self {
            base: UserBase::from_parts(params, &weighted, n_items),
            weighing: weighing_from_wire(&users.weighing)?,
            n_user_rows: users.n_user_rows,
            rows_of: if users.foreign { RowsOf::Foreigners } else { RowsOf::Sweep },
        })
    }
}

fn read_user_rows(
    sections: &mut SectionReader,
    n_user_rows: u32,
    n_factors: usize,
) -> Result<Factors, StoreError> {
    let n_bytes = (n_factors * size_of::<f32>()) as u64 * u64::from(n_user_rows);
    sections.ensure(n_bytes <= sections.n_bytes_left(), "it has fewer bytes than user rows")?;
    let mut factors = Factors::zeros(n_user_rows as usize, n_factors);
    let mut user = 0;
    exactly(n_user_rows, sections, Tag::UserRows, |row| {
        let vector = &mut factors.row_mut(user)[..n_factors];
        take_f32s(row, vector)?;
        user += 1;
        Ok(rules::finite(vector, "the vector of a user")?)
    })?;
    Ok(factors)
}
