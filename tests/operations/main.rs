//! What an operator sees, and what plug-ins that misbehave do to an engine.

#[path = "../common/mod.rs"]
mod common;

mod a_clock_that_misbehaves;
mod a_panicking_plugin_is_fenced;
mod an_operator_sees_why;
mod every_seam_of_the_writer_is_watched;
mod prometheus_can_read_the_metrics;
