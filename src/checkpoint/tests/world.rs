//! Seeded states with everything in them that a state may have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::als::{AlsParams, Factors, Gramian, UserBase};
use crate::checkpoint::{Position, RunningGramians, Snapshot};
use crate::kernel::{AlignedVec, SimdPath, SplitMix64, stride_of};
use crate::model::{
    ActionNames, Decay, DedupeWindow, Fact, Folded, Generation, ItemRecord, ItemRows, ItemSide,
    LearningSettings, Limits, RawEvent, RowsOf, Saturation, Shared, SkipCounts, UserLimits, UserSide,
    UserState, Weighing,
};
use crate::publish::{Freeze, Published};
use crate::types::{
    ActionKind, Context, DayPart, EventSeq, GenerationId, ItemId, ItemIdx, ItemVersion, Signal, Timestamp,
    UserId, UserIdx, UtcOffset,
};

/// How large a state is, and what it has in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) n_users: u32,
    pub(super) n_items: u32,
    pub(super) n_factors: usize,
    /// Of a user, on average; some have none, some have ten times as many.
    pub(super) n_events: usize,
    pub(super) recent_events: usize,
    pub(super) n_skips: u32,
    pub(super) has_model: bool,
    pub(super) rows_of: RowsOf,
    /// Whether some users and items were forgotten or never did anything.
    pub(super) has_gaps: bool,
}

impl World {
    /// A few hundred bytes to some kilobytes.
    pub(super) const SMALL: Self = Self {
        seed: 1,
        n_users: 14,
        n_items: 12,
        n_factors: 2,
        n_events: 6,
        recent_events: 5,
        n_skips: 0,
        has_model: true,
        rows_of: RowsOf::Sweep,
        has_gaps: true,
    };

    const GENERATION: u64 = 7;

    pub(super) fn settings(self) -> LearningSettings {
        LearningSettings {
            als: AlsParams::builder().n_factors(self.n_factors).seed(self.seed).build().expect("in range"),
            weighing: Weighing {
                decay: Decay::new(self.has_gaps.then_some(Duration::from_secs(3_600 * 24 * 90))),
                saturation: Saturation::Log,
            },
            max_history: 1_000,
            recent_events: self.recent_events,
            dedupe_window: 100,
        }
    }

    /// Room for no more than is there.
    pub(super) fn limits() -> Limits {
        Limits { max_users: 1, max_items: 1, ..Limits::default() }
    }

    pub(super) fn snapshot(self) -> Snapshot {
        let settings = self.settings();
        let limits = Limits { max_users: self.n_users, max_items: self.n_items, ..Limits::default() };
        let shared = Shared::new(&limits, self.n_factors, settings.weighing.decay);
        let mut actions = ActionNames::default();
        for name in ["queued", "sang along"] {
            actions.code(&ActionKind::Custom(name.into())).expect("there is room");
        }
        self.add_items(&shared);
        let seq = EventSeq::from_raw(10_000 + u64::from(self.n_users));
        self.add_users(&shared, &settings, &mut actions, seq);
        let generation = Arc::new(self.generation(&settings, seq));
        drop(shared.current.replace(Arc::clone(&generation)));
        shared.user_ids.freeze();
        shared.item_ids.freeze();
        let items = generation.items.load();
        let n_item_rows = u32::try_from(items.n_items()).expect("few");
        Snapshot {
            position: Position { store_id: 0x0123_4567_89ab_cdef, record: 42, segment: 3, continues: true },
            erases: true,
            running: self.has_model.then(|| self.running(&items.rows)),
            settings,
            seq,
            stream_time: Timestamp::from_unix_ms(1_700_000_000_123),
            taken_at: Timestamp::from_unix_ms(-5),
            last_freeze: self.has_model.then_some((EventSeq::from_raw(9_000), Timestamp::from_unix_ms(99))),
            norm_of_model: self.has_model.then_some(1.25),
            freeze: Arc::new(Freeze::new(seq)),
            n_users: self.n_users,
            n_items: self.n_items,
            generation,
            items,
            item_records: self.item_records(),
            skips: self.skips(),
            items_to_fold: (0..n_item_rows).rev().step_by(4).map(ItemIdx::new).collect(),
            dedupe: self.dedupe(),
            actions,
            source_offsets: BTreeMap::from([("feed/ä".to_owned(), 5), (String::new(), u64::MAX)]),
            shared: Arc::new(shared),
        }
    }

