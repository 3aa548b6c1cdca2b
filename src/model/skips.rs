//! How often an item, or a listen in some circumstances, is skipped by anybody.

use crate::types::{ActionKind, Context, DayPart, ItemIdx};

/// Devices fall into so many groups, by a hash: names may be personal, and nothing of theirs is to be kept.
const N_DEVICES: usize = 64;
/// No device and each group of devices, in each part of the day.
const N_CONTEXTS: usize = (N_DEVICES + 1) * DayPart::COUNT;

/// Once so many were counted, both counts are halved: a rate follows the times, and no count overflows.
const FULL: u32 = 1 << 20;

/// Events that an item's or a context's own rate needs to count half beside the overall rate.
const OVERALL_COUNTS: f32 = 20.0;
/// Events that the overall rate needs to count half beside a rate of 0: skips of a young world are taken at their word.
const NOTHING_COUNTS: f32 = 100.0;

/// Listens and skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SkipCount {
    pub(crate) listens: u32,
    pub(crate) skips: u32,
}

/// The share of events that are skips, where one is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct SkipRates {
    pub(crate) of_item: f32,
    pub(crate) of_context: f32,
}

/// Listens and skips of every item, and of circumstances: the part of the day and the device.
///
/// A pure function of the events learned, in their order. Memory: 8 bytes an item, and 4 KB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkipCounts {
    overall: SkipCount,
    /// May be shorter than there are items.
    items: Vec<SkipCount>,
    /// By device, and within one by part of the day.
    contexts: Vec<SkipCount>,
}

impl Default for SkipCounts {
    fn default() -> Self {
        Self {
            overall: SkipCount::default(),
            items: Vec::new(),
            contexts: vec![SkipCount::default(); N_CONTEXTS],
        }
    }
}

impl SkipCount {
    fn n(self) -> u32 {
        self.listens.saturating_add(self.skips)
    }

    fn add(&mut self, is_skip: bool) {
        if self.n() >= FULL {
            self.listens /= 2;
            self.skips /= 2;
        }
        *self.of(is_skip) += 1;
    }

    fn take_back(&mut self, is_skip: bool) {
        let count = self.of(is_skip);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, is_skip: bool) -> &mut u32 {
        if is_skip { &mut self.skips } else { &mut self.listens }
    }

    /// The share of skips, drawn to `rate` as by `weight` events of it.
    #[expect(clippy::cast_precision_loss, reason = "counts are at most 2^20")]
    fn rate(self, rate: f32, weight: f32) -> f32 {
        (self.skips as f32 + weight * rate) / (self.n() as f32 + weight)
    }

    /// What is true of every count.
    pub(crate) fn is_sound(self) -> bool {
        self.listens <= FULL && self.skips <= FULL
    }
}

impl SkipCounts {
    /// The rates of an item, `None` if it is new, and in some circumstances.
    pub(crate) fn rates(
        &self,
        item: Option<ItemIdx>,
        day_part: DayPart,
        context: Option<&Context>,
    ) -> SkipRates {
        let overall = self.overall.rate(0.0, NOTHING_COUNTS);
        let of_item = item.and_then(|item| self.items.get(item.index())).copied().unwrap_or_default();
        let of_context = self.contexts[place_of(day_part, context)];
        SkipRates {
            of_item: of_item.rate(overall, OVERALL_COUNTS),
            of_context: of_context.rate(overall, OVERALL_COUNTS),
        }
    }

    /// Counts an event; only listens and skips count.
    pub(crate) fn add(
        &mut self,
        item: ItemIdx,
        kind: &ActionKind,
        day_part: DayPart,
        context: Option<&Context>,
    ) {
        let Some(is_skip) = is_skip(kind) else { return };
        if self.items.len() <= item.index() {
            self.items.resize(item.index() + 1, SkipCount::default());
        }
        self.items[item.index()].add(is_skip);
        self.contexts[place_of(day_part, context)].add(is_skip);
        self.overall.add(is_skip);
    }

    /// Takes back an event that was counted in these circumstances.
    pub(crate) fn take_back(
        &mut self,
        item: ItemIdx,
        kind: &ActionKind,
        day_part: DayPart,
        context: Option<&Context>,
    ) {
        let Some(is_skip) = is_skip(kind) else { return };
        if let Some(count) = self.items.get_mut(item.index()) {
            count.take_back(is_skip);
        }
        self.contexts[place_of(day_part, context)].take_back(is_skip);
        self.overall.take_back(is_skip);
    }

    /// An item is forgotten.
    pub(crate) fn forget_item(&mut self, item: ItemIdx) {
        if let Some(count) = self.items.get_mut(item.index()) {
            *count = SkipCount::default();
        }
    }

    /// Whether nothing was ever counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.overall == SkipCount::default()
    }

    pub(crate) fn overall(&self) -> SkipCount {
        self.overall
    }

    /// By row; rows beyond the last have no counts.
    pub(crate) fn items(&self) -> &[SkipCount] {
        &self.items
    }

    pub(crate) fn contexts(&self) -> &[SkipCount] {
        &self.contexts
    }

    /// The counts that a store has kept; `None` if they cannot be.
    pub(crate) fn from_parts(
        overall: SkipCount,
        items: Vec<SkipCount>,
        contexts: Vec<SkipCount>,
    ) -> Option<Self> {
        let is_sound = contexts.len() == N_CONTEXTS
            && items.iter().chain(&contexts).chain([&overall]).all(|count| count.is_sound());
        is_sound.then_some(Self { overall, items, contexts })
    }
}

