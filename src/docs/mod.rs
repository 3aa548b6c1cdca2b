//! How the crate works and why: pages to read, no code.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("concurrency.md")]
pub mod concurrency {}

#[doc = include_str!("numerics.md")]
pub mod numerics {}

#[doc = include_str!("durability.md")]
pub mod durability {}

#[doc = include_str!("settings.md")]
pub mod settings {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("formats.md")]
pub mod formats {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}
