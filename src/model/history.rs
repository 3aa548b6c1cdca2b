//! A user's weighted history: one cell an item.

use super::weighing::Decay;
use crate::kernel::prefetch;
use crate::types::{DayPart, ItemIdx, Signal, Timestamp};

/// Half-lives the sums of a history may run ahead of its landmark before it is moved: 2^40 times a
/// confidence of 1e9 and any sum of such is still far from the end of `f32`.
const MAX_HALF_LIVES_AHEAD: f64 = 40.0;

/// No sum of a cell comes near: thousands of millions of the heaviest events, at the farthest from the landmark.
const MAX_SUM: f32 = 1e34;

/// Cells that a history may have room for beyond a quarter more than its own, so that few of them move the others.
const SPARE_CELLS: usize = 4;

/// What one user did with one item. Sums are kept at the history's landmark (forward decay).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    item: ItemIdx,
    events: u32,
    weighted_preference: f32,
    confidence: f32,
    last_seen: Timestamp,
    day_parts: [u8; DayPart::COUNT],
}

impl Cell {
    fn new(item: ItemIdx) -> Self {
        Self {
            item,
            events: 0,
            weighted_preference: 0.0,
            confidence: 0.0,
            last_seen: Timestamp::from_unix_ms(i64::MIN),
            day_parts: [0; DayPart::COUNT],
        }
    }

    pub(crate) fn item(&self) -> ItemIdx {
        self.item
    }

    pub(crate) fn events(&self) -> u32 {
        self.events
    }

    /// Σ c·p.
    pub(crate) fn weighted_preference(&self) -> f32 {
        self.weighted_preference
    }

    /// Σ c.
    pub(crate) fn confidence(&self) -> f32 {
        self.confidence
    }

    /// The latest event.
    pub(crate) fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    /// How often in each part of the day.
    pub(crate) fn day_parts(&self) -> [u8; DayPart::COUNT] {
        self.day_parts
    }

    /// The cell that a store has kept, if it can be one: see [`is_sound`](Self::is_sound).
    pub(crate) fn from_parts(parts: CellParts) -> Option<Self> {
        let CellParts { item, events, weighted_preference, confidence, last_seen, day_parts } = parts;
        let cell = Self { item, events, weighted_preference, confidence, last_seen, day_parts };
        cell.is_sound().then_some(cell)
    }

    /// What is true of every cell: it has an event, its sums are far from the end of `f32`, and its confidence is not below 0.
    pub(crate) fn is_sound(&self) -> bool {
        // `contains` is false for NaN.
        self.events > 0
            && (0.0..=MAX_SUM).contains(&self.confidence)
            && self.weighted_preference.abs() <= MAX_SUM
    }

    fn add(&mut self, fact: Fact, weight: f32) {
        self.events = self.events.saturating_add(1);
        // The weighted confidence first: where that underflows to 0 there is no preference either.
        let confidence = fact.signal.confidence() * weight;
        self.confidence += confidence;
        self.weighted_preference += confidence * fact.signal.preference();
        self.last_seen = self.last_seen.max(fact.at);
        let part = fact.day_part.index();
        if self.day_parts[part] == u8::MAX {
            // Halving all keeps the shape of the histogram.
            for count in &mut self.day_parts {
                *count /= 2;
            }
        }
        self.day_parts[part] += 1;
    }

    /// Adds what another cell of the same item holds, its sums times `factor`.
    fn absorb(&mut self, other: &Self, factor: f32) {
        self.events = self.events.saturating_add(other.events);
        let confidence = other.confidence * factor;
        self.confidence += confidence;
        if confidence > 0.0 {
            self.weighted_preference += other.weighted_preference * factor;
        }
        self.last_seen = self.last_seen.max(other.last_seen);
        let overflows = |(a, b): (&u8, &u8)| a.checked_add(*b).is_none();
        let halve = self.day_parts.iter().zip(&other.day_parts).any(overflows);
        for (count, more) in self.day_parts.iter_mut().zip(other.day_parts) {
            *count = if halve { *count / 2 + more / 2 } else { *count + more };
        }
    }

    /// Subtraction and rescaling leave dust. A confidence below zero would make the solver's root NaN, and
    /// where no confidence is left there is no preference either.
    fn sweep_dust(&mut self) {
        self.confidence = self.confidence.max(0.0);
        if self.confidence == 0.0 {
            self.weighted_preference = 0.0;
        }
    }

    /// Takes one event out; the caller drops the cell when the last one goes.
    fn subtract(&mut self, fact: Fact, weight: f32) {
        self.events -= 1;
        let confidence = fact.signal.confidence() * weight;
        self.confidence -= confidence;
        self.weighted_preference -= confidence * fact.signal.preference();
        self.sweep_dust();
        let part = fact.day_part.index();
        self.day_parts[part] = self.day_parts[part].saturating_sub(1);
    }
}

/// What a [`Cell`] is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellParts {
    pub(crate) item: ItemIdx,
    pub(crate) events: u32,
    pub(crate) weighted_preference: f32,
    pub(crate) confidence: f32,
    pub(crate) last_seen: Timestamp,
    pub(crate) day_parts: [u8; DayPart::COUNT],
}

