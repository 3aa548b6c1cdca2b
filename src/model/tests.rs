//! Histories against a naive model that keeps every event.

use std::time::Duration;

use proptest::prelude::*;

use super::{ActionNames, Decay, Fact, RawEvent, UserLimits, UserState};
use crate::types::{ActionKind, DayPart, ItemIdx, Signal, Timestamp, UtcOffset};

const LIMITS: UserLimits = UserLimits { max_history: 1_000, recent_events: 64 };
const HOUR: Duration = Duration::from_secs(3_600);

fn fact(item: u32, hours: i64, preference: f32, confidence: f32) -> Fact {
    let at = Timestamp::from_unix_seconds(hours * 3_600);
    Fact {
        item: ItemIdx::new(item),
        at,
        signal: Signal::new(preference, confidence).expect("in range"),
        day_part: DayPart::of(at, UtcOffset::default()),
    }
}

fn listen(fact: Fact) -> RawEvent {
    let action = ActionNames::default().code(&ActionKind::Listen).expect("built in");
    RawEvent::new(fact, action, false)
}

fn state_of(facts: &[Fact], limits: UserLimits, decay: Decay) -> UserState {
    let mut state = UserState::default();
    for &fact in facts {
        state.add(listen(fact), limits, decay);
    }
    state
}

fn facts(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Fact>> {
    let one = (
        0..6_u32,
        0..5_000_i64,
        -2.0..2.0_f32,
        prop_oneof![Just(0.0), 0.0..10.0_f32, Just(1e9), Just(1e-30)],
    )
        .prop_map(|(item, hours, preference, confidence)| fact(item, hours, preference, confidence));
    proptest::collection::vec(one, n)
}

proptest! {
    #[test]
    fn without_decay_an_undone_event_has_never_been(events in facts(1..40), undo in 0..6_u32) {
        let decay = Decay::new(None);
        let mut state = state_of(&events, LIMITS, decay);
        let action = listen(events[0]).action();
        let undone = state.undo(ItemIdx::new(undo), action, decay);
        let mut rest = events.clone();
        if let Some(at) = events.iter().rposition(|event| event.item.get() == undo) {
            prop_assert_eq!(undone.expect("there is one").0, rest.remove(at));
        } else {
            prop_assert!(undone.is_none());
        }
        let expected = state_of(&rest, LIMITS, decay);
        prop_assert_eq!(state.history.cells(), expected.history.cells());
    }

    #[test]
    fn no_dust_is_left_by_undo_and_decay(events in facts(1..120), short_ring in any::<bool>()) {
        // A ring of three makes most undos subtract from a cell whose events are no longer at hand.
        let limits = UserLimits { recent_events: if short_ring { 3 } else { 64 }, ..LIMITS };
        let decay = Decay::new(Some(24 * HOUR));
        let mut state = state_of(&events, limits, decay);
        let action = listen(events[0]).action();
        for item in (0..6).cycle().take(400) {
            state.undo(ItemIdx::new(item), action, decay);
            for cell in state.history.cells() {
                prop_assert!(cell.events() > 0);
                prop_assert!(cell.confidence() >= 0.0 && cell.confidence().is_finite());
                prop_assert!(cell.confidence() > 0.0 || cell.weighted_preference() == 0.0);
            }
        }
        let left: u32 = state.history.cells().iter().map(super::Cell::events).sum();
        let at_hand = if short_ring { 3 } else { 64 };
        prop_assert_eq!(left as usize, events.len().saturating_sub(at_hand));
    }

    #[test]
    fn forward_decay_gives_what_decaying_every_event_gives(events in facts(1..60), half_life_hours in 1..2_000_u32) {
        let half_life = half_life_hours * HOUR;
        let decay = Decay::new(Some(half_life));
        let state = state_of(&events, LIMITS, decay);
        let now = events.iter().map(|event| event.at).max().expect("not empty");
        let factor = decay.weight(now, state.history.landmark());
        for item in 0..6 {
            let naive: f64 = events
                .iter()
                .filter(|event| event.item.get() == item)
                .map(|event| {
                    let age = now.saturating_since(event.at).as_secs_f64() / half_life.as_secs_f64();
                    f64::from(event.signal.confidence()) * (-age).exp2()
                })
                .sum();
            let kept = state.history.cell(ItemIdx::new(item)).map_or(0.0, |cell| f64::from(cell.confidence() * factor));
            // Sixty roundings of f32, whose least numbers are nothing beside any confidence.
            prop_assert!((kept - naive).abs() <= 1e-5 * naive + 1e-20, "item {}: {} for {}", item, kept, naive);
        }
    }
}

#[test]
fn a_full_history_drops_its_lightest_cell_but_never_the_new_one() {
    let limits = UserLimits { max_history: 2, recent_events: 64 };
    let decay = Decay::new(None);
    let mut state = state_of(&[fact(1, 0, 1.0, 5.0), fact(2, 0, 1.0, 3.0)], limits, decay);
    let change = state.add(listen(fact(3, 1, 1.0, 0.1)), limits, decay);
    assert!(change.new_cell);
    assert_eq!(change.evicted, Some(ItemIdx::new(2)));
    let kept: Vec<_> = state.history.cells().iter().map(|cell| cell.item().get()).collect();
    assert_eq!(kept, [1, 3]);
    let action = listen(fact(2, 0, 1.0, 3.0)).action();
    assert!(state.undo(ItemIdx::new(2), action, decay).is_none(), "what was dropped cannot be taken back");
}

#[test]
fn a_like_can_be_taken_back_however_long_ago_it_was() {
    let decay = Decay::new(None);
    let like = ActionNames::default().code(&ActionKind::Like).expect("built in");
    let mut state = UserState::default();
    state.add(RawEvent::new(fact(7, 0, 1.0, 3.0), like, true), LIMITS, decay);
    for hour in 0..500 {
        state.add(listen(fact(1, hour, 1.0, 1.0)), LIMITS, decay);
    }
    let (undone, change) = state.undo(ItemIdx::new(7), like, decay).expect("it still stands");
    assert_eq!(undone, fact(7, 0, 1.0, 3.0));
    assert!(change.cell_gone && state.history.cell(ItemIdx::new(7)).is_none());
}

#[test]
fn a_cell_and_a_raw_event_have_the_sizes_that_the_readme_states() {
    assert_eq!((size_of::<super::Cell>(), size_of::<RawEvent>()), (32, 24));
}
