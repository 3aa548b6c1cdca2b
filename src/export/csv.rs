//! Histories as comma-separated values, RFC 4180.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use crate::query::{HistoryEntry, UserView};

const HEADER: &str = "user,item,n_events,preference,confidence,last_seen_ms";

/// Writes the histories of `users`, one line a pair.
pub(super) fn write_histories<'v>(
    mut writer: impl Write,
    users: impl Iterator<Item = UserView<'v>>,
) -> io::Result<()> {
    write!(writer, "{HEADER}\r\n")?;
    let (mut user_field, mut item_field, mut id) = (String::new(), String::new(), String::new());
    for user in users {
        set_field(&mut user_field, user.id(), &mut id);
        for entry in user.history_in_view() {
            let HistoryEntry { item, events, preference, confidence, last_seen } = entry;
            set_field(&mut item_field, &item, &mut id);
            let last_seen = last_seen.unix_ms();
            write!(writer, "{user_field},{item_field},{events},{preference},{confidence},{last_seen}\r\n")?;
        }
    }
    writer.flush()
}

/// Makes `field` the field of an id, in quotes if need be; `id` is scratch.
fn set_field(field: &mut String, value: &impl Display, id: &mut String) {
    id.clear();
    field.clear();
    write!(id, "{value}").expect("a String takes everything");
    // Blanks at an end are part of a field, but many a reader takes them off.
    let is_plain = !id.contains([',', '"', '\r', '\n']) && id.trim() == id;
    if is_plain {
        field.push_str(id);
    } else {
        field.push('"');
        field.push_str(&id.replace('"', "\"\""));
        field.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_the_format_asks_for_it() {
        let mut field = String::new();
        for (id, expected) in [
            ("ana", "ana"),
            ("42", "42"),
            ("guns n' roses", "guns n' roses"),
            ("earth, wind & fire", "\"earth, wind & fire\""),
            ("the \"band\"", "\"the \"\"band\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("\r", "\"\r\""),
            (" blank", "\" blank\""),
            ("björk", "björk"),
        ] {
            set_field(&mut field, &id, &mut String::new());
            assert_eq!(field, expected);
        }
    }
}
