//! Keys of the host ([`UserId`], [`ItemId`]) and the dense rows behind them.

use std::fmt;
use std::sync::Arc;

/// The longest text an id may have, in bytes. MBIDs, Spotify ids and UUIDs all fit many times over.
pub const MAX_ID_BYTES: usize = 256;

/// A host's key: a number, or a short text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Number(u64),
    // `Arc`, not `Box`: ids travel from the id table into every list of recommendations.
    Text(Arc<str>),
}

impl Key {
    /// Decimal text in canonical form is the number, so that `7`, `"7"` and a key read from a file agree.
    pub(super) fn from_text(text: &str) -> Self {
        let digits = text.as_bytes();
        let canonical = match digits {
            [b'0'] => true,
            [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
            [] => false,
        };
        match text.parse() {
            Ok(number) if canonical => Self::Number(number),
            Ok(_) | Err(_) => Self::Text(text.into()),
        }
    }

    pub(super) fn len_bytes(&self) -> usize {
        match self {
            Self::Number(_) => size_of::<u64>(),
            Self::Text(text) => text.len(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

macro_rules! host_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::types::ids::Key);

        impl $name {
            /// The number, if this id is one.
            pub fn as_u64(&self) -> Option<u64> {
                match &self.0 {
                    $crate::types::ids::Key::Number(number) => Some(*number),
                    $crate::types::ids::Key::Text(_) => None,
                }
            }

            /// The text, if this id is not a number.
            pub fn as_str(&self) -> Option<&str> {
                match &self.0 {
                    $crate::types::ids::Key::Number(_) => None,
                    $crate::types::ids::Key::Text(text) => Some(text),
                }
            }

            /// The length of the key in bytes: 8 for a number.
            pub fn len_bytes(&self) -> usize {
                self.0.len_bytes()
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self($crate::types::ids::Key::Number(number))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self($crate::types::ids::Key::from_text(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self($crate::types::ids::Key::from_text(&text))
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                // Through `pad`, so that reports can align ids in columns.
                match &self.0 {
                    $crate::types::ids::Key::Number(number) => number.fmt(f),
                    $crate::types::ids::Key::Text(text) => f.pad(text),
                }
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}
pub(super) use host_id;

host_id! {
    /// The host's key of a listener: a `u64` or a text of at most [`MAX_ID_BYTES`] bytes.
    ///
    /// Decimal text in canonical form is the number:
    ///
    /// ```
    /// use segue::UserId;
    ///
    /// assert_eq!(UserId::from("42"), UserId::from(42));
    /// assert_ne!(UserId::from("042"), UserId::from(42));
    /// ```
    ///
    /// Numbers sort before texts. Length is checked where an event enters the engine, not here.
    UserId
}

host_id! {
    /// The host's key of an item (an artist, an album, a track): a `u64` or a text of at most
    /// [`MAX_ID_BYTES`] bytes.
    ///
    /// ```
    /// use segue::ItemId;
    ///
    /// let portishead = ItemId::from("portishead");
    /// assert_eq!(portishead.as_str(), Some("portishead"));
    /// assert_eq!(ItemId::from(7).as_u64(), Some(7));
    /// ```
    ItemId
}

macro_rules! dense_idx {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u32);

        impl $name {
            /// Row number `row`.
            pub fn new(row: u32) -> Self {
                Self(row)
            }

            /// The row number.
            pub fn get(self) -> u32 {
                self.0
            }

            /// The row number as a subscript.
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_idx! {
    /// A row of the user factors. An engine numbers users in order of first appearance.
    UserIdx
}
dense_idx! {
    /// A row of the item factors. An engine numbers items in order of first appearance.
    ItemIdx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimal_text_is_a_number() {
        assert_eq!(UserId::from("0").as_u64(), Some(0));
        assert_eq!(UserId::from("18446744073709551615").as_u64(), Some(u64::MAX));
        for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1e3", "٣"] {
            assert_eq!(UserId::from(text).as_str(), Some(text), "{text:?} is text");
        }
    }

    #[test]
    fn display_gives_back_what_was_put_in() {
        for text in ["7", "007", "ana", ""] {
            assert_eq!(ItemId::from(text).to_string(), text);
        }
    }
}
