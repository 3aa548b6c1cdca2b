//! One line of JSON into an event.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::rfc3339;
use crate::types::{Context, Event, Timestamp, UtcOffset};

/// The event that a line of JSON says; the schema is told in [`SpoolDir`](super::SpoolDir).
///
/// # Errors
/// What is wrong with it, and at which column.
pub(super) fn parse(line: &[u8]) -> Result<Event, String> {
    let line: EventLine = serde_json::from_slice(line).map_err(|error| {
        // There is one line, so its number says nothing.
        let text = error.to_string();
        text.replace(" at line 1 column ", ", at column ")
    })?;
    line.into_event()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine {
    user: Key,
    item: Key,
    action: ActionLine,
    #[serde(default)]
    undo: bool,
    fraction: Option<f32>,
    played_ms: Option<u64>,
    at: Option<Time>,
    key: Option<Key>,
    context: Option<ContextLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionLine {
    Listen,
    Skip,
    Like,
    Dislike,
    Save,
    Custom(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextLine {
    utc_offset_minutes: Option<i16>,
    activity: Option<String>,
    device: Option<String>,
    session: Option<String>,
}

impl EventLine {
    fn into_event(self) -> Result<Event, String> {
        let Self { user, item, action, undo, fraction, played_ms, at, key, context } = self;
        let (user, item) = (user.0, item.0);
        let mut event = match action {
            ActionLine::Listen => Event::listen(user, item),
            ActionLine::Skip => Event::skip(user, item),
            ActionLine::Like => Event::like(user, item),
            ActionLine::Dislike => Event::dislike(user, item),
            ActionLine::Save => Event::save(user, item),
            ActionLine::Custom(name) => Event::custom(user, item, name),
        };
        if undo {
            event = Event::undo(event);
        }
        event = match (fraction, played_ms) {
            (Some(_), Some(_)) => {
                return Err("there are both `fraction` and `played_ms`; give one".to_owned());
            }
            (Some(fraction), None) => event.fraction(fraction),
            (None, Some(ms)) => event.played(Duration::from_millis(ms)),
            (None, None) => event,
        };
        if let Some(Time(at)) = at {
            event = event.at(at);
        }
        if let Some(context) = context {
            event = event.context(context.into_context()?);
        }
        Ok(if let Some(Key(key)) = key { event.key(key) } else { event })
    }
}

impl ContextLine {
    fn into_context(self) -> Result<Context, String> {
        let Self { utc_offset_minutes, activity, device, session } = self;
        let mut context = Context::new();
        if let Some(minutes) = utc_offset_minutes {
            let offset = UtcOffset::from_minutes(minutes);
            let offset =
                offset.ok_or_else(|| format!("`utc_offset_minutes` is {minutes}, more than a day"))?;
            context = context.utc_offset(offset);
        }
        context.activity = activity.map(Into::into);
        context.device = device.map(Into::into);
        context.session = session.map(Into::into);
        Ok(context)
    }
}

/// A text or a number: as texts, both are the same key.
#[derive(Debug)]
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number of at least 0")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Key, E> {
                Ok(Key(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Key, E> {
                Ok(Key(text))
            }
        }
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Milliseconds since 1970, or a text of RFC 3339.
#[derive(Debug)]
struct Time(Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds since 1970, or a time such as \"2023-11-14T22:13:20Z\"")
            }

            fn visit_i64<E: Error>(self, ms: i64) -> Result<Time, E> {
                Ok(Time(Timestamp::from_unix_ms(ms)))
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<Time, E> {
                let ms = i64::try_from(ms).map_err(|_| E::invalid_value(Unexpected::Unsigned(ms), &self))?;
                Ok(Time(Timestamp::from_unix_ms(ms)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                let time = rfc3339::parse(text);
                time.map(Time).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        parse(line.as_bytes()).expect("it is an event")
    }

    #[test]
    fn a_line_says_what_the_methods_of_an_event_say() {
        let at = Timestamp::from_unix_ms(1_700_000_000_000);
        for (line, expected) in [
            (r#"{"user":"ana","item":7,"action":"listen"}"#, Event::listen("ana", 7)),
            (r#"{"user":"7","item":"07","action":"save"}"#, Event::save(7, "07")),
            (r#"{"user":1,"item":2,"action":"skip","fraction":0.25}"#, Event::skip(1, 2).at_fraction(0.25)),
            (r#"{"user":1,"item":2,"action":"like","at":1700000000000}"#, Event::like(1, 2).at(at)),
            (r#"{"user":1,"item":2,"action":"like","at":"2023-11-14T22:13:20Z"}"#, Event::like(1, 2).at(at)),
            (
                r#"{"user":1,"item":2,"action":"dislike","undo":true,"key":"k"}"#,
                Event::undo(Event::dislike(1, 2)).key("k"),
            ),
            (
                r#"{"user":1,"item":2,"action":{"custom":"queued"},"played_ms":1500}"#,
                Event::custom(1, 2, "queued").played(Duration::from_millis(1_500)),
            ),
            (
                r#"{"user":1,"item":2,"action":"listen","context":{"utc_offset_minutes":-60,"activity":"running",
                    "device":"phone","session":"s"},"key":9}"#,
                Event::listen(1, 2)
                    .context(
                        Context::new()
                            .utc_offset(UtcOffset::from_minutes(-60).expect("an hour"))
                            .activity("running")
                            .device("phone")
                            .session("s"),
                    )
                    .key(9),
            ),
        ] {
            assert_eq!(event(line), expected, "{line}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_says_why() {
        for (line, why) in [
            ("", "EOF"),
            ("7", "expected struct EventLine"),
            (r#"{"user":1,"item":2}"#, "missing field `action`"),
            (r#"{"item":2,"action":"listen"}"#, "missing field `user`"),
            (r#"{"user":1,"item":2,"action":"lisen"}"#, "unknown variant `lisen`, expected one of `listen`"),
            (r#"{"user":1,"item":2,"action":"listen","playd":1}"#, "unknown field `playd`"),
            (r#"{"user":1,"user":1,"item":2,"action":"listen"}"#, "duplicate field `user`"),
            (r#"{"user":-1,"item":2,"action":"listen"}"#, "whole number of at least 0"),
            (r#"{"user":1.5,"item":2,"action":"listen"}"#, "whole number of at least 0"),
            (r#"{"user":null,"item":2,"action":"listen"}"#, "whole number of at least 0"),
            (r#"{"user":1,"item":2,"action":"listen","at":"noon"}"#, "milliseconds since 1970"),
            (r#"{"user":1,"item":2,"action":"listen","at":1.5}"#, "milliseconds since 1970"),
            (r#"{"user":1,"item":2,"action":"skip","fraction":0.5,"played_ms":7}"#, "give one"),
            (
                r#"{"user":1,"item":2,"action":"listen","context":{"utc_offset_minutes":1441}}"#,
                "more than a day",
            ),
            (r#"{"user":1,"item":2,"action":"listen","context":{"mood":"blue"}}"#, "unknown field `mood`"),
            (r#"{"user":1,"item":2,"action":"listen"} {}"#, "trailing characters, at column"),
            (r#"{"user":1,"item":2,"acti"#, "EOF while parsing a string, at column"),
        ] {
            let error = parse(line.as_bytes()).expect_err(line);
            assert!(error.contains(why), "{line}: {error}");
        }
        assert!(parse(b"{\"user\":\"\xff\",\"item\":2,\"action\":\"listen\"}").is_err());
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
