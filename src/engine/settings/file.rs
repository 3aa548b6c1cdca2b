//! Settings out of a file in TOML.

use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key};
use super::live::{LiveSettings, SettingError};

/// Settings as they stand in a file: some of the keys of `docs::settings`, each with a value.
///
/// ```
/// # #[cfg(feature = "reload")] {
/// use segue::{Engine, SettingsFile};
///
/// let engine = Engine::builder().open()?;
/// let file = SettingsFile::parse("[als]\nregularization = 0.01\n")?;
/// engine.retune(file.over(&engine.settings())?)?;
/// assert_eq!(engine.settings().regularization, 0.01);
///
/// let broken = SettingsFile::parse("[sweeps]\nlater = 3\nlatter = 3\n").unwrap_err();
/// assert_eq!(broken.to_string(), "line 3: there is no setting \"sweeps.latter\"; is it \"sweeps.later\"?");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SettingsFile {
    /// The line, the setting, and its value, in the order of the file.
    values: Vec<(usize, &'static Key, f64)>,
}

/// What is wrong with a file of settings.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SettingsFileError {
    /// It is not TOML.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A setting in it cannot be.
    #[error("line {line}: {source}")]
    Setting {
        /// Where, from 1.
        line: usize,
        /// Which, and why.
        source: SettingError,
    },
    /// The last line does not end with a line feed, so it may be the first half of it: a number that was cut short is a
    /// number, too.
    #[error("line {line}: the last line is not finished; end it with a line feed")]
    Unfinished {
        /// The last one.
        line: usize,
    },
    /// It is not text in UTF-8.
    #[error("it is not UTF-8 from byte {at} on")]
    Encoding {
        /// The first byte that is none.
        at: usize,
    },
}

impl SettingsFile {
    /// Reads all of a file, or says what is wrong with it: every key is known and every value in its range.
    ///
    /// # Errors
    /// [`SettingsFileError`] names the line.
    pub fn parse(text: &str) -> Result<Self, SettingsFileError> {
        let table = DeTable::parse(text).map_err(|error| SettingsFileError::Syntax {
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(SettingsFileError::Unfinished { line: line_at(text, text.len()) });
        }
        let mut values = Vec::new();
        collect(text, "", table.get_ref(), &mut values)?;
        values.sort_by_key(|&(line, ..)| line);
        Ok(Self { values })
    }

    /// As [`parse`](Self::parse), from bytes.
    ///
    /// # Errors
    /// [`SettingsFileError`] names the line.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, SettingsFileError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| SettingsFileError::Encoding { at: error.valid_up_to() })?;
        Self::parse(text)
    }

    /// `base` with what is in the file instead.
    ///
    /// # Errors
    /// [`SettingError::OwnPlugin`] if a setting is of a plug-in that the engine does not have.
    pub fn over(&self, base: &LiveSettings) -> Result<LiveSettings, SettingsFileError> {
        let mut settings = base.clone();
        for &(line, key, value) in &self.values {
            if (key.get)(base).is_none() {
                let source = SettingError::OwnPlugin { key: key.name, seam: key.seam() };
                return Err(SettingsFileError::Setting { line, source });
            }
            (key.set)(&mut settings, value);
        }
        let of_weigher = |&&(_, key, _): &&(usize, &Key, f64)| key.name.starts_with("weigher.");
        let line = self.values.iter().rev().find(of_weigher).map_or(1, |&(line, ..)| line);
        settings.check_together().map_err(|source| SettingsFileError::Setting { line, source })?;
        Ok(settings)
    }
}

