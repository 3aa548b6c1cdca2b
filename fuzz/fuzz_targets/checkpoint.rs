//! Any bytes as a file of a store: most of them are refused, none of them ends in a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| segue_fuzz::open_everything(segue_fuzz::CHECKPOINT, bytes));
