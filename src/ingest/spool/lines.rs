//! Lines of a file, whatever is in it, in bounded memory.

use std::io::{self, BufRead};

/// What a reader of lines came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// A line that is longer than lines may be; it was passed over.
    TooLong,
    /// The budget is used up in the midst of a line; ask again.
    Later,
    /// There are no more.
    End,
}

/// Reads lines of at most so many bytes. A file without a single line end costs no more memory than that.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    line: Vec<u8>,
    is_begun: bool,
    is_too_long: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, max_bytes: usize) -> Self {
        Self { reader, max_bytes, line: Vec::new(), is_begun: false, is_too_long: false }
    }

    /// The next line, reading about `budget` bytes at most, which are taken from it.
    pub(super) fn next(&mut self, budget: &mut usize) -> io::Result<Line<'_>> {
        if !self.is_begun {
            self.line.clear();
            self.is_too_long = false;
        }
        loop {
            if *budget == 0 {
                return Ok(Line::Later);
            }
            let ready = match self.reader.fill_buf() {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if ready.is_empty() {
                if !std::mem::take(&mut self.is_begun) {
                    return Ok(Line::End);
                }
                break;
            }
            self.is_begun = true;
            let end = ready.iter().position(|&byte| byte == b'\n');
            let part = &ready[..end.unwrap_or(ready.len())];
            self.is_too_long |= self.line.len() + part.len() > self.max_bytes;
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            let n_read = end.map_or(ready.len(), |end| end + 1);
            self.reader.consume(n_read);
            *budget = budget.saturating_sub(n_read);
            if end.is_some() {
                self.is_begun = false;
                break;
            }
        }
        Ok(if self.is_too_long { Line::TooLong } else { Line::Whole(&self.line) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines, as texts; the budget of each call is `budget`.
    fn lines(bytes: &[u8], buffer: usize, budget: usize) -> Vec<String> {
        let mut lines = Lines::new(io::BufReader::with_capacity(buffer, bytes), 5);
        let mut found = Vec::new();
        loop {
            match lines.next(&mut { budget }).expect("a slice can be read") {
                Line::Whole(line) => found.push(String::from_utf8_lossy(line).into_owned()),
                Line::TooLong => found.push("too long".to_owned()),
                Line::Later => {}
                Line::End => return found,
            }
        }
    }

    #[test]
    fn lines_are_the_same_however_they_are_read() {
        for (bytes, expected) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a\nbb\n", vec!["a", "bb"]),
            ("a\n\nlast", vec!["a", "", "last"]),
            ("12345\n123456\n7", vec!["12345", "too long", "7"]),
            ("123456789012345678901234567890", vec!["too long"]),
        ] {
            for buffer in 1..=8 {
                for budget in [1, 3, 1_000] {
                    assert_eq!(lines(bytes.as_bytes(), buffer, budget), expected, "{bytes:?}");
                }
            }
        }
    }
}