/// The values of a table and of those in it.
fn collect(
    text: &str,
    prefix: &str,
    table: &DeTable<'_>,
    values: &mut Vec<(usize, &'static Key, f64)>,
) -> Result<(), SettingsFileError> {
    for (name, value) in table {
        let line = line_at(text, name.span().start);
        let mut path = prefix.to_owned();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name.get_ref());
        let refused = |source| SettingsFileError::Setting { line, source };
        if let DeValue::Table(inner) = value.get_ref() {
            let is_section = KEYS.iter().any(|key| key.name.starts_with(&format!("{path}.")));
            if !is_section {
                return Err(refused(unknown(path)));
            }
            collect(text, &path, inner, values)?;
        } else {
            let Some(key) = KEYS.iter().find(|key| key.name == path) else {
                return Err(refused(unknown(path)));
            };
            let value = number(key, value).map_err(refused)?;
            key.check(value).map_err(refused)?;
            values.push((line, key, value));
        }
    }
    Ok(())
}

fn number(key: &Key, value: &Spanned<DeValue<'_>>) -> Result<f64, SettingError> {
    let not_a_number = |got| SettingError::NotANumber { key: key.name, got };
    let digits =
        |text: &str| text.replace('_', "").parse::<f64>().map_err(|_| not_a_number("a number too large"));
    match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() == 10 => digits(integer.as_str()),
        DeValue::Integer(integer) => {
            let number = i32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix());
            number.map(f64::from).map_err(|_| not_a_number("a number too large"))
        }
        DeValue::Float(float) => digits(float.as_str()),
        DeValue::String(_) => Err(not_a_number("a text")),
        DeValue::Boolean(_) => Err(not_a_number("a truth value")),
        DeValue::Datetime(_) => Err(not_a_number("a date")),
        DeValue::Array(_) => Err(not_a_number("an array")),
        DeValue::Table(_) => Err(not_a_number("a table")),
    }
}

fn unknown(key: String) -> SettingError {
    /// More than so many letters apart is no slip.
    const MAX_SLIPS: usize = 3;
    /// What hosts are likely to look for, by the names of the builder.
    const OF_THE_BUILDER: [&str; 12] = [
        "max_users",
        "max_items",
        "max_bytes",
        "half_life",
        "saturation",
        "queue_capacity",
        "max_ahead",
        "threads",
        "durability",
        "checkpoint_every",
        "journal_segment_bytes",
        "keep_journal",
    ];
    let last = key.rsplit('.').next().unwrap_or_default();
    if OF_THE_BUILDER.contains(&last) {
        return SettingError::NeedsReopen { key };
    }
    // A section that is given a value is no slip; of a misspelt one there is no setting.
    let in_section = KEYS.iter().map(|known| known.name).find(|name| name.starts_with(&format!("{key}.")));
    let sections = KEYS.iter().filter_map(|known| known.name.split_once('.')).map(|(section, _)| section);
    let nearest = KEYS
        .iter()
        .map(|known| known.name)
        .chain(sections)
        .map(|name| (slips(&key, name), name))
        .filter(|&(slips, name)| slips <= MAX_SLIPS && 2 * slips < name.len())
        .min();
    SettingError::Unknown { key, nearest: in_section.or(nearest.map(|(_, name)| name)) }
}

