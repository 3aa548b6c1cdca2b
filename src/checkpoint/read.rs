//! A file into a state.
//!
//! The sections are read in the order they were written in, in one pass. Whatever the file says is held against
//! what is left of it before anything is allocated, and against the rules of the state before it is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Flaw;
use super::head::{CheckpointHead, als_from_wire, weighing_from_wire};
use super::pack::{UserContext, take_f32s, take_f64s, take_id, take_item, take_queued, take_user};
use super::rules::{self, ensure};
use super::sections::{SectionReader, Tag, fields};
use super::snapshot::{Restored, RunningGramians};
use super::wire;
use crate::als::{Factors, Gramian, UserBase};
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::{
    ActionNames, ByItem, DedupeWindow, Generation, ItemRecord, ItemRows, ItemSide, Limits, Shared, UserSide,
    Weighing,
};
use crate::publish::Published;
use crate::storage::bytes::{DecodeError, TakeBytes};
use crate::storage::{Storage, StoreError};
use crate::types::{
    ActionName, EventSeq, IdempotencyKey, ItemIdx, ItemVersion, MAX_ID_BYTES, Timestamp, UserIdx,
};

/// Reads the checkpoint `name` back, byte for byte what was written.
///
/// The tables have room for what `limits` allows, and for what is there if that is more.
///
/// # Errors
/// [`StoreError::Io`], or what is wrong with the file: [`Foreign`](StoreError::Foreign),
/// [`Newer`](StoreError::Newer), [`Damaged`](StoreError::Damaged).
pub(crate) fn read(
    storage: &dyn Storage,
    name: &str,
    limits: &Limits,
    path: SimdPath,
) -> Result<Restored, StoreError> {
    let mut sections = SectionReader::open(storage, name)?;
    let head = read_head(&mut sections)?;
    let actions = sections.one(Tag::Actions, take_actions)?;
    let source_offsets = sections.one(Tag::Sources, take_sources)?;
    let (dedupe, n_keys) = read_keys(&mut sections, &head)?;
    let shared = new_shared(&sections, &head, limits)?;
    let records = read_items(&mut sections, &shared, &head)?;
    let model = sections.one(Tag::Model, |payload| ModelParts::take(payload, &head))?;
    let items = read_item_rows(&mut sections, &model, &head)?;
    let running = read_gramians(&mut sections, &model, &head)?;
    let items_to_fold = read_queue(&mut sections, &head)?;
    let context = UserContext {
        actions: &actions,
        n_items: head.n_items,
        n_factors: head.n_factors(),
        generation: model.users.is_some().then_some(head.generation),
        seq: head.seq,
    };
    let users = UsersReader::new(&shared, context).read(&mut sections, head.n_users)?;
    let generation = read_generation(&mut sections, &head, model, items, path)?;
    read_end(&mut sections, &users.counts, n_keys)?;

    drop(shared.current.replace(Arc::new(generation)));
    let by_item = by_item(&records, &users.n_listeners, &shared);
    Ok(Restored {
        position: head.position,
        settings: head.settings,
        seq: head.seq,
        stream_time: head.stream_time,
        taken_at: head.taken_at,
        last_freeze: head.last_freeze,
        norm_of_model: head.norm_of_model,
        n_state_bytes: users.counts.n_state_bytes,
        by_item,
        running,
        items_to_fold,
        dedupe,
        actions,
        source_offsets,
        shared,
    })
}

pub(super) fn read_head(sections: &mut SectionReader) -> Result<CheckpointHead, StoreError> {
    let store_id = sections.store_id();
    sections.one(Tag::Head, |payload| CheckpointHead::from_wire(store_id, fields(payload)?))
}

pub(super) fn take_end(payload: &[u8]) -> Result<wire::End, Flaw> {
    fields(payload)
}

fn take_actions(payload: &[u8]) -> Result<ActionNames, Flaw> {
    let wire::Actions { names } = fields(payload)?;
    ensure(names.iter().all(|name| name.len() <= MAX_ID_BYTES), "the length of an action's name")?;
    let names = names.into_iter().map(ActionName::from);
    ActionNames::from_custom(names).ok_or(DecodeError::Invalid("the names of the actions").into())
}

fn take_sources(payload: &[u8]) -> Result<BTreeMap<String, u64>, Flaw> {
    let wire::Sources { offsets } = fields(payload)?;
    ensure(offsets.is_sorted_by(|(a, _), (b, _)| a < b), "the order of the sources")?;
    Ok(offsets.into_iter().map(|(source, offset)| (source.to_owned(), offset)).collect())
}

