//! The large things of a state as bytes, row after row. `docs::formats` has every byte.
//!
//! Packing cannot fail. Taking never panics and allocates no more than a small multiple of what it is given:
//! every count is held against the bytes that are left.

mod floats;
mod history;
mod ids;
mod items;
mod recent;
mod users;

pub(super) use floats::{put_f32s, put_f64s, take_f32s, take_f64s};
pub(super) use ids::{put_id, take_id};
pub(super) use items::{put_item, put_queued, put_skips, take_item, take_queued, take_skips};
pub(super) use users::{UserContext, put_user, take_user};

#[cfg(test)]
mod tests;