/// Letters to add, drop or change to get from one word to the other (Levenshtein's distance).
fn slips(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[to.len()]
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineBuilder;

    fn base() -> LiveSettings {
        EngineBuilder::default().threads(1).open_manual().expect("usable settings").settings()
    }

    #[test]
    fn what_a_file_says_is_laid_over_the_rest() {
        let text = "# by night\nitems.batch_every_ms = 5_00\n\n\
                    [sweeps]\nlater = 0x3\nevery_events = 1e6\n[gate]\nt_limit = 2.5\n";
        let file = SettingsFile::parse(text).expect("sound");
        let base = base();
        let settings = file.over(&base).expect("built in");
        assert_eq!(settings.later_sweeps, 3);
        assert_eq!(settings.gate.map(|gate| gate.t_limit), Some(2.5));
        assert_eq!(base.changes_to(&settings).len(), 4);
        assert_eq!(file.over(&settings), Ok(settings));
        let nothing = SettingsFile::parse("").expect("an empty file says nothing");
        assert_eq!(nothing.over(&base), Ok(base));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, expected) in [
            ("[sweeps]\nlater = = 3\n", "line 2: extra `=`, expected nothing"),
            (
                "\n\n[als]\nregularisation = 1\n",
                "line 4: there is no setting \"als.regularisation\"; is it \"als.regularization\"?",
            ),
            ("[nonsense]\nx = 1\n", "line 1: there is no setting \"nonsense\""),
            (
                "[sweeps]\n\nlater = 2.5\n",
                "line 3: sweeps.later must be between 1 and 1000 and whole, got 2.5",
            ),
            ("als.regularization = nan\n", "line 1: als.regularization must be between"),
            ("als.regularization = \"much\"\n", "line 1: als.regularization must be a number, got a text"),
            ("sweeps = 3\n", "line 1: there is no setting \"sweeps\"; is it \"sweeps.first\"?"),
            ("als.regularization = 1\nals.regularization = 2\n", "line 2: duplicate key"),
            ("sweeps.later = 99999999999999999999\n", "line 1: sweeps.later must be between"),
            ("[sweeps]\nlater = 1", "line 2: the last line is not finished"),
        ] {
            let error = SettingsFile::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let error = SettingsFile::parse_bytes(b"als.regularization = \xff").expect_err("not UTF-8");
        assert_eq!(error, SettingsFileError::Encoding { at: 21 });
    }

    #[test]
    fn what_is_no_setting_is_told_what_it_may_have_meant() {
        let said = |text: &str| SettingsFile::parse(text).expect_err("there is none").to_string();
        assert_eq!(said("[sweep]\nlater = 3\n"), "line 1: there is no setting \"sweep\"; is it \"sweeps\"?");
        assert_eq!(said("sweeps = 3\n"), "line 1: there is no setting \"sweeps\"; is it \"sweeps.first\"?");
        assert_eq!(
            said("\n[limits]\nmax_users = 3\n"),
            "line 3: \"limits.max_users\" is set in the builder and stays while the engine runs; leave it out"
        );
        assert_eq!(said("als.half_life = 3\n").split(';').next_back(), Some(" leave it out"));
        for key in ["volume", "k", "top"] {
            assert_eq!(said(&format!("{key} = 11\n")), format!("line 1: there is no setting {key:?}"));
        }
    }

    #[test]
    fn a_setting_of_a_plug_in_that_is_not_there_is_refused() {
        let own = LiveSettings { gate: None, ..base() };
        let refused = SettingsFile::parse("[gate]\nmin_trials = 500\n").expect("sound").over(&own);
        let message = "line 2: gate.min_trials cannot be set: the engine has a sweep gate of the host's own; leave it out";
        assert_eq!(refused.expect_err("no such gate").to_string(), message);
    }

    #[test]
    fn numbers_of_the_weigher_must_go_together() {
        let file = |text| SettingsFile::parse(text).expect("each is in range").over(&base());
        let settings = file("[weigher]\nlike = 5\nbarely_heard = 0.4\n").expect("they do");
        assert_eq!(settings.weigher.map(|weigher| (weigher.like, weigher.barely_heard)), Some((5.0, 0.4)));
        let refused = file("[weigher]\nlike = 5\nbarely_heard = 0.6\n").expect_err("0.5 is mostly");
        assert_eq!(refused.to_string(), "line 3: weigher: barely_heard must be between 0 and 0.5, got 0.6");
    }

    #[test]
    fn a_mark_of_utf_8_in_front_says_nothing() {
        let file = SettingsFile::parse("\u{feff}[sweeps]\nlater = 3\n").expect("sound");
        assert_eq!(file.over(&base()).map(|settings| settings.later_sweeps), Ok(3));
    }

    #[test]
    fn a_beginning_of_a_file_is_refused_or_ends_with_a_whole_line() {
        let text = "[sweeps]\nlater = 12\n[gate]\nt_limit = 3.25\nmin_trials = 400\n";
        for end in 1..text.len() {
            let parsed = SettingsFile::parse(&text[..end]);
            assert_eq!(parsed.is_ok(), text[..end].ends_with('\n'), "{:?}", &text[..end]);
        }
    }
}