/// The window, and how many keys are in it.
fn read_keys(sections: &mut SectionReader, head: &CheckpointHead) -> Result<(DedupeWindow, u64), StoreError> {
    let mut dedupe = DedupeWindow::new(head.settings.dedupe_window);
    sections.each(Tag::Keys, |payload| {
        let wire::Keys { n_keys, keys } = fields(payload)?;
        let mut keys = TakeBytes::new(keys);
        for _ in 0..n_keys {
            let key: IdempotencyKey =
                take_id(&mut keys)?.ok_or(DecodeError::Invalid("an idempotency key"))?;
            let user = keys.varint_u32()?;
            ensure(user < head.n_users, "the user of an idempotency key")?;
            ensure(!dedupe.contains(&key), "an idempotency key that is there twice")?;
            ensure(dedupe.keys().len() < head.settings.dedupe_window, "the number of idempotency keys")?;
            dedupe.insert(&key, UserIdx::new(user));
        }
        Ok(keys.end()?)
    })?;
    let n_keys = dedupe.keys().len() as u64;
    Ok((dedupe, n_keys))
}

fn new_shared(
    sections: &SectionReader,
    head: &CheckpointHead,
    limits: &Limits,
) -> Result<Shared, StoreError> {
    // Each row of both has a byte at least.
    let n_rows = u64::from(head.n_users) + u64::from(head.n_items);
    sections.ensure(n_rows <= sections.n_bytes_left(), "it has fewer bytes than users and items")?;
    let limits = Limits {
        max_users: limits.max_users.max(head.n_users),
        max_items: limits.max_items.max(head.n_items),
        ..*limits
    };
    Ok(Shared::new(&limits, head.n_factors(), head.settings.weighing))
}

fn read_items(
    sections: &mut SectionReader,
    shared: &Shared,
    head: &CheckpointHead,
) -> Result<Vec<ItemRecord>, StoreError> {
    let mut records = Vec::new();
    sections.each(Tag::Items, |payload| {
        let wire::Items { first, n_items, items } = fields(payload)?;
        check_rows(first, n_items, shared.item_ids.len(), head.n_items)?;
        let mut items = TakeBytes::new(items);
        for _ in 0..n_items {
            let (id, record) = take_item(&mut items)?;
            match id {
                Some(id) => {
                    ensure(shared.item_ids.get(&id).is_none(), "an item id that is there twice")?;
                    shared.item_ids.insert(&id);
                }
                None => drop(shared.item_ids.insert_gone()),
            }
            records.push(record);
        }
        Ok(items.end()?)
    })?;
    sections.ensure(shared.item_ids.len() == head.n_items, "it has another number of items than it says")?;
    Ok(records)
}

/// The next chunk of rows must begin where the one before it has ended, and none may go beyond all.
fn check_rows(first: u32, n_rows: u32, so_far: u32, n_all: u32) -> Result<(), Flaw> {
    Ok(ensure(first == so_far && n_rows <= n_all - so_far, "the number of a section's first row")?)
}

/// What a generation is made from besides its rows.
struct ModelParts {
    frozen_at: EventSeq,
    as_of: Timestamp,
    item_version: ItemVersion,
    n_item_rows: u32,
    users: Option<UserParts>,
    items_moved: Option<f64>,
}

struct UserParts {
    base: UserBase,
    weighing: Weighing,
    n_user_rows: u32,
}

impl ModelParts {
    fn take(payload: &[u8], head: &CheckpointHead) -> Result<Self, Flaw> {
        let model: wire::Model<'_> = fields(payload)?;
        let frozen_at = EventSeq::from_raw(model.frozen_at);
        rules::seq(frozen_at, head.seq, "the event a sweep was frozen at")?;
        ensure(model.n_item_rows <= head.n_items, "the number of item rows")?;
        ensure(model.items_moved.is_none_or(|moved| moved >= 0.0), "how far the items have moved")?;
        ensure(model.users.is_some() || model.items_moved.is_none(), "Gramians without a model")?;
        Ok(Self {
            frozen_at,
            as_of: Timestamp::from_unix_ms(model.as_of_ms),
            item_version: ItemVersion::from_raw(model.item_version),
            n_item_rows: model.n_item_rows,
            users: model.users.map(|users| UserParts::from_wire(&users, head)).transpose()?,
            items_moved: model.items_moved,
        })
    }
}

