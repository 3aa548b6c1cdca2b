//! What opening a store would do: the steps of the engine, without the engine.

use std::sync::Arc;

use super::report::OpeningForecast;
use crate::checkpoint::{self, Position};
use crate::journal::{Cut, Origin, Record, Replay};
use crate::kernel::SimdPath;
use crate::model::Limits;
use crate::storage::{Storage, StoreError};

/// With what an engine would begin.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) checkpoint: Option<String>,
    pub(super) origin: Origin,
    /// Later checkpoints that are damaged.
    pub(super) skipped: Vec<(String, String)>,
    /// Of the newest of those.
    pub(super) damage: Option<StoreError>,
}

impl Start {
    /// Reads the newest checkpoint that can be read, in as much memory as an engine needs for it.
    pub(super) fn find(storage: &dyn Storage) -> Result<Self, StoreError> {
        // The tables are made as large as the checkpoint needs; nobody is going to add to them.
        let limits = Limits { max_users: 1, max_items: 1, ..Limits::default() };
        let found = checkpoint::newest(storage, &limits, SimdPath::detect())?;
        let (checkpoint, origin) = match found.restored {
            Some((name, restored)) => (Some(name), origin_of(restored.position)),
            None => (None, Origin::Start),
        };
        Ok(Self { checkpoint, origin, skipped: found.skipped, damage: found.damage })
    }
}

fn origin_of(position: Position) -> Origin {
    Origin::Checkpoint {
        store_id: position.store_id,
        record: position.record,
        segment: position.continues.then_some(position.segment),
    }
}

/// Follows the steps of opening; gives its refusal.
pub(super) fn forecast(storage: &Arc<dyn Storage>) -> Result<OpeningForecast, StoreError> {
    let start = Start::find(&**storage)?;
    let mut damage = start.damage.filter(|_| start.origin == Origin::Start);
    let mut blame = |error| damage.take().unwrap_or(error);
    let mut replay = Replay::begin(Arc::clone(storage), start.origin).map_err(&mut blame)?;
    let mut forecast = OpeningForecast {
        checkpoint: start.checkpoint,
        skipped_checkpoints: start.skipped,
        records: 0,
        events: 0,
        sweeps: 0,
        last_record: 0,
        torn: None,
    };
    while let Some((_, record)) = replay.next_record().map_err(&mut blame)? {
        forecast.records += 1;
        forecast.events += u64::from(matches!(record, Record::Event(_)));
        forecast.sweeps += u64::from(matches!(record, Record::Published { .. }));
    }
    let recovered = replay.finish()?;
    if let (None, Some(damage)) = (recovered.store_id, damage) {
        return Err(damage);
    }
    forecast.last_record = recovered.last_record;
    forecast.torn = recovered.torn.as_ref().map(Cut::to_torn_tail);
    Ok(forecast)
}
