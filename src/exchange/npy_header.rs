//! What an array file says of itself: a Python dictionary of three things.

use std::io::{self, Read};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy does not believe longer headers either.
const MAX_HEADER_BYTES: usize = 10_000;

/// How much of what is not a header is told.
const SHOWN_BYTES: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NpyHeader {
    /// The type of the elements, in NumPy's words.
    pub(super) descr: String,
    /// Whether the first subscript moves fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
}

#[derive(Debug)]
pub(super) enum HeaderError {
    /// The bytes are none; some of them are told.
    Unknown(String),
    Io(io::Error),
}

impl NpyHeader {
    /// Reads a header; gives the number of its bytes with it.
    pub(super) fn read(mut reader: impl Read) -> Result<(Self, u64), HeaderError> {
        let mut read = |bytes: &mut [u8]| reader.read_exact(bytes).map_err(HeaderError::Io);
        let mut preamble = [0; 8];
        read(&mut preamble)?;
        let unknown = |bytes: &[u8]| {
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
            Err(HeaderError::Unknown(String::from_utf8_lossy(shown).into_owned()))
        };
        let (length, n_of_length) = match (preamble.strip_prefix(MAGIC), preamble) {
            (Some([1, 0]), _) => {
                let mut length = [0; 2];
                read(&mut length)?;
                (usize::from(u16::from_le_bytes(length)), length.len())
            }
            (Some([2 | 3, 0]), _) => {
                let mut length = [0; 4];
                read(&mut length)?;
                (usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX), length.len())
            }
            (_, bytes) => return unknown(&bytes),
        };
        if length > MAX_HEADER_BYTES {
            return unknown(format!("a header of {length} bytes").as_bytes());
        }
        let mut dictionary = vec![0; length];
        read(&mut dictionary)?;
        let parsed = std::str::from_utf8(&dictionary).ok().and_then(Self::parse);
        match parsed {
            Some(header) => Ok((header, (preamble.len() + n_of_length + length) as u64)),
            None => unknown(&dictionary),
        }
    }

    fn parse(dictionary: &str) -> Option<Self> {
        let mut rest = Literal(dictionary);
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        rest.eat("{")?;
        while rest.eat("}").is_none() {
            let key = rest.text()?;
            rest.eat(":")?;
            let is_new = match key {
                "descr" => descr.replace(rest.text()?.to_owned()).is_none(),
                "fortran_order" => fortran_order.replace(rest.truth()?).is_none(),
                "shape" => shape.replace(rest.shape()?).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
            if rest.eat(",").is_none() {
                rest.eat("}")?;
                break;
            }
        }
        rest.0.trim_ascii().is_empty().then_some(())?;
        Some(Self { descr: descr?, fortran_order: fortran_order?, shape: shape? })
    }
}

/// The rest of a Python literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_ascii_start();
        let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        let (text, rest) = rest[1..].split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    fn truth(&mut self) -> Option<bool> {
        match self.eat("True") {
            Some(()) => Some(true),
            None => self.eat("False").map(|()| false),
        }
    }

    fn shape(&mut self) -> Option<Vec<u64>> {
        let mut shape = Vec::new();
        self.eat("(")?;
        while self.eat(")").is_none() {
            let rest = self.0.trim_ascii_start();
            let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, rest) = rest.split_at(n_digits);
            shape.push(digits.parse().ok()?);
            self.0 = rest;
            if self.eat(",").is_none() {
                self.eat(")")?;
                break;
            }
        }
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(dictionary: &str) -> Option<(String, bool, Vec<u64>)> {
        NpyHeader::parse(dictionary).map(|header| (header.descr, header.fortran_order, header.shape))
    }

    #[test]
    fn what_numpy_writes_is_understood() {
        let matrix = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }      \n";
        assert_eq!(parsed(matrix), Some(("<f4".into(), false, vec![3, 2])));
        let scalar = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n";
        assert_eq!(parsed(scalar), Some(("<f8".into(), false, vec![])));
        let others = "{ \"shape\":(7,),\"fortran_order\" : True,'descr':'|u1'}";
        assert_eq!(parsed(others), Some(("|u1".into(), true, vec![7])));
    }

    #[test]
    fn what_numpy_does_not_write_is_refused() {
        for dictionary in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'shape': (3, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'more': 1}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3, 2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)} more",
            "{'descr': '<f4, 'fortran_order': False, 'shape': (3, 2)}",
        ] {
            assert_eq!(parsed(dictionary), None, "{dictionary}");
        }
    }
}