impl UserParts {
    fn from_wire(users: &wire::UserSide<'_>, head: &CheckpointHead) -> Result<Self, Flaw> {
        let params = als_from_wire(&users.als)?;
        ensure(params.n_factors() == head.n_factors(), "the length of a basis")?;
        ensure(users.n_user_rows <= head.n_users, "the number of user rows")?;
        let mut weighted = vec![0.0; head.n_factors()];
        take_f32s(users.weighted, &mut weighted)?;
        rules::finite(&weighted, "a basis")?;
        let n_items = usize::try_from(users.n_items).map_err(|_| DecodeError::Overlong)?;
        Ok(Self {
            base: UserBase::from_parts(params, &weighted, n_items),
            weighing: weighing_from_wire(&users.weighing)?,
            n_user_rows: users.n_user_rows,
        })
    }
}

fn read_item_rows(
    sections: &mut SectionReader,
    model: &ModelParts,
    head: &CheckpointHead,
) -> Result<ItemSide, StoreError> {
    let n_factors = head.n_factors();
    let mut rows = ItemRows::empty(n_factors);
    let mut popularity: Vec<f32> = Vec::new();
    let mut padded = AlignedVec::zeros(rows.stride());
    sections.each(Tag::ItemRows, |payload| {
        let chunk: wire::ItemRows<'_> = fields(payload)?;
        let n_rows = chunk.popularity.len() / size_of::<f32>();
        let so_far = popularity.len();
        let n_rows_u32 = u32::try_from(n_rows).map_err(|_| DecodeError::Overlong)?;
        let so_far_u32 = u32::try_from(so_far).map_err(|_| DecodeError::Overlong)?;
        check_rows(chunk.first, n_rows_u32, so_far_u32, model.n_item_rows)?;
        let row_bytes = n_factors * size_of::<f32>();
        ensure(chunk.factors.len() == n_rows * row_bytes, "the number of floats")?;
        popularity.resize(so_far + n_rows, 0.0);
        take_f32s(chunk.popularity, &mut popularity[so_far..])?;
        rules::popularity(&popularity[so_far..])?;
        rows.grow_to(so_far + n_rows);
        for (item, row) in (chunk.first..).map(ItemIdx::new).zip(chunk.factors.chunks_exact(row_bytes)) {
            take_f32s(row, &mut padded[..n_factors])?;
            rules::finite(&padded, "the vector of an item")?;
            rows.set_row(item, &padded);
        }
        Ok(())
    })?;
    let is_whole = rows.n_items() == model.n_item_rows as usize;
    sections.ensure(is_whole, "it has another number of item rows than it says")?;
    Ok(ItemSide { version: model.item_version, rows, popularity: popularity.into() })
}

fn read_gramians(
    sections: &mut SectionReader,
    model: &ModelParts,
    head: &CheckpointHead,
) -> Result<Option<RunningGramians>, StoreError> {
    let Some(items_moved) = model.items_moved else { return Ok(None) };
    let n_factors = head.n_factors();
    let take = |payload: &[u8]| {
        let wire::Gramian { upper_triangle } = fields(payload)?;
        let values = take_f64s(upper_triangle, n_factors * (n_factors + 1) / 2)?;
        let gramian = Gramian::from_upper_triangle(n_factors, values);
        rules::gramian(&gramian, n_factors)?;
        Ok(gramian)
    };
    Ok(Some(RunningGramians {
        users: sections.one(Tag::Gramian, take)?,
        items: sections.one(Tag::Gramian, take)?,
        items_at_sweep: sections.one(Tag::Gramian, take)?,
        items_moved,
    }))
}

fn read_queue(sections: &mut SectionReader, head: &CheckpointHead) -> Result<Vec<ItemIdx>, StoreError> {
    let mut queue = Vec::new();
    sections.each(Tag::Queue, |payload| {
        let wire::Queue { n_items, items } = fields(payload)?;
        let mut items = TakeBytes::new(items);
        for _ in 0..n_items {
            queue.push(take_queued(&mut items, head.n_items)?);
        }
        Ok(items.end()?)
    })?;
    Ok(queue)
}

/// Users as they come, and what is counted of them.
struct UsersReader<'a> {
    shared: &'a Shared,
    context: UserContext<'a>,
    n_listeners: Vec<u32>,
    counts: UserCounts,
}

#[derive(Debug, Default)]
struct UserCounts {
    n_users: u64,
    n_cells: u64,
    n_events: u64,
    n_state_bytes: u64,
}

impl<'a> UsersReader<'a> {
    fn new(shared: &'a Shared, context: UserContext<'a>) -> Self {
        let n_listeners = vec![0; context.n_items as usize];
        Self { shared, context, n_listeners, counts: UserCounts::default() }
    }