/// Where circumstances are counted.
fn place_of(day_part: DayPart, context: Option<&Context>) -> usize {
    let device = context.and_then(|context| context.device.as_ref());
    let group = device.map_or(0, |device| 1 + group_of(device.as_str()));
    group * DayPart::COUNT + day_part.index()
}

/// Fowler, Noll and Vo's hash, of 64 bits: what a store keeps goes by it, so it never changes.
fn group_of(name: &str) -> usize {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = name.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // Its high bits are the better mixed.
    usize::try_from((hash >> 32) % N_DEVICES as u64).expect("there are few groups")
}

/// `None` for what is neither a listen nor a skip.
fn is_skip(kind: &ActionKind) -> Option<bool> {
    match kind {
        ActionKind::Listen => Some(false),
        ActionKind::Skip => Some(true),
        ActionKind::Like | ActionKind::Dislike | ActionKind::Save | ActionKind::Custom(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(row: u32) -> ItemIdx {
        ItemIdx::new(row)
    }

    fn part(part: u8) -> DayPart {
        DayPart::new(part).expect("there are eight")
    }

    #[test]
    fn rates_are_drawn_to_the_overall_one() {
        let mut counts = SkipCounts::default();
        let car = Context::new().device("car");
        assert_eq!(counts.rates(Some(item(0)), part(0), None), SkipRates::default());
        for nth in 0..100 {
            let kind = if nth < 60 { ActionKind::Skip } else { ActionKind::Listen };
            counts.add(item(0), &kind, part(2), Some(&car));
        }
        for _ in 0..100 {
            counts.add(item(1), &ActionKind::Listen, part(2), None);
            counts.add(item(1), &ActionKind::Like, part(2), None);
        }
        // 60 of 200 and 100 that say nothing: 0.2.
        let near = |got: f32, expected: f32| assert!((got - expected).abs() < 1e-6, "{got} for {expected}");
        let rates = counts.rates(Some(item(0)), part(2), Some(&car));
        near(rates.of_item, (60.0 + 20.0 * 0.2) / 120.0);
        near(rates.of_context, (60.0 + 20.0 * 0.2) / 120.0);
        let rates = counts.rates(None, part(3), Some(&car));
        near(rates.of_item, 0.2);
        near(rates.of_context, 0.2);
        near(counts.rates(Some(item(1)), part(2), None).of_item, 4.0 / 120.0);
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut counts = SkipCounts::default();
        let car = Context::new().device("car");
        counts.add(item(3), &ActionKind::Listen, part(1), Some(&car));
        let before = counts.clone();
        counts.add(item(2), &ActionKind::Skip, part(1), Some(&car));
        counts.take_back(item(2), &ActionKind::Skip, part(1), Some(&car));
        assert_eq!(counts, before);
        counts.take_back(item(9), &ActionKind::Skip, part(1), None);
        counts.forget_item(item(3));
        assert_eq!(counts.items()[3], SkipCount::default());
    }

    #[test]
    fn however_many_devices_there_are_memory_stays() {
        let mut counts = SkipCounts::default();
        for nth in 0..1_000 {
            let context = Context::new().device(format!("device {nth}"));
            counts.add(item(0), &ActionKind::Skip, part(7), Some(&context));
        }
        assert_eq!(counts.contexts().len(), N_CONTEXTS);
        assert_eq!(counts.contexts().iter().map(|count| count.skips).sum::<u32>(), 1_000);
        assert_eq!(counts.contexts()[7], SkipCount::default(), "no device is none of them");
        let groups = ["phone", "car", "tv", "desktop", "watch"].map(group_of);
        assert_eq!(groups.iter().collect::<std::collections::HashSet<_>>().len(), groups.len());
    }

    #[test]
    fn a_full_count_is_halved_and_keeps_its_rate() {
        let mut count = SkipCount { listens: FULL / 4, skips: FULL / 4 * 3 };
        let before = count.rate(0.0, 0.0);
        count.add(true);
        assert_eq!(count, SkipCount { listens: FULL / 8, skips: FULL / 8 * 3 + 1 });
        assert!((count.rate(0.0, 0.0) - before).abs() < 1e-5 && count.is_sound());
    }

    #[test]
    fn parts_that_cannot_be_are_refused() {
        let good = SkipCounts::default();
        let (overall, contexts) = (good.overall(), || good.contexts().to_vec());
        assert!(SkipCounts::from_parts(overall, Vec::new(), contexts()).is_some());
        let too_much = SkipCount { listens: FULL + 1, skips: 0 };
        assert_eq!(SkipCounts::from_parts(overall, vec![too_much], contexts()), None);
        assert_eq!(SkipCounts::from_parts(too_much, Vec::new(), contexts()), None);
        assert_eq!(SkipCounts::from_parts(overall, Vec::new(), contexts()[1..].to_vec()), None);
    }
}
