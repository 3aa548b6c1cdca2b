//! The events of a journal, to be learned anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::checkpoint;
use crate::journal::{self, EventRecord, Origin, Record, Replay};
use crate::storage::{Storage, StoreError};
use crate::types::{Event, ItemId, Signal, Timestamp, UserId};

/// An event as a journal has it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JournaledEvent {
    /// The event, with the time at which it happened, and of the user whose it is by now.
    pub event: Event,
    /// What the weigher made of it; `None` for the taking back of an action, which is never weighed.
    pub signal: Option<Signal>,
    /// When it was learned, by the engine's clock.
    pub learned_at: Timestamp,
}

/// The events of a journal, in the order they were learned: what [`journaled_events`] gives. It ends for good after
/// an error.
#[derive(Debug)]
pub struct JournaledEvents {
    records: Replay,
    fates: Fates,
    learned_at: Timestamp,
    /// Later records are not looked at: nobody knows what became of what they speak of.
    last_record: u64,
    is_over: bool,
}

/// Every event that an engine with [`keep_journal`](crate::EngineBuilder::keep_journal) has learned, for an engine
/// with another weigher or half-life, in a store of its own, to [`import`](crate::Engine::import).
///
/// What was forgotten later is left out: the events of a user, or with an item, from before that. What a user did who
/// was merged into another later comes as that other's. The taking back of an action comes as the event it is. Items
/// that were added without an event are not in it.
///
/// Reads the journal twice, with one of its files in memory at a time, and writes nothing. An engine may be running on
/// the store, as for [`Past`](crate::Past); what it learns meanwhile is not in it.
///
/// ```
/// use segue::{Durability, Engine, Event, MemoryStorage, UnitWeigher, journaled_events};
///
/// let storage = MemoryStorage::new();
/// let builder = Engine::builder().store_in(storage.clone(), Durability::Buffered).keep_journal();
/// let engine = builder.open()?;
/// engine.import([Event::save("ana", "portishead"), Event::skip("ana", "muse")])?;
/// drop(engine);
///
/// let anew = Engine::builder().weigher(UnitWeigher).open()?;
/// let mut failed = Ok(());
/// let events = journaled_events(storage)?.map_while(|next| next.map_err(|error| failed = Err(error)).ok());
/// anew.import(events.map(|journaled| journaled.event))?;
/// failed?;
/// assert_eq!(anew.reader().view().user("ana").history()[0].confidence, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`StoreError::NoBeginning`] if the journal does not reach back to the first event; any other [`StoreError`] if it
/// cannot be read.
pub fn journaled_events(storage: impl Storage) -> Result<JournaledEvents, StoreError> {
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let oldest = checkpoint::list(&*storage)?.pop();
    let begins = journal::first_record(&*storage)?;
    if let Some(file) = oldest.filter(|_| begins != Some(1)) {
        return Err(StoreError::NoBeginning { checkpoint: file.name });
    }
    if let Some(first) = begins.filter(|&first| first != 1) {
        let checkpoint = format!("up to record {}, which is gone,", first - 1);
        return Err(StoreError::NoBeginning { checkpoint });
    }
    let (fates, last_record) = Fates::read(Replay::begin(Arc::clone(&storage), Origin::Start)?)?;
    let records = Replay::begin(storage, Origin::Start)?;
    Ok(JournaledEvents { records, fates, learned_at: Timestamp::default(), last_record, is_over: false })
}

impl Iterator for JournaledEvents {
    type Item = Result<JournaledEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.records.next_record() {
                Ok(Some((number, record))) if number <= self.last_record => {
                    if let Record::Time(at) = record {
                        self.learned_at = at;
                    } else if let Record::Event(EventRecord { event, at, signal, .. }) = record
                        && let Some(event) = self.fates.apply(number, event)
                    {
                        let event = event.at(at);
                        return Some(Ok(JournaledEvent { event, signal, learned_at: self.learned_at }));
                    }
                }
                Ok(_) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What became of users and items, each change with the number of its record, in order.
#[derive(Debug, Default)]
struct Fates {
    users: HashMap<UserId, Vec<(u64, UserFate)>>,
    items: HashMap<ItemId, Vec<u64>>,
}

#[derive(Debug)]
enum UserFate {
    Forgotten,
    MergedInto(UserId),
}

impl Fates {
    /// Reads a journal to its end; gives the number of its last record with them.
    fn read(mut records: Replay) -> Result<(Self, u64), StoreError> {
        let mut fates = Self::default();
        let mut last_record = 0;
        while let Some((number, record)) = records.next_record()? {
            last_record = number;
            if let Record::ForgetUser(user) = record {
                fates.users.entry(user).or_default().push((number, UserFate::Forgotten));
            } else if let Record::MergeUsers { from, into } = record {
                fates.users.entry(from).or_default().push((number, UserFate::MergedInto(into)));
            } else if let Record::ForgetItem(item) = record {
                fates.items.entry(item).or_default().push(number);
            }
        }
        Ok((fates, last_record))
    }

    /// What is left today of an event that was learned by record `number`.
    fn apply(&self, number: u64, event: Event) -> Option<Event> {
        if self.items.get(event.item()).and_then(|gone| gone.last()).is_some_and(|&gone| gone > number) {
            return None;
        }
        let (mut user, mut since) = (event.user(), number);
        while let Some((changed, fate)) = self.next_of_user(user, since) {
            match fate {
                UserFate::Forgotten => return None,
                UserFate::MergedInto(into) => (user, since) = (into, changed),
            }
        }
        let user = user.clone();
        Some(event.of_user(user))
    }

    /// What first became of a user after record `since`.
    fn next_of_user(&self, user: &UserId, since: u64) -> Option<(u64, &UserFate)> {
        let fates = self.users.get(user)?;
        let next = fates.partition_point(|(number, _)| *number <= since);
        fates.get(next).map(|(number, fate)| (*number, fate))
    }
}