    fn add_items(self, shared: &Shared) {
        for row in 0..self.n_items {
            let id = match row % 3 {
                0 => ItemId::from(u64::from(row) << 40),
                1 => ItemId::from(format!("item {row}")),
                _ => ItemId::from(format!("0{row}")),
            };
            shared.item_ids.insert(&id);
            if self.has_gaps && row % 11 == 10 {
                shared.item_ids.remove(&id);
            }
        }
    }

    fn add_users(
        self,
        shared: &Shared,
        settings: &LearningSettings,
        actions: &mut ActionNames,
        latest: EventSeq,
    ) {
        for row in 0..self.n_users {
            let id = match row {
                0 => UserId::from("ü".repeat(128)),
                row if row % 2 == 0 => UserId::from(u64::MAX - u64::from(row)),
                row => UserId::from(format!("listener-{row:06}")),
            };
            shared.user_ids.insert(&id);
            let user = UserIdx::new(row);
            if self.has_gaps && row % 13 == 5 {
                // One who was seen but about whom nothing was published.
                continue;
            }
            let mut random = SplitMix64::at(self.seed, u64::from(row));
            let mut state = self.state(row, settings, actions, &mut random);
            state.seq = EventSeq::from_raw(latest.get() - u64::from(row) % 9_000);
            state.shrink();
            drop(shared.slot(user).replace(Arc::new(state)));
            if self.has_gaps && row % 7 == 6 {
                shared.user_ids.remove(&id);
            }
        }
    }

    fn state(
        self,
        row: u32,
        settings: &LearningSettings,
        actions: &mut ActionNames,
        random: &mut SplitMix64,
    ) -> UserState {
        let limits = UserLimits { max_history: settings.max_history, recent_events: settings.recent_events };
        let mut state = UserState::default();
        let n_events = match row % 5 {
            _ if !self.has_gaps => self.n_events,
            3 => 0,
            4 => 10 * self.n_events,
            _ => 1 + random.below(2 * self.n_events),
        };
        let mut at = 1_600_000_000_000 + i64::from(row) * 1_000;
        for number in 0..n_events {
            at += i64::try_from(random.below(40_000_000)).expect("small") - 1_000_000;
            let event = self.event(number, at, actions, random);
            state.add(event, limits, settings.weighing.decay);
        }
        if self.has_gaps && row % 4 == 1 {
            let undone = state.recent.ring().back().map(|event| (event.item(), event.action()));
            undone.map(|(item, action)| state.undo(item, action, settings.weighing.decay));
        }
        let generation = match row % 3 {
            _ if !self.has_gaps => None,
            0 => self.has_model.then_some(Self::GENERATION),
            1 => Some(Self::GENERATION - 1),
            _ => None,
        };
        state.folded = generation.map(|generation| Folded {
            generation: GenerationId::from_raw(generation),
            vector: self.row(random),
        });
        state
    }

    fn event(self, number: usize, at: i64, actions: &mut ActionNames, random: &mut SplitMix64) -> RawEvent {
        // Few items are heard by many.
        let share = random.uniform();
        let item = ItemIdx::new(below(share * share * share, self.n_items));
        let at = Timestamp::from_unix_ms(at);
        let kind = match random.below(8) {
            0 => ActionKind::Skip,
            1 => ActionKind::Like,
            2 => ActionKind::Save,
            3 if self.has_gaps => ActionKind::Custom("sang along".into()),
            _ => ActionKind::Listen,
        };
        let heard = f32::from(u8::try_from(random.below(101)).expect("small")) / 100.0;
        let (preference, confidence) = if kind == ActionKind::Skip {
            (-0.5, 0.25 * (1.0 - heard))
        } else if kind == ActionKind::Like {
            (1.0, 3.0)
        } else {
            (1.0, if number.is_multiple_of(3) { heard } else { 1.0 })
        };
        let fact = Fact {
            item,
            at,
            signal: Signal::new(preference, confidence).expect("in range"),
            day_part: DayPart::of(at, UtcOffset::default()),
        };
        RawEvent::new(fact, actions.code(&kind).expect("there is room"), kind.is_statement())
    }

