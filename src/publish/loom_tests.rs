//! The publication protocol under a model checker: every interleaving, every permitted reordering.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_`.

use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use loom::sync::Arc;
use loom::thread;

use super::{Freeze, Published, Sequenced, Slot, VectorSource, Waited, Watermark, vector_source};
use crate::types::{EventSeq, GenerationId};

/// A user's state as far as the protocol sees it: the vector tells which generation it was folded into
/// and up to which event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    seq: EventSeq,
    vector: Vector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vector {
    generation: GenerationId,
    knows: EventSeq,
}

impl Sequenced for State {
    fn seq(&self) -> EventSeq {
        self.seq
    }
}

fn state(seq: u64, generation: u64) -> StdArc<State> {
    let seq = EventSeq::from_raw(seq);
    StdArc::new(State { seq, vector: Vector { generation: GenerationId::from_raw(generation), knows: seq } })
}

#[derive(Debug)]
struct Generation {
    id: GenerationId,
    frozen_at: EventSeq,
}

fn generation(id: u64, frozen_at: u64) -> StdArc<Generation> {
    StdArc::new(Generation { id: GenerationId::from_raw(id), frozen_at: EventSeq::from_raw(frozen_at) })
}

/// What a reader does: pins a generation, then loads the user and obeys the read rule.
fn read(current: &Published<Generation>, slot: &Slot<State>) -> (GenerationId, EventSeq, Vector) {
    let generation = current.load();
    let user = slot.load().expect("she was there from the start");
    let vector =
        match vector_source(Some(user.vector.generation), user.seq, generation.id, generation.frozen_at) {
            VectorSource::Folded => user.vector,
            VectorSource::Swept => Vector { generation: generation.id, knows: generation.frozen_at },
            VectorSource::Solve => Vector { generation: generation.id, knows: user.seq },
        };
    (generation.id, user.seq, vector)
}

#[test]
fn loom_a_waiter_is_never_forgotten_and_sees_what_it_waited_for() {
    loom::model(|| {
        let shared = Arc::new((Watermark::default(), Slot::<State>::default()));
        let writer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                drop(shared.1.replace(state(1, 1)));
                shared.0.advance(EventSeq::from_raw(1));
            }
        });
        assert_eq!(shared.0.wait_for(EventSeq::from_raw(1), Instant::now()), Waited::Reached);
        let seen = shared.1.load().expect("the event was published before the watermark moved");
        assert!(seen.seq >= EventSeq::from_raw(1));
        writer.join().expect("the writer ends");
    });
}

#[test]
fn loom_what_a_reader_holds_never_changes() {
    loom::model(|| {
        let slot = Arc::new(Slot::<State>::default());
        drop(slot.replace(state(1, 1)));
        let writer = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                for seq in [2, 3] {
                    let changed = slot.change(|value| *value = *state(seq, 1));
                    assert_eq!(changed, Some(()));
                }
            }
        });
        let held = slot.load().expect("she was there from the start");
        let seen = *held;
        writer.join().expect("the writer ends");
        assert_eq!(*held, seen);
        assert_eq!(slot.load(), Some(state(3, 1)));
    });
}

/// A thread that moves the watermark to event 1 and then closes it, as a writer does that stops.
fn advance_and_close(watermark: &Arc<Watermark>) -> thread::JoinHandle<()> {
    let watermark = Arc::clone(watermark);
    thread::spawn(move || {
        watermark.advance(EventSeq::from_raw(1));
        watermark.close();
    })
}

#[test]
fn loom_a_waiter_learns_that_the_watermark_was_closed() {
    loom::model(|| {
        let watermark = Arc::new(Watermark::default());
        let writer = advance_and_close(&watermark);
        let other = thread::spawn({
            let watermark = Arc::clone(&watermark);
            move || assert_eq!(watermark.wait_for(EventSeq::from_raw(1), Instant::now()), Waited::Reached)
        });
        assert_eq!(watermark.wait_for(EventSeq::from_raw(2), Instant::now()), Waited::Closed);
        other.join().expect("the other waiter ends");
        writer.join().expect("the writer ends");
    });
}

