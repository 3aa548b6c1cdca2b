//! Looking into a store without opening an engine, and repairing one that is damaged.
//!
//! Layer 4. [`inspect()`] tells what is in a store and what opening it would do, [`verify`] holds every byte against
//! its checksum, and a [`Repair`] makes a damaged store one that opens, at the price that its plan names. Both of
//! the first change nothing and take no lock.
//!
//! The `inspect` example does all of this from the command line.
//!
//! ```
//! use segue::maintenance::{Repair, inspect, verify};
//! use segue::{Durability, Event, ManualEngine, MemoryStorage};
//!
//! let storage = MemoryStorage::new(); // or `DirStorage::new("the/directory")`
//! let mut engine = ManualEngine::builder().store_in(storage.clone(), Durability::Buffered).open_manual()?;
//! engine.apply(Event::listen("ana", "portishead"))?;
//! drop(engine);
//!
//! let report = inspect(storage.clone())?;
//! println!("{report}");
//! assert_eq!(report.opening.as_ref().map(|opening| opening.events).ok(), Some(1));
//! verify(storage.clone())?;
//! assert!(!Repair::plan(storage)?.is_needed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod display;
mod inspect;
mod opening;
mod repair;
mod report;

pub use inspect::{inspect, verify};
pub use repair::{DroppedTail, Repair, RepairError};
pub use report::{CheckpointContents, CheckpointInfo, FileState, OpeningForecast, SegmentInfo, StoreReport};
