//! Records as bytes and back. The layout is written down in `docs::formats`.

mod decode;
mod encode;

pub(super) use decode::take_record;
pub(super) use encode::{ITEMS_OF_A_RECORD, put_event, put_items, put_record};

#[cfg(test)]
pub(super) mod tests;

/// The first byte of every payload.
mod kind {
    pub(super) const EVENT: u8 = 1;
    pub(super) const ADD_ITEMS: u8 = 2;
    pub(super) const FORGET_USER: u8 = 3;
    pub(super) const FORGET_ITEM: u8 = 4;
    pub(super) const MERGE_USERS: u8 = 5;
    pub(super) const SOURCE_OFFSET: u8 = 6;
    pub(super) const SETTINGS: u8 = 7;
    pub(super) const TIME: u8 = 8;
    pub(super) const ITEM_BATCH: u8 = 9;
    pub(super) const ITEM_PART: u8 = 10;
    pub(super) const FREEZE: u8 = 11;
    pub(super) const PUBLISHED: u8 = 12;
    pub(super) const NOT_PUBLISHED: u8 = 13;
    pub(super) const SETTLED: u8 = 14;
    pub(super) const SYNCED: u8 = 15;
    pub(super) const SOURCE_STEP: u8 = 16;
    pub(super) const FOREIGN_ITEMS: u8 = 17;
    pub(super) const FOREIGN_USERS: u8 = 18;
}

/// The second byte of an event: what follows, and what needs no byte of its own.
mod event_flag {
    /// The host gave the time stamp.
    pub(super) const TIME_GIVEN: u8 = 1;
    pub(super) const HAS_SIGNAL: u8 = 1 << 1;
    /// The preference follows, as it is not 1.
    pub(super) const OTHER_PREFERENCE: u8 = 1 << 2;
    pub(super) const SOLVED_NOW: u8 = 1 << 3;
    pub(super) const PLAYED_FRACTION: u8 = 1 << 4;
    pub(super) const PLAYED_TIME: u8 = 1 << 5;
    pub(super) const HAS_EXTRAS: u8 = 1 << 6;
    pub(super) const UNUSED: u8 = 1 << 7;
}

/// The third byte of an event: what was done, and whether it was taken back.
mod action {
    pub(super) const LISTEN: u8 = 0;
    pub(super) const SKIP: u8 = 1;
    pub(super) const LIKE: u8 = 2;
    pub(super) const DISLIKE: u8 = 3;
    pub(super) const SAVE: u8 = 4;
    /// The name follows.
    pub(super) const CUSTOM: u8 = 5;
    pub(super) const UNDO: u8 = 1 << 7;
}

/// The first byte of an event's extras: which of them follow.
mod extra_flag {
    pub(super) const UTC_OFFSET: u8 = 1;
    pub(super) const ACTIVITY: u8 = 1 << 1;
    pub(super) const DEVICE: u8 = 1 << 2;
    pub(super) const SESSION: u8 = 1 << 3;
    pub(super) const KEY: u8 = 1 << 4;
    pub(super) const UNUSED: u8 = !(UTC_OFFSET | ACTIVITY | DEVICE | SESSION | KEY);
}

/// How repeated events add up, in the settings.
mod saturation {
    pub(super) const NONE: u8 = 0;
    pub(super) const LOG: u8 = 1;
}

/// Whether a payload is that of an event.
pub(super) fn is_event(payload: &[u8]) -> bool {
    payload.first() == Some(&kind::EVENT)
}