/// The task of a future: sleeps until it is woken. A lost wake-up shows as a deadlock.
struct Task {
    is_woken: loom::sync::Mutex<bool>,
    woken: loom::sync::Condvar,
}

impl Wake for Task {
    fn wake(self: StdArc<Self>) {
        *self.is_woken.lock().expect("loom does not poison") = true;
        self.woken.notify_one();
    }
}

/// What a future of event `seq` ends with.
fn block_on(watermark: &Watermark, seq: u64) -> Waited {
    let task =
        StdArc::new(Task { is_woken: loom::sync::Mutex::new(false), woken: loom::sync::Condvar::new() });
    let waker = Waker::from(StdArc::clone(&task));
    let mut ticket = None;
    loop {
        let polled =
            watermark.poll_for(EventSeq::from_raw(seq), &mut ticket, &mut Context::from_waker(&waker));
        if let Poll::Ready(waited) = polled {
            return waited;
        }
        let mut is_woken = task.is_woken.lock().expect("loom does not poison");
        while !*is_woken {
            is_woken = task.woken.wait(is_woken).expect("loom does not poison");
        }
        *is_woken = false;
    }
}

#[test]
fn loom_a_future_is_never_forgotten() {
    loom::model(|| {
        let watermark = Arc::new(Watermark::default());
        let writer = advance_and_close(&watermark);
        assert_eq!(block_on(&watermark, 1), Waited::Reached);
        assert_eq!(block_on(&watermark, 2), Waited::Closed);
        writer.join().expect("the writer ends");
    });
}

/// A walker reads two slots while the writer replaces states: `(slot, event, generation)`. Slot 0 held
/// event 1 at the freeze, slot 1 nothing.
fn walk(replacements: &'static [(u32, u64, u64)]) {
    loom::model(move || {
        let slots = Arc::new([Slot::<State>::default(), Slot::default()]);
        drop(slots[0].replace(state(1, 1)));
        let freeze = Arc::new(Freeze::<State>::new(EventSeq::from_raw(1)));
        let writer = thread::spawn({
            let (slots, freeze) = (Arc::clone(&slots), Arc::clone(&freeze));
            move || {
                for &(index, seq, generation) in replacements {
                    let (slot, new) = (&slots[index as usize], state(seq, generation));
                    if slot.load().is_none() {
                        drop(freeze.replace(index, slot, new));
                    } else {
                        freeze.change(index, slot, |value| *value = *new);
                    }
                }
            }
        });
        assert_eq!(freeze.read(0, &slots[0]), Some(state(1, 1)));
        assert_eq!(freeze.read(1, &slots[1]), None);
        writer.join().expect("the writer ends");
    });
}

#[test]
fn loom_a_walker_reads_the_moment_of_the_freeze() {
    // Twice on the old user, once on one who is new after the freeze.
    walk(&[(0, 2, 1), (0, 3, 1), (1, 4, 1)]);
}

#[test]
fn loom_a_walker_is_not_misled_by_a_vector_solved_anew() {
    // The same history with a vector of another generation, then an event.
    walk(&[(0, 1, 2), (0, 2, 2), (1, 3, 2)]);
}

#[test]
fn loom_a_view_never_uses_a_vector_of_another_generation_nor_forgets_an_event() {
    loom::model(|| {
        let shared = Arc::new((Published::new(generation(1, 0)), Slot::<State>::default()));
        drop(shared.1.replace(state(1, 1)));
        let writer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (current, slot) = &*shared;
                // An event in generation 1; the swap to 2, whose input was frozen before it; her re-fold.
                drop(slot.replace(state(2, 1)));
                drop(current.replace(generation(2, 1)));
                drop(slot.replace(state(2, 2)));
            }
        });
        let (viewed, seq, vector) = read(&shared.0, &shared.1);
        assert_eq!(vector.generation, viewed);
        assert_eq!(vector.knows, seq, "the vector knows all that the history holds");
        writer.join().expect("the writer ends");
    });
}
