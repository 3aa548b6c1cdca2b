use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::als::AlsParams;
use crate::journal::record::{EventRecord, ForeignPart, Record};
use crate::model::{Decay, LearningSettings, Saturation, Solve, Weighing};
use crate::storage::bytes::DecodeError;
use crate::types::{Context, Event, GenerationId, ItemId, Signal, Timestamp, UserId, UtcOffset};

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_record(&mut bytes, record);
    bytes
}

/// Ids of all forms: numbers, short texts, texts as long as they may be.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        "[a-z0-9-]{1,13}",
        "\\PC{1,20}",
        Just("x".repeat(256))
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_ms)
}

fn context() -> impl Strategy<Value = Context> {
    let name = || proptest::option::of("\\PC{0,20}");
    (proptest::option::of(-1_440_i16..=1_440), name(), name(), name()).prop_map(
        |(minutes, activity, device, session)| {
            let mut context = Context::new();
            context.utc_offset =
                minutes.map(|minutes| UtcOffset::from_minutes(minutes).expect("a day at most"));
            context.activity = activity.map(Into::into);
            context.device = device.map(Into::into);
            context.session = session.map(Into::into);
            context
        },
    )
}

fn action_on(kind: u8, user: String, item: String, name: String) -> Event {
    match kind {
        0 => Event::listen(user, item),
        1 => Event::skip(user, item),
        2 => Event::like(user, item),
        3 => Event::dislike(user, item),
        4 => Event::save(user, item),
        _ => Event::custom(user, item, name),
    }
}

fn event() -> impl Strategy<Value = EventRecord> {
    let played = prop_oneof![
        Just(None),
        (0.0_f32..=1e30).prop_map(|fraction| Some(Err(fraction))),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Some(Ok(Duration::new(s, n)))),
    ];
    let signal = proptest::option::of((prop_oneof![Just(1.0_f32), -16.0_f32..=16.0], 0.0_f32..=1e9));
    let facts = (0..6_u8, any::<bool>(), id(), id(), "\\PC{0,20}", played, signal);
    let extras = (time(), any::<bool>(), proptest::option::of(context()), proptest::option::of(id()));
    (facts, extras, any::<bool>()).prop_map(|(facts, (at, given, context, key), now)| {
        let (kind, undo, user, item, name, played, signal) = facts;
        let mut event = action_on(kind, user, item, name);
        event = if undo { Event::undo(event) } else { event };
        event = match played {
            None => event,
            Some(Err(fraction)) => event.fraction(fraction),
            Some(Ok(time)) => event.played(time),
        };
        event = if given { event.at(at) } else { event };
        event = context.into_iter().fold(event, Event::context);
        event = key.into_iter().fold(event, Event::key);
        let signal = signal.map(|(preference, confidence)| {
            Signal::new(preference, confidence).expect("the ranges are those of a signal")
        });
        EventRecord { event, at, signal, solve: if now { Solve::Now } else { Solve::OnRead } }
    })
}

fn settings() -> impl Strategy<Value = LearningSettings> {
    let als = (1..=1_024_usize, 1e-6_f32..=1e6, 0.0_f32..=1e6, 0.0_f32..=2.0, any::<u64>());
    let rest = (proptest::option::of(1..u64::MAX), any::<bool>(), any::<[u32; 3]>());
    (als, rest).prop_map(|((n_factors, regularization, unobserved, exponent, seed), rest)| {
        let (half_life, log, [max_history, recent_events, dedupe_window]) = rest;
        let als = AlsParams::builder()
            .n_factors(n_factors)
            .regularization(regularization)
            .unobserved_weight(unobserved)
            .frequency_exponent(exponent)
            .seed(seed)
            .build()
            .expect("the ranges are those of the builder");
        LearningSettings {
            als,
            weighing: Weighing {
                decay: Decay::new(half_life.map(Duration::from_nanos)),
                saturation: if log { Saturation::Log } else { Saturation::None },
            },
            max_history: max_history as usize,
            recent_events: recent_events as usize,
            dedupe_window: dedupe_window as usize,
        }
    })
}

/// Rows of one side of a model from elsewhere.
fn foreign<I: Clone + std::fmt::Debug>(of: fn(String) -> I) -> impl Strategy<Value = ForeignPart<I>> {
    let rows = (any::<u64>(), 1..=20_usize, proptest::collection::vec(id().prop_map(of), 0..20));
    rows.prop_flat_map(|(from, n_factors, ids)| {
        let values = proptest::collection::vec(-1e30_f32..=1e30, ids.len() * n_factors);
        (Just((from, n_factors, ids)), values)
    })
    .prop_map(|((from, n_factors, ids), values)| ForeignPart { from, n_factors, ids, values })
}

