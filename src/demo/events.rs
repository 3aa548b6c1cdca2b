//! Everybody's events, merged in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::types::{Event, Timestamp};

use super::sitting::Sitting;
use super::world::World;

/// What happens in a [`DemoWorld`](super::DemoWorld), in order of time, without end.
///
/// Each listener's part is drawn from a stream of their own, so it does not depend on how many others
/// there are. A listen or a skip has the time at which it ended. The iterator never blocks; it gives a few
/// million events a second on one core.
///
/// ```
/// use segue::demo::DemoWorld;
///
/// let world = DemoWorld::builder().n_listeners(100).build()?;
/// let first: Vec<_> = world.events().take(500).collect();
/// assert!(first.is_sorted_by_key(|event| event.timestamp()));
/// # Ok::<(), segue::demo::DemoWorldError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DemoEvents {
    world: Arc<World>,
    sittings: Vec<Sitting>,
    /// Of every listener the time of the next event; equal times go by number.
    queue: BinaryHeap<Reverse<(Timestamp, u32)>>,
}

impl DemoEvents {
    pub(super) fn new(world: Arc<World>) -> Self {
        let (sittings, queue) = (0..)
            .zip(&world.listeners)
            .map(|(idx, listener)| {
                let (sitting, first_at) = Sitting::begin(&world, listener);
                (sitting, Reverse((first_at, idx)))
            })
            .unzip();
        Self { world, sittings, queue }
    }
}

impl Iterator for DemoEvents {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut earliest = self.queue.peek_mut()?;
        let Reverse((at, idx)) = *earliest;
        let (listener, sitting) = (&self.world.listeners[idx as usize], &mut self.sittings[idx as usize]);
        let event = sitting.event(&self.world, listener).at(at);
        // One descent in the heap instead of a pop and a push.
        *earliest = Reverse((sitting.plan(&self.world, listener, at), idx));
        drop::<PeekMut<'_, _>>(earliest);
        Some(event)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl std::iter::FusedIterator for DemoEvents {}
