//! A file into a state.
//!
//! The sections are read in the order they were written in, in one pass. Whatever the file says is held against
//! what is left of it before anything is allocated, and against the rules of the state before it is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Flaw;
use super::head::CheckpointHead;
use super::name::record_of_checkpoint;
use super::pack::{UserContext, take_id, take_item, take_queued, take_skips, take_user};
use super::parts::UserCounts;
use super::read_model::ModelParts;
use super::rows::{each_row, exactly};
use super::rules::ensure;
use super::sections::{FORMAT_WITHOUT_SKIPS, SectionReader, Tag, fields};
use super::snapshot::Restored;
use super::wire;
use crate::kernel::SimdPath;
use crate::model::{ActionNames, ByItem, DedupeWindow, ItemRecord, Limits, Shared, SkipCounts};
use crate::storage::bytes::{DecodeError, TakeBytes};
use crate::storage::{Storage, StoreError};
use crate::types::{ActionName, IdempotencyKey, ItemIdx, MAX_ID_BYTES, UserIdx};

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
    let dedupe = read_keys(&mut sections, &head)?;
    let shared = new_shared(&sections, &head, limits)?;
    let records = read_items(&mut sections, &shared, &head)?;
    let model = sections.one(Tag::Model, |payload| ModelParts::take(payload, &head))?;
    let may_be_foreign = sections.format() != FORMAT_WITHOUT_SKIPS;
    sections.ensure(
        may_be_foreign || !model.is_foreign(),
        "a model from elsewhere, of which its format knows nothing",
    )?;
    let items = model.read_item_rows(&mut sections)?;
    let running = model.read_gramians(&mut sections)?;
    let items_to_fold = read_queue(&mut sections, items.n_items())?;
    let context = UserContext {
        actions: &actions,
        n_items: head.n_items,
        n_factors: model.n_factors(),
        generation: model.has_users().then_some(head.generation),
        seq: head.seq,
    };
    let users = UsersReader::new(&shared, context).read(&mut sections, head.n_users)?;
    let generation = model.read_generation(&mut sections, items, path)?;
    let skips = read_skip_counts(&mut sections, &head)?;
    read_end(&mut sections, users.counts, dedupe.keys().len() as u64)?;

    drop(shared.current.replace(Arc::new(generation)));
    let by_item = by_item(&records, &users.n_listeners, &shared);
    Ok(Restored {
        position: head.position,
        erases: head.erases,
        settings: head.settings,
        seq: head.seq,
        stream_time: head.stream_time,
        taken_at: head.taken_at,
        last_freeze: head.last_freeze,
        norm_of_model: head.norm_of_model,
        n_state_bytes: users.n_state_bytes,
        n_vector_bytes: users.n_vector_bytes,
        by_item,
        skips,
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
    let head = sections.one(Tag::Head, |payload| CheckpointHead::from_wire(store_id, fields(payload)?))?;
    // The journal goes on from what it says, the order of checkpoints from its name.
    let named = record_of_checkpoint(sections.name());
    sections
        .ensure(named.is_none_or(|record| record == head.position.record), "its name is that of another")?;
    Ok(head)
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

fn read_keys(sections: &mut SectionReader, head: &CheckpointHead) -> Result<DedupeWindow, StoreError> {
    let capacity = head.settings.dedupe_window;
    let mut dedupe = DedupeWindow::new(capacity);
    each_row(sections, Tag::Keys, u32::MAX, |row| {
        let key: IdempotencyKey = take_id(row)?.ok_or(DecodeError::Invalid("an idempotency key"))?;
        let user = row.varint_u32()?;
        ensure(user < head.n_users, "the user of an idempotency key")?;
        ensure(!dedupe.contains(&key), "an idempotency key that is there twice")?;
        ensure(dedupe.keys().len() < capacity, "the number of idempotency keys")?;
        dedupe.insert(&key, UserIdx::new(user));
        Ok(())
    })?;
    Ok(dedupe)
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
    Ok(Shared::new(&limits, head.n_factors(), head.settings.weighing.decay))
}

fn read_items(
    sections: &mut SectionReader,
    shared: &Shared,
    head: &CheckpointHead,
) -> Result<Vec<ItemRecord>, StoreError> {
    let mut records = Vec::new();
    exactly(head.n_items, sections, Tag::Items, |row| {
        let (id, record) = take_item(row)?;
        if let Some(id) = id {
            ensure(shared.item_ids.get(&id).is_none(), "an item id that is there twice")?;
            shared.item_ids.insert(&id);
        } else {
            shared.item_ids.insert_gone();
        }
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn read_queue(sections: &mut SectionReader, n_item_rows: usize) -> Result<Vec<ItemIdx>, StoreError> {
    let (mut queue, mut may_come) = (Vec::new(), vec![true; n_item_rows]);
    each_row(sections, Tag::Queue, u32::MAX, |row| {
        queue.push(take_queued(row, &mut may_come)?);
        Ok(())
    })?;
    Ok(queue)
}

fn read_skip_counts(sections: &mut SectionReader, head: &CheckpointHead) -> Result<SkipCounts, StoreError> {
    if sections.format() == FORMAT_WITHOUT_SKIPS {
        return Ok(SkipCounts::default());
    }
    let (mut items, mut contexts) = (Vec::new(), Vec::new());
    each_row(sections, Tag::ItemSkips, head.n_items, |row| {
        items.push(take_skips(row)?);
        Ok(())
    })?;
    each_row(sections, Tag::ContextSkips, u32::MAX, |row| {
        contexts.push(take_skips(row)?);
        Ok(())
    })?;
    let overall = (!contexts.is_empty()).then(|| contexts.remove(0));
    let skips = overall.and_then(|overall| SkipCounts::from_parts(overall, items, contexts));
    sections.ensure(skips.is_some(), "it has not as many counts of skips as there are")?;
    Ok(skips.unwrap_or_default())
}

/// Users as they come, and what is counted of them.
struct UsersReader<'a> {
    shared: &'a Shared,
    context: UserContext<'a>,
    n_listeners: Vec<u32>,
    counts: UserCounts,
    n_state_bytes: u64,
    n_vector_bytes: u64,
}

impl<'a> UsersReader<'a> {
    fn new(shared: &'a Shared, context: UserContext<'a>) -> Self {
        let n_listeners = vec![0; context.n_items as usize];
        Self {
            shared,
            context,
            n_listeners,
            counts: UserCounts::default(),
            n_state_bytes: 0,
            n_vector_bytes: 0,
        }
    }

    fn read(mut self, sections: &mut SectionReader, n_all: u32) -> Result<Self, StoreError> {
        exactly(n_all, sections, Tag::Users, |row| self.take(row))?;
        Ok(self)
    }

    fn take(&mut self, users: &mut TakeBytes<'_>) -> Result<(), Flaw> {
        let Some((id, state)) = take_user(users, self.context)? else {
            self.shared.user_ids.insert_gone();
            return Ok(());
        };
        ensure(self.shared.user_ids.get(&id).is_none(), "a user id that is there twice")?;
        let user = UserIdx::new(self.shared.user_ids.insert(&id));
        self.counts.add(state.as_ref());
        if let Some(state) = state {
            for cell in state.history.cells() {
                self.n_listeners[cell.item().index()] += 1;
            }
            self.n_state_bytes += state.n_bytes() as u64;
            self.n_vector_bytes += state.n_vector_bytes() as u64;
            drop(self.shared.slot(user).replace(Arc::new(state)));
        }
        Ok(())
    }
}

fn read_end(sections: &mut SectionReader, counts: UserCounts, n_keys: u64) -> Result<(), StoreError> {
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
