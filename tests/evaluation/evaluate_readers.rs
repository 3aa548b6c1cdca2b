//! A bad line of a data set is refused with its file, its line and what was expected.

use std::error::Error;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use segue::eval::{
    FileFormat, GivenNegatives, Ids, LineProblem, ReadError, read_lists, read_ncf_negatives, read_pairs,
};
use segue::{ItemIdx, UserIdx};

/// A file of its own for one test, removed at its end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(test: &str, content: &[u8]) -> Self {
        let name = format!("segue-evaluate-readers-{}-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("the temporary directory can be written");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A file left behind in the temporary directory fails no test.
        let _ = fs::remove_file(&self.0);
    }
}

/// Asserts that the reader refuses line 2 of `content` because of `expected`, naming file and line.
fn assert_refused<T: Debug>(
    test: &str,
    read: impl Fn(&Path, &mut Ids) -> Result<T, ReadError>,
    content: &[u8],
    expected: &LineProblem,
) {
    let file = TempFile::new(test, content);
    let error = read(&file.0, &mut Ids::default()).expect_err("line 2 is bad");
    let ReadError::Line { path, line, problem, .. } = &error else {
        panic!("not an error of a line: {error:?}");
    };
    assert_eq!((path, *line, problem), (&file.0, 2, expected), "{content:?}");
    let message = error.to_string();
    assert!(message.contains(&format!("{}, line 2: ", file.0.display())), "{message}");
    assert!(message.contains("; expected "), "{message}");
}

#[test]
fn pairs_refuse_bad_lines() {
    for (content, problem) in [
        (&b"ana\tmuse\nbo\t\xff\n"[..], LineProblem::NotUtf8),
        (b"ana\tmuse\nbo", LineProblem::MissingColumn("item")),
        (b"ana\tmuse\nbo muse\n", LineProblem::MissingColumn("item")),
        (b"ana\tmuse\n\tmuse\n", LineProblem::EmptyId("user")),
        (b"ana\tmuse\n\nbo\tmuse\n", LineProblem::EmptyId("user")),
        (b"ana\tmuse\nbo\t  \t1\n", LineProblem::EmptyId("item")),
        (b"ana\tmuse\nbo\tmuse\tNaN\n", LineProblem::Value("NaN".into())),
        (b"ana\tmuse\nbo\tmuse\tinf\n", LineProblem::Value("inf".into())),
        (b"ana\tmuse\nbo\tmuse\t-1\n", LineProblem::Value("-1".into())),
        (b"ana\tmuse\nbo\tmuse\tmany\n", LineProblem::Value("many".into())),
        (b"ana\tmuse\nbo\tmuse\t\n", LineProblem::Value(String::new())),
    ] {
        assert_refused("pairs", read_pairs, content, &problem);
    }
}

#[test]
fn lists_refuse_bad_lines() {
    for (content, problem) in [
        (&b"1 2 3\n2 \xc3\n"[..], LineProblem::NotUtf8),
        (b"1 2 3\n  \n2 3\n", LineProblem::MissingColumn("user")),
    ] {
        assert_refused("lists", read_lists, content, &problem);
    }
}

#[test]
fn given_negatives_refuse_bad_lines() {
    for (content, problem) in [
        (&b"(0,1)\t2\n(0,3)\t\xff\n"[..], LineProblem::NotUtf8),
        (b"(0,1)\t2\n(0,3)\n", LineProblem::MissingColumn("first negative")),
        (b"(0,1)\t2\n(0,3)\t\t4\n", LineProblem::EmptyId("negative")),
        (b"(0,1)\t2\n(,3)\t4\n", LineProblem::EmptyId("user")),
        (b"(0,1)\t2\n(0,)\t4\n", LineProblem::EmptyId("item")),
        (b"(0,1)\t2\n0,3\t4\n", LineProblem::Key("0,3".into())),
        (b"(0,1)\t2\n(03)\t4\n", LineProblem::Key("(03)".into())),
        (b"(0,1)\t2\n(0,3,5)\t4\n", LineProblem::Key("(0,3,5)".into())),
    ] {
        assert_refused("negatives", read_ncf_negatives, content, &problem);
    }
}

#[test]
fn an_empty_file_is_refused() {
    let file = TempFile::new("empty-file", b"");
    for read in [read_pairs, read_lists] {
        let error = read(&file.0, &mut Ids::default()).expect_err("there is nothing");
        assert!(matches!(&error, ReadError::Empty { path, .. } if *path == file.0), "{error:?}");
    }
}

#[test]
fn a_missing_file_is_named_and_the_cause_kept() {
    let path = std::env::temp_dir().join("segue-evaluate-readers-no-such-file");
    let error = read_ncf_negatives(&path, &mut Ids::default()).expect_err("there is no such file");
    assert!(error.to_string().contains("segue-evaluate-readers-no-such-file"), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn files_of_one_data_set_share_their_rows() {
    let train = TempFile::new("shared-train", b"0 25 7\n1 7\n");
    let test = TempFile::new("shared-test", b"1\t25\t5\t978300174\n");
    let negatives = TempFile::new("shared-negatives", b"(1,25)\t7\t9\n");
    let mut ids = Ids::default();
    let heard = FileFormat::Lists.read(&train.0, &mut ids).expect("well formed");
    assert_eq!((heard.len(), ids.n_users(), ids.n_items()), (3, 2, 2));
    let held_out = FileFormat::Pairs.read(&test.0, &mut ids).expect("well formed");
    let row = (held_out[0].user, held_out[0].item, held_out[0].value);
    assert_eq!(row, (UserIdx::new(1), ItemIdx::new(0), 5.0));
    let cases = read_ncf_negatives(&negatives.0, &mut ids).expect("well formed");
    let expected = GivenNegatives {
        user: UserIdx::new(1),
        positive: ItemIdx::new(0),
        negatives: vec![ItemIdx::new(1), ItemIdx::new(2)],
    };
    assert_eq!(cases, [expected]);
    assert_eq!(ids.item("9"), Some(ItemIdx::new(2)));
}
