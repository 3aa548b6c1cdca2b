//! What taken files are called, and what offsets mean.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Digits of the number before the name of a taken file.
const DIGITS: usize = 10;

/// Where a spool goes on: in which of its files, after how many lines.
///
/// As an offset, the number of the file is in the upper half and the lines in the lower, so that both orders agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) line: u32,
}

impl Place {
    pub(super) fn from_offset(offset: u64) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("32 bits are left");
        Self { file: half(offset >> 32), line: half(offset) }
    }

    pub(super) fn offset(self) -> u64 {
        u64::from(self.file) << 32 | u64::from(self.line)
    }
}

/// Whether a file of this name is to be taken.
pub(super) fn is_ready(name: &OsStr) -> bool {
    let is_hidden = name.as_encoded_bytes().first() == Some(&b'.');
    !is_hidden && Path::new(name).extension().is_some_and(|extension| extension == "jsonl")
}

/// The name under which file number `number` is taken.
pub(super) fn taken_name(number: u32, name: &OsStr) -> OsString {
    let mut taken = OsString::from(format!("{number:0DIGITS$}-"));
    taken.push(name);
    taken
}

/// The name that a file gets if its own is too long for a number before it.
pub(super) fn short_taken_name(number: u32) -> OsString {
    taken_name(number, OsStr::new("long-name.jsonl"))
}

/// The number of a taken file.
pub(super) fn taken_number(name: &OsStr) -> Option<u32> {
    let bytes = name.as_encoded_bytes();
    if bytes.get(DIGITS) != Some(&b'-') {
        return None;
    }
    let digits =
        str::from_utf8(&bytes[..DIGITS]).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_in_the_order_of_what_is_read() {
        let place = |file, line| Place { file, line };
        let places = [place(0, 0), place(0, u32::MAX), place(1, 0), place(1, 7), place(u32::MAX, u32::MAX)];
        assert!(places.map(Place::offset).is_sorted());
        assert_eq!(places.map(|place| Place::from_offset(place.offset())), places);
    }

    #[test]
    fn only_numbered_names_have_a_number() {
        let name = taken_name(17, OsStr::new("a.jsonl"));
        assert_eq!((name.to_str(), taken_number(&name)), (Some("0000000017-a.jsonl"), Some(17)));
        for name in
            ["", ".lock", "a.jsonl", "0000000017", "00000000x7-a.jsonl", "+000000017-a", "9999999999-a"]
        {
            assert_eq!(taken_number(OsStr::new(name)), None, "{name}");
        }
        for (name, ready) in
            [("a.jsonl", true), (".a.jsonl", false), (".jsonl", false), ("a.jsonl.tmp", false)]
        {
            assert_eq!(is_ready(OsStr::new(name)), ready, "{name}");
        }
    }
}