    fn read(mut self, sections: &mut SectionReader, n_users: u32) -> Result<Self, StoreError> {
        sections.each(Tag::Users, |payload| {
            let chunk: wire::Users<'_> = fields(payload)?;
            check_rows(chunk.first, chunk.n_users, self.shared.user_ids.len(), n_users)?;
            let mut users = TakeBytes::new(chunk.users);
            for _ in 0..chunk.n_users {
                self.take(&mut users)?;
            }
            Ok(users.end()?)
        })?;
        let is_whole = self.shared.user_ids.len() == n_users;
        sections.ensure(is_whole, "it has another number of users than it says")?;
        Ok(self)
    }

    fn take(&mut self, users: &mut TakeBytes<'_>) -> Result<(), Flaw> {
        let Some((id, state)) = take_user(users, self.context)? else {
            self.shared.user_ids.insert_gone();
            return Ok(());
        };
        ensure(self.shared.user_ids.get(&id).is_none(), "a user id that is there twice")?;
        let user = UserIdx::new(self.shared.user_ids.insert(&id));
        self.counts.n_users += 1;
        if let Some(state) = state {
            for cell in state.history.cells() {
                self.n_listeners[cell.item().index()] += 1;
            }
            self.counts.n_cells += state.history.cells().len() as u64;
            self.counts.n_events += (state.recent.ring().len() + state.recent.standing().len()) as u64;
            self.counts.n_state_bytes += state.n_bytes() as u64;
            drop(self.shared.slot(user).replace(Arc::new(state)));
        }
        Ok(())
    }
}

fn read_generation(
    sections: &mut SectionReader,
    head: &CheckpointHead,
    model: ModelParts,
    items: ItemSide,
    path: SimdPath,
) -> Result<Generation, StoreError> {
    let users = match model.users {
        None => None,
        Some(UserParts { base, weighing, n_user_rows }) => {
            let factors = read_user_rows(sections, n_user_rows, head.n_factors())?;
            Some(UserSide { base, factors, weighing, path })
        }
    };
    Ok(Generation {
        id: head.generation,
        frozen_at: model.frozen_at,
        as_of: model.as_of,
        users,
        items: Published::new(Arc::new(items)),
    })
}

fn read_user_rows(
    sections: &mut SectionReader,
    n_user_rows: u32,
    n_factors: usize,
) -> Result<Factors, StoreError> {
    let row_bytes = n_factors * size_of::<f32>();
    let n_bytes = u64::from(n_user_rows).saturating_mul(row_bytes as u64);
    sections.ensure(n_bytes <= sections.n_bytes_left(), "it has fewer bytes than user rows")?;
    let mut factors = Factors::zeros(n_user_rows as usize, n_factors);
    let mut so_far = 0;
    sections.each(Tag::UserRows, |payload| {
        let chunk: wire::UserRows<'_> = fields(payload)?;
        let n_rows = chunk.factors.len() / row_bytes;
        let n_rows = u32::try_from(n_rows).map_err(|_| DecodeError::Overlong)?;
        check_rows(chunk.first, n_rows, so_far, n_user_rows)?;
        ensure(chunk.factors.len().is_multiple_of(row_bytes), "the number of floats")?;
        for (row, values) in (so_far as usize..).zip(chunk.factors.chunks_exact(row_bytes)) {
            let row = &mut factors.row_mut(row)[..n_factors];
            take_f32s(values, row)?;
            rules::finite(row, "the vector of a user")?;
        }
        so_far += n_rows;
        Ok(())
    })?;
    sections.ensure(so_far == n_user_rows, "it has another number of user rows than it says")?;
    Ok(factors)
}

fn read_end(sections: &mut SectionReader, counts: &UserCounts, n_keys: u64) -> Result<(), StoreError> {
    let found = wire::End {
        n_sections: sections.n_sections(),
        n_users: counts.n_users,
        n_cells: counts.n_cells,
        n_events: counts.n_events,
        n_keys,
    };
    let end = sections.one(Tag::End, take_end)?;
    sections.ensure(end == found, "its end tells of other contents")?;
    sections.end()
}

/// The histories seen from the items' side; every list is made as long as it will be.
fn by_item(records: &[ItemRecord], n_listeners: &[u32], shared: &Shared) -> ByItem {
    let mut by_item = ByItem::from_records(records);
    by_item.reserve_listeners(n_listeners);
    for user in (0..shared.user_ids.len()).map(UserIdx::new) {
        for cell in shared.user(user).iter().flat_map(|state| state.history.cells()) {
            by_item.add_listener(cell.item(), user);
        }
    }
    by_item
}