/// Records of every kind, events most often.
pub(in crate::journal) fn record() -> impl Strategy<Value = Record> {
    let user = || id().prop_map(UserId::from);
    prop_oneof![
        6 => event().prop_map(Record::Event),
        1 => proptest::collection::vec(id().prop_map(ItemId::from), 0..20).prop_map(Record::AddItems),
        1 => user().prop_map(Record::ForgetUser),
        1 => id().prop_map(|item| Record::ForgetItem(item.into())),
        1 => (user(), user()).prop_map(|(from, into)| Record::MergeUsers { from, into }),
        1 => ("\\PC{1,40}", any::<u64>())
            .prop_map(|(source, offset)| Record::SourceOffset { source, offset }),
        1 => ("\\PC{1,40}", any::<u64>()).prop_map(|(source, offset)| Record::SourceStep { source, offset }),
        1 => settings().prop_map(Record::Settings),
        1 => time().prop_map(Record::Time),
        1 => Just(Record::ItemBatch),
        1 => Just(Record::ItemPart),
        1 => foreign(ItemId::from).prop_map(Record::ForeignItems),
        1 => foreign(UserId::from).prop_map(Record::ForeignUsers),
        1 => (time(), time(), any::<u32>())
            .prop_map(|(as_of, at, n_sweeps)| Record::Freeze { as_of, at, n_sweeps }),
        1 => any::<u64>().prop_map(|raw| Record::Published { generation: GenerationId::from_raw(raw) }),
        1 => "\\PC{0,40}".prop_map(|reason| Record::NotPublished { reason }),
        1 => Just(Record::Settled),
        1 => any::<u64>().prop_map(|through| Record::Synced { through }),
    ]
}

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(record in record()) {
        prop_assert_eq!(take_record(&encoded(&record)), Ok(record));
    }

    #[test]
    fn no_front_part_of_a_record_is_a_record(record in record(), cut: proptest::sample::Index) {
        let bytes = encoded(&record);
        prop_assert!(take_record(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(kind in 0..20_u8, rest: Vec<u8>) {
        let _ = take_record(&[&[kind], &rest[..]].concat());
    }

    #[test]
    fn no_damage_makes_it_panic(record in record(), at: proptest::sample::Index, to: u8) {
        let mut bytes = encoded(&record);
        let at = at.index(bytes.len());
        bytes[at] = to;
        // Whatever it is taken for is a record like any other.
        if let Ok(other) = take_record(&bytes) {
            prop_assert!(take_record(&encoded(&other)).is_ok());
        }
    }
}

#[test]
fn an_event_with_two_short_texts_stays_short() {
    let mut bytes = Vec::new();
    let event = Event::listen("user-00000001", "item-00000001").fraction(0.97);
    let at = Timestamp::from_unix_seconds(1_700_000_000);
    let signal = Signal::positive(0.97).expect("a usable signal");
    put_event(&mut bytes, &event, at, Some(signal), Solve::Now);
    assert_eq!(bytes.len(), 45);
}

#[test]
fn values_out_of_range_are_refused() {
    let refused = |payload: &[u8]| take_record(payload).expect_err("it cannot be");
    assert_eq!(refused(&[]), DecodeError::Truncated);
    assert_eq!(refused(&[99]), DecodeError::Invalid("the kind of a record"));
    assert_eq!(refused(&[kind::SETTLED, 0]), DecodeError::Trailing);
    // An empty id, one of 257 bytes, and a number written as a text.
    assert_eq!(refused(&[kind::FORGET_USER, 1]), DecodeError::Invalid("a user id"));
    let long = [&[kind::FORGET_USER, 0x82, 0x02][..], &[b'x'; 257]].concat();
    assert_eq!(refused(&long), DecodeError::Invalid("the length of an id"));
    assert_eq!(refused(&[kind::FORGET_ITEM, 2, b'7']), DecodeError::Invalid("an item id"));
    // Nothing is allocated for a million items that are not there.
    assert_eq!(refused(&[kind::ADD_ITEMS, 0xc0, 0x84, 0x3d]), DecodeError::Truncated);

    // Nor for a million rows of a thousand factors; none has no factors at all, and all are finite.
    let foreign = |rest: &[u8]| refused(&[&[kind::FOREIGN_ITEMS, 0][..], rest].concat());
    assert_eq!(foreign(&[0x80, 0x08, 0xc0, 0x84, 0x3d]), DecodeError::Truncated);
    assert_eq!(foreign(&[0, 1, 0, 1]), DecodeError::Invalid("the length of a row"));
    assert_eq!(foreign(&[0x81, 0x08, 0]), DecodeError::Invalid("the length of a row"));
    let infinite = f32::INFINITY.to_le_bytes();
    assert_eq!(
        foreign(&[&[1, 1, 0, 7][..], &infinite].concat()),
        DecodeError::Invalid("an element of a row")
    );

    let event = |flags: u8, rest: &[u8]| {
        // Listener 1, item 2, at 0.
        [&[kind::EVENT, flags, action::LISTEN, 0, 1, 0, 2, 0][..], rest].concat()
    };
    let nan = f32::NAN.to_le_bytes();
    assert!(take_record(&event(0, &[])).is_ok());
    assert_eq!(refused(&event(event_flag::HAS_SIGNAL, &nan)), DecodeError::Invalid("a signal"));
    assert_eq!(refused(&event(event_flag::PLAYED_FRACTION, &nan)), DecodeError::Invalid("a played fraction"));
    let too_many_nanos = [0, 0x80, 0x94, 0xeb, 0xdc, 0x03];
    assert_eq!(
        refused(&event(event_flag::PLAYED_TIME, &too_many_nanos)),
        DecodeError::Invalid("a played time")
    );
    let two_days_east = [extra_flag::UTC_OFFSET, 0x80, 0x2d];
    assert_eq!(
        refused(&event(event_flag::HAS_EXTRAS, &two_days_east)),
        DecodeError::Invalid("an offset from UTC")
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let good = |n_factors: u8, half_life: f64| {
        let mut bytes = vec![kind::SETTINGS, n_factors];
        for value in [0.1_f32, 0.2, 1.0] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(7_u64.to_le_bytes());
        bytes.push(1);
        bytes.extend(half_life.to_le_bytes());
        bytes.extend([saturation::LOG, 10, 10, 10]);
        bytes
    };
    assert!(take_record(&good(64, 1e9)).is_ok());
    assert_eq!(take_record(&good(0, 1e9)), Err(DecodeError::Invalid("a setting of the objective")));
    for half_life in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(take_record(&good(64, half_life)), Err(DecodeError::Invalid("a half-life")));
    }
}

/// One record of each kind, with its bytes. If this fails, journals that were written before can no longer be read, or no longer
/// mean the same: raise the version.
#[test]
fn each_kind_has_the_bytes_it_always_had() {
    let at = Timestamp::from_unix_ms(1);
    let event = |event: Event, signal| Record::Event(EventRecord { event, at, signal, solve: Solve::Now });
    let context = Context::new()
        .utc_offset(UtcOffset::from_minutes(-90).expect("within a day"))
        .activity("run")
        .device("ear")
        .session("s");
    let full = Event::custom("ana", 300_u64, "queued").at(at).fraction(0.5).context(context).key("k");
    let signal = Signal::new(-0.5, 2.0).expect("in range");
    let als = AlsParams::builder().n_factors(3).seed(7).build().expect("in range");
    let settings = LearningSettings {
        als,
        weighing: Weighing { decay: Decay::new(Some(Duration::from_millis(5))), saturation: Saturation::Log },
        max_history: 4_096,
        recent_events: 64,
        dedupe_window: 0,
    };
    let rows = ForeignPart { from: 0, n_factors: 2, ids: vec![ItemId::from("a")], values: vec![1.0, -2.0] };
    let users = ForeignPart { from: 1, n_factors: 1, ids: vec![UserId::from(5)], values: vec![0.5] };
    for (record, expected) in [
        (
            event(Event::listen("ana", 3), Some(Signal::positive(1.0).expect("in range"))),
            "010a0004616e610003020000803f",
        ),
        (
            event(full, Some(signal)),
            "015f050671756575656404616e6100ac02020000003f000000bf000000401fb3010372756e036561720173026b",
        ),
        (event(Event::undo(Event::like(1, "b")), None), "0108820001026202"),
        (Record::AddItems(vec!["a".into(), 200_u64.into()]), "0202026100c801"),
        (Record::ForgetUser("ana".into()), "0304616e61"),
        (Record::ForgetItem(7.into()), "040007"),
        (Record::MergeUsers { from: "a".into(), into: "b".into() }, "0502610262"),
        (Record::SourceOffset { source: "feed".to_owned(), offset: 300 }, "060466656564ac02"),
        (
            Record::Settings(settings),
            "0703a69b443bcdcc4c3e0000803f07000000000000000100000000000014400180204000",
        ),
        (Record::Time(Timestamp::from_unix_ms(-1)), "0801"),
        (Record::ItemBatch, "09"),
        (Record::ItemPart, "0a"),
        (Record::Freeze { as_of: at, at, n_sweeps: 2 }, "0b020202"),
        (Record::Published { generation: GenerationId::from_raw(1) }, "0c01"),
        (Record::NotPublished { reason: "why".to_owned() }, "0d03776879"),
        (Record::Settled, "0e"),
        (Record::Synced { through: 128 }, "0f8001"),
        (Record::SourceStep { source: "feed".to_owned(), offset: 1 }, "10046665656401"),
        (Record::ForeignItems(rows), "1100020102610000803f000000c0"),
        (Record::ForeignUsers(users), "1201010100050000003f"),
    ] {
        let hex: Vec<String> = encoded(&record).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), expected, "{record:?}");
        assert_eq!(take_record(&encoded(&record)).expect("its own"), record);
    }
}
