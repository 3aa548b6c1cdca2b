//! A directory is exported as a whole or not at all, and what stands in the way is named.

use std::error::Error;
use std::fs;
use std::io::{self, Write};

use crate::common::small;
use crate::common::temp::TempDir;
use segue::export::{Export, ExportError};
use segue::{Event, ManualEngine};

fn engine(user: &str) -> ManualEngine {
    let mut engine = small().open_manual().expect("usable settings");
    engine.import([
        Event::listen(user, "muse"),
        Event::listen("ben", "muse"),
        Event::listen("ben", "tricky"),
    ]);
    engine.sweep().expect("there is something to learn");
    engine
}

/// A writer with room for so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.0);
        self.0 -= n;
        if n == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_behind() {
    let folder = TempDir::new();
    let (engine, target) = (engine("ana"), folder.path().join("made/too/out"));
    let view = engine.reader().view();
    Export::of(&view).save(&target).expect("there is room");
    let names = |dir| -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .expect("it is there")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("ours"))
            .collect();
        names.sort();
        names
    };
    let files = ["histories.csv", "item_factors.npy", "items.txt", "user_factors.npy", "users.txt"];
    assert_eq!(names(target.clone()), files);
    assert_eq!(fs::read_to_string(target.join("items.txt")).expect("written"), "muse\ntricky\n");

    let refused = Export::of(&view).save(&target);
    assert!(matches!(refused, Err(ExportError::Exists { path }) if path == target));
    assert_eq!(names(folder.path().join("made/too")), ["out"], "what was begun is gone");
    fs::create_dir(folder.path().join("empty")).expect("there is room");
    Export::of(&view).save(folder.path().join("empty")).expect("an empty directory is as good as none");
    assert_eq!(names(folder.path().join("empty")), files);

    fs::write(folder.path().join("file"), "in the way").expect("there is room");
    let refused = Export::of(&view).save(folder.path().join("file"));
    assert!(matches!(refused, Err(ExportError::Exists { .. })), "{refused:?}");
    let refused = Export::of(&view).save(folder.path().join("file/out"));
    assert!(matches!(refused, Err(ExportError::File { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(folder.path().join("file")).expect("it is there"), "in the way");
}

#[test]
fn an_id_of_two_lines_is_named_and_leaves_nothing() {
    for user in ["two\nlines", "two\rlines"] {
        let (folder, engine) = (TempDir::new(), engine(user));
        let view = engine.reader().view();
        let export = Export::of(&view);
        let refused = export.save(folder.path().join("out"));
        let is_named =
            matches!(&refused, Err(ExportError::LineBreak { list: "users.txt", id }) if id == user);
        assert!(is_named, "{refused:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
        export.write_user_factors(io::sink()).expect("rows need no ids");
        export.write_histories(io::sink()).expect("a field may have several lines");
    }
}

#[test]
fn without_a_model_there_are_only_histories() {
    let mut engine = small().open_manual().expect("usable settings");
    engine.import([Event::listen("ana", "muse").at(crate::common::now())]);
    engine.fold_items();
    let view = engine.reader().view();
    let (folder, export) = (TempDir::new(), Export::of(&view));
    assert_eq!(export.n_factors(), None);
    assert!(matches!(export.write_user_factors(io::sink()), Err(ExportError::NoModel)));
    assert!(matches!(export.write_item_factors(io::sink()), Err(ExportError::NoModel)));
    assert!(matches!(export.save(folder.path().join("out")), Err(ExportError::NoModel)));
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    let mut csv = Vec::new();
    export.write_histories(&mut csv).expect("memory takes it");
    let csv = String::from_utf8(csv).expect("text");
    let (_, pairs) = csv.split_once("\r\n").expect("a header");
    assert_eq!(pairs, "ana,muse,1,1,1,1700000000000\r\n");
}

type Part = fn(&Export<'_>, &mut dyn Write) -> Result<(), ExportError>;

#[test]
fn a_writer_that_fails_is_passed_on_wherever_it_fails() {
    let engine = engine("ana");
    let view = engine.reader().view();
    let export = Export::of(&view);
    let parts: [Part; 5] = [
        |export, to| export.write_user_ids(to),
        |export, to| export.write_item_ids(to),
        |export, to| export.write_user_factors(to),
        |export, to| export.write_item_factors(to),
        |export, to| export.write_histories(to),
    ];
    for part in parts {
        let mut whole = Vec::new();
        part(&export, &mut whole).expect("memory takes it");
        for room in 0..whole.len() {
            let failed = part(&export, &mut Full(room)).expect_err("there is no room");
            let source = failed.source().and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::StorageFull));
        }
        part(&export, &mut Full(whole.len())).expect("there is just enough room");
    }
}

#[test]
fn an_archive_that_does_not_fit_fails_wherever_it_ends() {
    let engine = engine("ana");
    let view = engine.reader().view();
    let mut whole = Vec::new();
    Export::of(&view).write_npz(&mut whole).expect("memory takes it");
    for room in 0..whole.len() {
        let failed = Export::of(&view).write_npz(Full(room)).expect_err("there is no room");
        let source = failed.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::StorageFull), "after {room} bytes");
    }
}
