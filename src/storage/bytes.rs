//! Numbers, ids and texts as bytes, for the journal and the checkpoints alike.
//!
//! Varints are LEB128: seven bits a byte, the lowest first, the high bit set on all but the last. Signed
//! numbers are zigzagged before (0, −1, 1, −2 become 0, 1, 2, 3). Floats are their IEEE 754 bits, little-endian.

use thiserror::Error;

use crate::types::Timestamp;

/// Why bytes do not mean what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum DecodeError {
    #[error("it ends too early")]
    Truncated,
    #[error("a number is longer than it may be")]
    Overlong,
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("{0} has a value that cannot be")]
    Invalid(&'static str),
    #[error("there are bytes after its end")]
    Trailing,
}

/// Appends to a buffer of bytes.
pub(crate) trait PutBytes {
    fn put_u8(&mut self, value: u8);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_f32(&mut self, value: f32);
    fn put_f64(&mut self, value: f64);
    fn put_varint(&mut self, value: u64);
    fn put_signed(&mut self, value: i64);
    fn put_text(&mut self, text: &str);
    fn put_time(&mut self, at: Timestamp);
}

impl PutBytes for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_f32(&mut self, value: f32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_f64(&mut self, value: f64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(low_bits(value) | 0x80);
            value >>= 7;
        }
        self.push(low_bits(value));
    }

    fn put_signed(&mut self, value: i64) {
        self.put_varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn put_text(&mut self, text: &str) {
        self.put_varint(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }

    fn put_time(&mut self, at: Timestamp) {
        self.put_signed(at.unix_ms());
    }
}

fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// Reads what [`PutBytes`] has written. Never panics and never allocates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakeBytes<'a>(&'a [u8]);

impl<'a> TakeBytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Bytes that are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `Ok` if nothing is left.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn f32(&mut self) -> Result<f32, DecodeError> {
        self.array().map(f32::from_le_bytes)
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_le_bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(DecodeError::Overlong);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Overlong)
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, DecodeError> {
        self.varint()?.try_into().map_err(|_| DecodeError::Overlong)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let n = usize::try_from(self.varint()?).map_err(|_| DecodeError::Overlong)?;
        str::from_utf8(self.bytes(n)?).map_err(|_| DecodeError::NotUtf8)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, DecodeError> {
        self.signed().map(Timestamp::from_unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_taken(unsigned: u64, signed: i64, text: String, float: f64) {
            let mut bytes = Vec::new();
            bytes.put_varint(unsigned);
            bytes.put_signed(signed);
            bytes.put_text(&text);
            bytes.put_f64(float);
            let mut taken = TakeBytes::new(&bytes);
            prop_assert_eq!(taken.varint(), Ok(unsigned));
            prop_assert_eq!(taken.signed(), Ok(signed));
            prop_assert_eq!(taken.text(), Ok(&*text));
            prop_assert_eq!(taken.f64().map(f64::to_bits), Ok(float.to_bits()));
            prop_assert_eq!(taken.end(), Ok(()));
        }

        #[test]
        fn no_bytes_at_all_are_too_strange(bytes: Vec<u8>) {
            let mut taken = TakeBytes::new(&bytes);
            while taken.varint().is_ok() && taken.text().is_ok() {}
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let mut bytes = vec![0xff; 9];
        bytes.push(0x02);
        assert_eq!(TakeBytes::new(&bytes).varint(), Err(DecodeError::Overlong));
        assert_eq!(TakeBytes::new(&[0x80; 11]).varint(), Err(DecodeError::Overlong));
        assert_eq!(TakeBytes::new(&[0x80]).varint(), Err(DecodeError::Truncated));
    }
}
