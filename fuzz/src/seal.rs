//! Putting right what the checksums of a file would refuse, after `docs::formats` and with no code of the crate's.

use crc32c::{crc32c, crc32c_append};

const SEGMENT_HEADER_BYTES: usize = 48;
const FRAME_HEADER_BYTES: usize = 16;
const CHECKPOINT_HEADER_BYTES: usize = 24;
const SECTION_HEADER_BYTES: usize = 16;
const STORE_ID: u64 = 7;

/// Makes segment 1 of `bytes`: a header, and records numbered from 1, as long as their lengths say or as is left.
pub fn seal_segment(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().max(SEGMENT_HEADER_BYTES), 0);
    bytes[..8].copy_from_slice(b"SEGUEJNL");
    bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    for (offset, field) in [(12, STORE_ID), (20, 1), (28, 1), (36, 0)] {
        bytes[offset..offset + 8].copy_from_slice(&field.to_le_bytes());
    }
    let checksum = crc32c(&bytes[..44]);
    bytes[44..48].copy_from_slice(&checksum.to_le_bytes());

    let salt = crc32c(&[STORE_ID.to_le_bytes(), 1_u64.to_le_bytes()].concat());
    let (mut offset, mut number) = (SEGMENT_HEADER_BYTES, 1_u64);
    while bytes.len() > offset + FRAME_HEADER_BYTES {
        let frame = &mut bytes[offset..];
        let left = frame.len() - FRAME_HEADER_BYTES;
        let length = (u32_at(frame, 0) as usize).clamp(1, left);
        frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
        frame[8..16].copy_from_slice(&number.to_le_bytes());
        let frame = &mut frame[..FRAME_HEADER_BYTES + length];
        bound_sweeps(&mut frame[FRAME_HEADER_BYTES..]);
        let checksum = crc32c_append(crc32c_append(salt, &frame[..4]), &frame[8..]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
        offset += FRAME_HEADER_BYTES + length;
        number += 1;
    }
}

/// Replaying a sweep trains it once more: four thousand million of them would be right, but not today.
fn bound_sweeps(payload: &mut [u8]) {
    if let [11, times @ .., n_sweeps] = payload {
        for byte in times {
            *byte &= 0x7f;
        }
        *n_sweeps &= 3;
    }
}

/// Makes a checkpoint of `bytes`: a header, and sections as long as they say or as is left.
pub fn seal_checkpoint(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().max(CHECKPOINT_HEADER_BYTES), 0);
    bytes[..8].copy_from_slice(b"seguechk");
    // Both formats that are read.
    let format = 1 + u32::from(bytes[8] & 1);
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    let mut sum = crc32c(&bytes[..20]);
    bytes[20..24].copy_from_slice(&sum.to_le_bytes());
    let mut offset = CHECKPOINT_HEADER_BYTES;
    while bytes.len() >= offset + SECTION_HEADER_BYTES {
        let section = &mut bytes[offset..];
        let left = section.len() - SECTION_HEADER_BYTES;
        let length = usize::try_from(u64_at(section, 4)).unwrap_or(usize::MAX).min(left);
        section[4..12].copy_from_slice(&(length as u64).to_le_bytes());
        sum = crc32c_append(sum, &section[..12]);
        sum = crc32c_append(sum, &section[SECTION_HEADER_BYTES..][..length]);
        section[12..16].copy_from_slice(&sum.to_le_bytes());
        offset += SECTION_HEADER_BYTES + length;
    }
    bytes.truncate(offset);
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}
