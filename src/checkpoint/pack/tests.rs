//! Rows at the ends of what they can hold.

use proptest::prelude::*;

use super::history::{put_history, take_history};
use super::ids::{put_id, take_id};
use super::recent::{put_recent, take_recent};
use super::{UserContext, take_item, take_user};
use crate::model::{ActionNames, Cell, CellParts, Fact, History, RawEvent, Recent};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{ActionKind, DayPart, EventSeq, GenerationId, ItemIdx, Signal, Timestamp, UserId};

const N_ITEMS: u32 = u32::MAX;

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), 1_600_000_000_000_i64..1_700_000_000_000]
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let sums = prop_oneof![(0.0..100.0_f32).prop_map(|sum| (sum, sum)), (-1e34..1e34_f32, 0.0..1e34_f32)];
    let parts = prop_oneof![
        any::<[u8; 8]>(),
        (0..8_usize, any::<u8>()).prop_map(|(part, count)| {
            let mut parts = [0; 8];
            parts[part] = count;
            parts
        })
    ];
    let item = prop_oneof![0..200_u32, 0..N_ITEMS, Just(N_ITEMS - 1)];
    let events = prop_oneof![1..12_u32, 1..300_u32, 1..=u32::MAX];
    let cell =
        (item, events, sums, times(), parts).prop_map(|(item, events, sums, at, day_parts)| CellParts {
            item: ItemIdx::new(item),
            events,
            weighted_preference: sums.0,
            confidence: sums.1.abs(),
            last_seen: Timestamp::from_unix_ms(at),
            day_parts,
        });
    proptest::collection::vec(cell, 0..20).prop_map(|mut cells| {
        cells.sort_by_key(|parts| parts.item);
        cells.dedup_by_key(|parts| parts.item);
        cells.into_iter().map(|parts| Cell::from_parts(parts).expect("sound")).collect()
    })
}

fn events() -> impl Strategy<Value = Vec<RawEvent>> {
    let event = (0..40_u32, times(), -2..=2_i8, 0.0..2.0_f32, 0..8_u8, 0..8_usize, any::<bool>());
    let event = event.prop_map(|(item, at, preference, confidence, part, action, is_statement)| {
        let fact = Fact {
            item: ItemIdx::new(item),
            at: Timestamp::from_unix_ms(at),
            signal: Signal::new(f32::from(preference), confidence.floor()).expect("in range"),
            day_part: DayPart::new(part).expect("in range"),
        };
        let action = actions().code_of_number(u16::try_from(action).expect("small")).expect("in range");
        RawEvent::new(fact, action, is_statement)
    });
    proptest::collection::vec(event, 0..20)
}

fn actions() -> ActionNames {
    let mut actions = ActionNames::default();
    for name in ["a", "b", "c"] {
        actions.code(&ActionKind::Custom(name.into())).expect("there is room");
    }
    actions
}

proptest! {
    #[test]
    fn any_history_and_its_events_come_back(
        cells in cells(),
        landmark in times(),
        ring in events(),
        standing in events(),
    ) {
        let landmark = Timestamp::from_unix_ms(landmark);
        let history = History::from_parts(landmark, cells).expect("in order");
        let recent = Recent::from_parts(ring, standing);
        let mut bytes = Vec::new();
        let latest = put_history(&mut bytes, &history);
        put_recent(&mut bytes, &recent, history.cells(), latest);
        let mut taken = TakeBytes::new(&bytes);
        let (same, latest) = take_history(&mut taken, N_ITEMS).expect("it was just put");
        prop_assert_eq!(&same, &history);
        let same = take_recent(&mut taken, history.cells(), latest, (&actions(), N_ITEMS)).expect("it was just put");
        prop_assert_eq!(same, recent);
        prop_assert_eq!(taken.end(), Ok(()));
    }

    #[test]
    fn no_bytes_make_taking_panic(bytes in proptest::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..80)) {
        let actions = actions();
        let context = UserContext {
            actions: &actions,
            n_items: 5,
            n_factors: 2,
            generation: Some(GenerationId::ZERO),
            seq: EventSeq::from_raw(9),
        };
        drop(take_user(&mut TakeBytes::new(&bytes), context));
        drop(take_item(&mut TakeBytes::new(&bytes)));
    }
}

#[test]
fn ids_that_could_not_have_been_written_are_refused() {
    let taken = |bytes: &[u8]| take_id::<UserId>(&mut TakeBytes::new(bytes));
    let text = |text: &str| {
        let mut bytes = Vec::new();
        bytes.put_varint(text.len() as u64 + 2);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    assert_eq!(taken(&text("ana")), Ok(Some("ana".into())));
    assert_eq!(taken(&text(&"x".repeat(256))), Ok(Some("x".repeat(256).into())));
    assert_eq!(taken(&text(&"x".repeat(257))), Err(DecodeError::Overlong));
    assert_eq!(taken(&text("42")), Err(DecodeError::Invalid("an id")));
    assert_eq!(taken(&[4, 0xff, 0xfe]), Err(DecodeError::NotUtf8));
    assert_eq!(taken(&[4, b'a']), Err(DecodeError::Truncated));
    assert_eq!(taken(&[0]), Ok(None));
    let mut bytes = Vec::new();
    put_id(&mut bytes, Some(&UserId::from(42)));
    assert_eq!(taken(&bytes), Ok(Some(42.into())));
}

#[test]
fn a_count_is_held_against_the_bytes_that_are_left() {
    let mut bytes = vec![0, 0];
    bytes.put_varint(1 << 40);
    let taken = take_history(&mut TakeBytes::new(&bytes), 5);
    assert_eq!(taken.map(drop), Err(DecodeError::Truncated));
}