/// One event as a history sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fact {
    pub(crate) item: ItemIdx,
    pub(crate) at: Timestamp,
    pub(crate) signal: Signal,
    pub(crate) day_part: DayPart,
}

/// All of a user's cells, in order of item.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct History {
    landmark: Timestamp,
    cells: Vec<Cell>,
}

impl History {
    /// The history that a store has kept; `None` unless the cells are in order of item, one an item.
    pub(crate) fn from_parts(landmark: Timestamp, cells: Vec<Cell>) -> Option<Self> {
        let in_order = cells.is_sorted_by(|a, b| a.item < b.item);
        in_order.then_some(Self { landmark, cells })
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The moment at which an event weighs 1.
    pub(crate) fn landmark(&self) -> Timestamp {
        self.landmark
    }

    pub(crate) fn cell(&self, item: ItemIdx) -> Option<&Cell> {
        self.position(item).ok().map(|at| &self.cells[at])
    }

    /// Adds one event; says whether it made a new cell.
    pub(super) fn add(&mut self, fact: Fact, decay: Decay) -> bool {
        if self.cells.is_empty() {
            self.landmark = fact.at;
        } else if decay.half_lives(self.landmark, fact.at) > MAX_HALF_LIVES_AHEAD {
            self.move_landmark(fact.at, decay);
        }
        let weight = decay.weight(self.landmark, fact.at);
        match self.position(fact.item) {
            Ok(at) => {
                self.cells[at].add(fact, weight);
                false
            }
            Err(at) => {
                let mut cell = Cell::new(fact.item);
                cell.add(fact, weight);
                if self.cells.len() == self.cells.capacity() {
                    // Not what `insert` does, which doubles.
                    self.cells.reserve_exact(self.cells.len() / 4 + SPARE_CELLS);
                }
                self.cells.insert(at, cell);
                true
            }
        }
    }

    /// Takes out an event that was added before; `others` are the remaining events of its cell as far as
    /// they are still at hand. Says whether the cell is gone.
    ///
    /// If all the others are at hand the cell is summed anew from them, so without decay the result is bit
    /// for bit what it would be had the event never been; else the event is subtracted, and the time of the
    /// latest event stays as it was, since what came before is no longer known.
    pub(super) fn remove(
        &mut self,
        fact: Fact,
        others: impl Iterator<Item = Fact> + Clone,
        decay: Decay,
    ) -> bool {
        let Ok(at) = self.position(fact.item) else { return false };
        if self.cells[at].events <= 1 {
            self.cells.remove(at);
            return true;
        }
        if others.clone().count() + 1 == self.cells[at].events as usize {
            let mut cell = Cell::new(fact.item);
            for other in others {
                cell.add(other, decay.weight(self.landmark, other.at));
            }
            self.cells[at] = cell;
        } else {
            self.cells[at].subtract(fact, decay.weight(self.landmark, fact.at));
        }
        false
    }

    /// Adds all that another history holds; gives the items of which there was no cell before.
    pub(super) fn absorb(&mut self, other: &Self, decay: Decay) -> Vec<ItemIdx> {
        if self.cells.is_empty() {
            self.landmark = other.landmark;
        } else if other.landmark > self.landmark {
            self.move_landmark(other.landmark, decay);
        }
        let factor = decay.weight(self.landmark, other.landmark);
        let mut new = Vec::new();
        for theirs in &other.cells {
            match self.position(theirs.item) {
                Ok(at) => self.cells[at].absorb(theirs, factor),
                Err(at) => {
                    let mut cell = Cell::new(theirs.item);
                    cell.absorb(theirs, factor);
                    self.cells.insert(at, cell);
                    new.push(theirs.item);
                }
            }
        }
        new
    }

    /// Drops the cell of an item.
    pub(super) fn forget_item(&mut self, item: ItemIdx) {
        if let Ok(at) = self.position(item) {
            self.cells.remove(at);
        }
    }

    /// Drops the cell with the least confidence, other than that of `keep`; ties go to the lower item.
    pub(super) fn evict_lightest(&mut self, keep: Option<ItemIdx>) -> Option<Cell> {
        let candidates = self.cells.iter().enumerate().filter(|(_, cell)| Some(cell.item) != keep);
        let (at, _) = candidates.min_by(|(_, a), (_, b)| a.confidence.total_cmp(&b.confidence))?;
        Some(self.cells.remove(at))
    }

    /// Asks memory for the cells, which will be read soon.
    pub(crate) fn prefetch(&self) {
        prefetch(&self.cells);
    }

    /// Gives memory back before the history is published, if much is left over.
    pub(super) fn shrink(&mut self) {
        if self.cells.capacity() > self.cells.len() + self.cells.len() / 2 + 2 * SPARE_CELLS {
            self.cells.shrink_to(self.cells.len() + SPARE_CELLS);
        }
    }

    fn position(&self, item: ItemIdx) -> Result<usize, usize> {
        self.cells.binary_search_by_key(&item, |cell| cell.item)
    }

    fn move_landmark(&mut self, to: Timestamp, decay: Decay) {
        let factor = decay.weight(to, self.landmark);
        for cell in &mut self.cells {
            cell.confidence *= factor;
            cell.weighted_preference *= factor;
            cell.sweep_dust();
        }
        self.landmark = to;
    }
}