    fn generation(self, settings: &LearningSettings, seq: EventSeq) -> Generation {
        let mut random = SplitMix64::at(self.seed, u64::MAX);
        // The newest are not published yet.
        let n_published = (self.n_items - self.n_items.min(2)) as usize;
        let mut rows = ItemRows::empty(self.n_factors);
        rows.grow_to(n_published);
        let published = (0..self.n_items).map(ItemIdx::new).take(n_published);
        for item in published.filter(|item| self.has_model && item.get() % 5 != 4) {
            rows.set_row(item, &self.row(&mut random));
        }
        let items = ItemSide {
            version: ItemVersion::from_raw(if self.has_model { 12 } else { 0 }),
            rows,
            popularity: (0..n_published)
                .map(|row| f32::from(u8::try_from(row % 200).expect("small")))
                .collect(),
        };
        if !self.has_model {
            return Generation::empty(items);
        }
        let n_rows = self.n_users as usize - 1;
        let mut factors = Factors::zeros(n_rows, self.n_factors);
        for row in 0..n_rows {
            factors.row_mut(row).copy_from_slice(&self.row(&mut random));
        }
        let weighted: Vec<_> = self.row(&mut random)[..self.n_factors].iter().map(|x| x.abs()).collect();
        Generation {
            id: GenerationId::from_raw(Self::GENERATION),
            frozen_at: EventSeq::from_raw(seq.get() - 4),
            as_of: Timestamp::from_unix_ms(1_650_000_000_000),
            users: Some(UserSide {
                base: UserBase::from_parts(settings.als.clone(), &weighted, n_published),
                factors,
                weighing: settings.weighing,
                path: SimdPath::detect(),
                rows_of: self.rows_of,
            }),
            items: Published::new(Arc::new(items)),
            as_published: None,
        }
    }

    fn running(self, rows: &ItemRows) -> RunningGramians {
        let path = SimdPath::detect();
        let all: Vec<&[f32]> =
            rows.chunks().flat_map(|(_, rows)| rows.chunks_exact(stride_of(self.n_factors))).collect();
        let of = |some: &[&[f32]]| Gramian::of_rows(path, self.n_factors, some.iter().copied());
        RunningGramians {
            users: of(&all[..all.len() / 2]),
            items: of(&all),
            items_at_sweep: of(&all[1..]),
            items_moved: 0.0125,
        }
    }

    /// Listens and skips of all items but the last.
    fn skips(self) -> SkipCounts {
        let mut skips = SkipCounts::default();
        for n in 0..self.n_skips {
            let item = ItemIdx::new(n * 7 % (self.n_items - 1));
            let part = DayPart::new(u8::try_from(n % 8).expect("below eight")).expect("there are eight");
            let kind = if n % 3 == 0 { ActionKind::Skip } else { ActionKind::Listen };
            let context = Context::new().device(format!("device {}", n % 5));
            skips.add(item, &kind, part, Some(&context).filter(|_| n % 2 == 0));
        }
        skips
    }

    fn item_records(self) -> Vec<ItemRecord> {
        let record = |row: u32| ItemRecord {
            confidence: f64::from(row) * 1.1,
            solved_at_confidence: f64::from(row),
            is_due: row % 4 == 1,
        };
        (0..self.n_items).map(record).collect()
    }

    fn dedupe(self) -> DedupeWindow {
        let mut dedupe = DedupeWindow::new(100);
        dedupe.insert(&"".into(), UserIdx::new(0));
        dedupe.insert(&17.into(), UserIdx::new(self.n_users - 1));
        for key in 0..10 {
            dedupe.insert(&format!("key-{key}").into(), UserIdx::new(key % self.n_users));
        }
        dedupe
    }

    /// A padded row of about the size that vectors have.
    fn row(self, random: &mut SplitMix64) -> AlignedVec {
        let mut row = AlignedVec::zeros(stride_of(self.n_factors));
        for value in &mut row[..self.n_factors] {
            *value = crate::kernel::rounded(random.uniform() - 0.5);
        }
        row
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is one")]
fn below(share: f64, n: u32) -> u32 {
    (share * f64::from(n)) as u32
}
