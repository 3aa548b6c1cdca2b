//! What a checkpoint says of itself first: where it stands, and by which settings it came about.

use super::error::Flaw;
use super::rules::{self, ensure};
use super::snapshot::{Position, Snapshot};
use super::wire;
use crate::als::AlsParams;
use crate::model::{Decay, LearningSettings, Saturation, Weighing};
use crate::storage::bytes::DecodeError;
use crate::types::{EventSeq, GenerationId, Timestamp};

/// The first section of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckpointHead {
    pub(crate) position: Position,
    pub(crate) erases: bool,
    pub(crate) settings: LearningSettings,
    pub(crate) seq: EventSeq,
    pub(crate) stream_time: Timestamp,
    pub(crate) taken_at: Timestamp,
    pub(crate) last_freeze: Option<(EventSeq, Timestamp)>,
    pub(crate) norm_of_model: Option<f64>,
    pub(crate) generation: GenerationId,
    /// Rows, forgotten ones included.
    pub(crate) n_users: u32,
    /// Rows, forgotten ones included.
    pub(crate) n_items: u32,
}

impl CheckpointHead {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            position: snapshot.position,
            erases: snapshot.erases,
            settings: snapshot.settings.clone(),
            seq: snapshot.seq,
            stream_time: snapshot.stream_time,
            taken_at: snapshot.taken_at,
            last_freeze: snapshot.last_freeze,
            norm_of_model: snapshot.norm_of_model,
            generation: snapshot.generation.id,
            n_users: snapshot.n_users,
            n_items: snapshot.n_items,
        }
    }

    pub(super) fn to_wire(&self) -> wire::Head {
        wire::Head {
            record: self.position.record,
            segment: self.position.segment,
            continues: self.position.continues,
            erases: self.erases,
            settings: settings_to_wire(&self.settings),
            seq: self.seq.get(),
            stream_time_ms: self.stream_time.unix_ms(),
            taken_at_ms: self.taken_at.unix_ms(),
            last_freeze: self.last_freeze.map(|(seq, at)| (seq.get(), at.unix_ms())),
            norm_of_model: self.norm_of_model,
            generation: self.generation.get(),
            n_users: self.n_users,
            n_items: self.n_items,
        }
    }

    pub(super) fn from_wire(store_id: u64, head: wire::Head) -> Result<Self, Flaw> {
        let wire::Head { record, segment, continues, seq, generation, n_users, n_items, .. } = head;
        // So that counting on from them never overflows.
        let counts = [record, segment, seq, generation];
        ensure(counts.iter().all(|&count| count <= u64::MAX / 2), "a count of the head")?;
        let seq = EventSeq::from_raw(seq);
        let freeze = |(seq, at)| (EventSeq::from_raw(seq), Timestamp::from_unix_ms(at));
        let last_freeze = head.last_freeze.map(freeze);
        if let Some((frozen, _)) = last_freeze {
            rules::seq(frozen, seq, "the last freeze")?;
        }
        ensure(head.norm_of_model.is_none_or(f64::is_finite), "the norm of the model")?;
        Ok(Self {
            position: Position { store_id, record, segment, continues },
            erases: head.erases,
            settings: settings_from_wire(&head.settings)?,
            seq,
            stream_time: Timestamp::from_unix_ms(head.stream_time_ms),
            taken_at: Timestamp::from_unix_ms(head.taken_at_ms),
            last_freeze,
            norm_of_model: head.norm_of_model,
            generation: GenerationId::from_raw(generation),
            n_users,
            n_items,
        })
    }

    /// k.
    pub(super) fn n_factors(&self) -> usize {
        self.settings.als.n_factors()
    }
}

fn settings_to_wire(settings: &LearningSettings) -> wire::Settings {
    wire::Settings {
        als: als_to_wire(&settings.als),
        weighing: weighing_to_wire(settings.weighing),
        max_history: settings.max_history as u64,
        recent_events: settings.recent_events as u64,
        dedupe_window: settings.dedupe_window as u64,
    }
}

fn settings_from_wire(settings: &wire::Settings) -> Result<LearningSettings, Flaw> {
    Ok(LearningSettings {
        als: als_from_wire(&settings.als)?,
        weighing: weighing_from_wire(&settings.weighing)?,
        max_history: count(settings.max_history),
        recent_events: count(settings.recent_events),
        dedupe_window: count(settings.dedupe_window),
    })
}

pub(super) fn als_to_wire(als: &AlsParams) -> wire::Als {
    wire::Als {
        n_factors: als.n_factors() as u64,
        regularization: als.regularization(),
        unobserved_weight: als.unobserved_weight(),
        frequency_exponent: als.frequency_exponent(),
        seed: als.seed(),
    }
}

pub(super) fn als_from_wire(als: &wire::Als) -> Result<AlsParams, Flaw> {
    AlsParams::builder()
        .n_factors(count(als.n_factors))
        .regularization(als.regularization)
        .unobserved_weight(als.unobserved_weight)
        .frequency_exponent(als.frequency_exponent)
        .seed(als.seed)
        .build()
        .map_err(|_| DecodeError::Invalid("a setting of the objective").into())
}

pub(super) fn weighing_to_wire(weighing: Weighing) -> wire::Weighing {
    let saturation = match weighing.saturation {
        Saturation::None => 0,
        Saturation::Log => 1,
    };
    wire::Weighing { half_life_ms: weighing.decay.half_life_ms(), saturation }
}

pub(super) fn weighing_from_wire(weighing: &wire::Weighing) -> Result<Weighing, Flaw> {
    let decay =
        Decay::from_half_life_ms(weighing.half_life_ms).ok_or(DecodeError::Invalid("the half-life"))?;
    let saturation = match weighing.saturation {
        0 => Saturation::None,
        1 => Saturation::Log,
        _ => return Err(DecodeError::Invalid("the saturation").into()),
    };
    Ok(Weighing { decay, saturation })
}

/// A limit that a larger machine had set is no limit on a smaller one.
fn count(wide: u64) -> usize {
    usize::try_from(wide).unwrap_or(usize::MAX)
}
