//! As `journal`, with every checksum put right: what is behind them believes nothing either.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    segue_fuzz::seal_segment(&mut bytes);
    segue_fuzz::open_everything(segue_fuzz::SEGMENT, &bytes);
});
