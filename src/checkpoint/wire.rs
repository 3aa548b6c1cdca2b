//! The fields of each section, as they stand in a file: `docs::formats` explains them.
//!
//! These are structs of their own, so that a change of the model never changes the format by accident. Large
//! things are packed into blobs (`pack`), borrowed from the section's bytes when they are read.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) record: u64,
    pub(super) segment: u64,
    pub(super) continues: bool,
    pub(super) erases: bool,
    pub(super) settings: Settings,
    pub(super) seq: u64,
    pub(super) stream_time_ms: i64,
    pub(super) taken_at_ms: i64,
    pub(super) last_freeze: Option<(u64, i64)>,
    pub(super) norm_of_model: Option<f64>,
    pub(super) generation: u64,
    pub(super) n_users: u32,
    pub(super) n_items: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) als: Als,
    pub(super) weighing: Weighing,
    pub(super) max_history: u64,
    pub(super) recent_events: u64,
    pub(super) dedupe_window: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Als {
    pub(super) n_factors: u64,
    pub(super) regularization: f32,
    pub(super) unobserved_weight: f32,
    pub(super) frequency_exponent: f32,
    pub(super) seed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weighing {
    pub(super) half_life_ms: Option<f64>,
    pub(super) saturation: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Actions<'a> {
    #[serde(borrow)]
    pub(super) names: Vec<&'a str>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources<'a> {
    #[serde(borrow)]
    pub(super) offsets: Vec<(&'a str, u64)>,
}

/// Some of the rows of whatever has many.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chunk<'a> {
    pub(super) first: u32,
    pub(super) n_rows: u32,
    #[serde(borrow, with = "serde_bytes")]
    pub(super) rows: &'a [u8],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model<'a> {
    pub(super) frozen_at: u64,
    pub(super) as_of_ms: i64,
    pub(super) item_version: u64,
    pub(super) n_item_rows: u32,
    #[serde(borrow)]
    pub(super) users: Option<UserSide<'a>>,
    /// There if running Gramians are.
    pub(super) items_moved: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserSide<'a> {
    pub(super) als: Als,
    pub(super) weighing: Weighing,
    #[serde(borrow, with = "serde_bytes")]
    pub(super) weighted: &'a [u8],
    pub(super) n_items: u64,
    pub(super) n_user_rows: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) foreign: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gramian<'a> {
    #[serde(borrow, with = "serde_bytes")]
    pub(super) upper_triangle: &'a [u8],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "counts begin with `n_`")]
pub(super) struct End {
    /// This one not counted.
    pub(super) n_sections: u32,
    pub(super) n_users: u64,
    pub(super) n_cells: u64,
    pub(super) n_events: u64,
    pub(super) n_keys: u64,
}
