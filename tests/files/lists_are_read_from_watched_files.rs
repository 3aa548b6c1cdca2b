//! Block lists, allow lists and catalogues come from files: whole or not at all, and whoever watches is told.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::common::files::{is_a_file_amiss, replace};
use crate::common::temp::TempDir;
use crate::common::{PATIENCE, small};
use segue::plugin::{AllowList, BlockList, Flags, Incident};
use segue::{
    BuildError, Catalogue, Degradation, Engine, EngineBuilder, Event, Health, ItemId, ListChange,
    ListFileError, Notice, ReloadError,
};

/// What an observer was told of list files: what has changed (`+air -muse ~björk`), or what is wrong.
type Told = Receiver<Result<String, ListFileError>>;

fn in_words(change: &ListChange) -> String {
    let ListChange { added, removed, changed, .. } = change;
    let of = |sign: char, ids: &[ItemId]| ids.iter().map(|id| format!("{sign}{id}")).collect::<Vec<_>>();
    [of('+', added), of('-', removed), of('~', changed)].concat().join(" ")
}

fn watching(builder: EngineBuilder) -> (Engine, Told) {
    let (tell, told) = channel();
    let builder = builder.observe_with(move |notice| {
        let what = if let Notice::ListRead { change, .. } = notice {
            Ok(in_words(change))
        } else if let Notice::ListRefused { error, .. } = notice {
            Err((*error).clone())
        } else {
            return;
        };
        // A test that has ended listens no more.
        let _ = tell.send(what);
    });
    (builder.open().expect("usable settings"), told)
}

/// The same, with a model.
fn open(builder: EngineBuilder) -> (Engine, Told) {
    let (engine, told) = watching(builder);
    let plays = ["air", "muse", "björk", "007"].map(|artist| Event::listen("ana", artist));
    engine.import(plays).expect("running");
    engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    (engine, told)
}

fn popular(engine: &Engine) -> Vec<String> {
    let list = engine.reader().view().popular().run().expect("always an answer");
    let mut artists: Vec<String> = list.ids().map(ToString::to_string).collect();
    artists.sort();
    artists
}

#[test]
fn a_block_list_is_as_its_file_says_and_stays_if_that_says_nothing_good() {
    let dir = TempDir::new();
    let file = dir.path().join("delisted.txt");
    fs::write(&file, "# delisted\nmuse\n\n").expect("it can be written");
    let list = BlockList::new();
    list.block("air");
    let (engine, told) = open(small().filter(list.clone()).block_list_file(&file, &list));
    assert_eq!(popular(&engine), ["007", "air", "björk"], "read before anybody can ask");

    replace(&file, "björk\r\n007\r\nnever heard of\n");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok("+007 +björk +never heard of -muse".to_owned())));
    // The notice comes before the change.
    let is_changed = || list.contains("björk");
    while !is_changed() {
        std::thread::yield_now();
    }
    assert_eq!(popular(&engine), ["air", "muse"]);

    for (bytes, line) in
        [(b"air\n\xff\n".to_vec(), 2), (["air\nmuse\n", &"x".repeat(257), "\n"].concat().into(), 3)]
    {
        replace(&file, bytes);
        match told.recv_timeout(PATIENCE) {
            Ok(Err(ListFileError::Line { line: at, .. })) => assert_eq!(at, line),
            other => panic!("line {line} is wrong, not {other:?}"),
        }
        assert_eq!(popular(&engine), ["air", "muse"]);
    }
    let reloads = engine.stats().reloads;
    assert_eq!((reloads.taken, reloads.refused), (1, 2));
    let latest = reloads.latest_refusal.expect("there are two");
    assert!(latest.contains("delisted.txt: line 3: "), "{latest}");
    let health = engine.health();
    let Health::Degraded { why: Degradation::File { file: named, message } } = &health else {
        panic!("{health:?}")
    };
    assert!(*named == file && message.starts_with("line 3: "), "{health}");
    fs::remove_file(&file).expect("it is there");
    fs::write(&file, "").expect("it can be written");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok("-007 -björk -never heard of".to_owned())));
    while is_a_file_amiss(&engine) {
        std::thread::yield_now();
    }
    drop(engine);
    assert!(list.is_empty());
}

#[test]
fn an_allow_list_too() {
    let dir = TempDir::new();
    let file = dir.path().join("licensed.txt");
    let list = AllowList::new();
    let (engine, told) = open(small().filter(list.clone()).allow_list_file(&file, &list));
    assert!(popular(&engine).is_empty());
    fs::write(&file, "air\nmuse\n").expect("it can be written");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok("+air +muse".to_owned())));
    while !list.contains("air") {
        std::thread::yield_now();
    }
    assert_eq!(popular(&engine), ["air", "muse"]);
}

#[test]
fn a_catalogue_has_names_and_tags_with_weights() {
    let dir = TempDir::new();
    let file = dir.path().join("catalogue.tsv");
    fs::write(&file, "air\tAir\tchill\tfrench=0.5\nmuse\tMuse\texplicit\n").expect("it can be written");
    let flags = Flags::new(Catalogue::new());
    let (engine, told) = open(small().filter(flags.without("explicit")).catalogue_file(&file, &flags));
    assert_eq!(popular(&engine), ["007", "air", "björk"]);
    let catalogue = flags.catalogue();
    let air = catalogue.get(&"air".into()).expect("it is in the file");
    let tags: Vec<_> = air.tags.iter().map(|tag| (tag.name(), tag.weight())).collect();
    assert_eq!((&*air.name, tags), ("Air", vec![("chill", 1.0), ("french", 0.5)]));

    for (text, wrong) in [
        ("air\tAir\nmuse\n", (2, "there is no name")),
        ("air\tAir\nair\tAir again\n", (2, "the item is there already")),
        ("air\tAir\tchill=0\n", (1, "the weight of tag")),
        ("air\tAir\t=1\n", (1, "a tag has no name")),
        ("air\tAir\n\nmuse\tMuse\texplicit=1,0\n", (3, "the weight of tag \"explicit\" must be a number")),
    ] {
        replace(&file, text);
        match told.recv_timeout(PATIENCE) {
            Ok(Err(ListFileError::Line { line, what })) => {
                assert!(line == wrong.0 && what.contains(wrong.1), "{line}: {what}");
            }
            other => panic!("{wrong:?}, not {other:?}"),
        }
    }
    replace(&file, "air\tAir\tchill\tfrench=0.25\nbjörk\tBjörk\texplicit\n");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok("+björk -muse ~air".to_owned())));
    while flags.catalogue().get(&"björk".into()).is_none() {
        std::thread::yield_now();
    }
    assert_eq!(popular(&engine), ["007", "air", "muse"]);
}

#[test]
fn an_observer_that_panics_or_dawdles_on_the_thread_of_a_file_is_named_and_the_file_obeyed() {
    for act in [(|| panic!("cannot look")) as fn(), || std::thread::sleep(Duration::from_millis(200))] {
        let dir = TempDir::new();
        let file = dir.path().join("delisted.txt");
        let list = BlockList::new();
        let builder = small().filter(list.clone()).block_list_file(&file, &list);
        let builder = builder.observe_with(move |notice| {
            if matches!(notice, Notice::ListRead { .. }) {
                assert_eq!(std::thread::current().name(), Some("segue-list"));
                act();
            }
        });
        let engine = builder.open().expect("usable settings");
        engine.import(["air", "muse"].map(|artist| Event::listen("ana", artist))).expect("running");
        fs::write(&file, "muse\n").expect("it can be written");
        while !list.contains("muse") {
            std::thread::yield_now();
        }
        assert_eq!(popular(&engine), ["air"]);
        let health = engine.health();
        let Health::Degraded { why: Degradation::Plugin { seam: "observer", incident, .. } } = health else {
            panic!("{health:?}")
        };
        if let Incident::Slow { took, .. } = incident {
            assert!(took >= Duration::from_millis(200));
        } else {
            assert_eq!(incident, Incident::Panicked { message: "cannot look".to_owned() });
        }
    }
}

#[test]
fn what_is_wrong_at_the_opening_is_refused_there() {
    let dir = TempDir::new();
    let file = dir.path().join("delisted.txt");
    fs::write(&file, b"a\n\xff\n").expect("it can be written");
    let list = BlockList::new();
    let builder = || small().block_list_file(&file, &list);
    for refused in [builder().open().map(drop), builder().open_manual().map(drop)] {
        match refused {
            Err(BuildError::ListFile { path, source: ListFileError::Line { line: 2, .. } }) => {
                assert_eq!(path, file);
            }
            other => panic!("line 2 is wrong, not {other:?}"),
        }
    }
}

#[test]
fn half_a_line_is_refused_and_a_mark_of_utf_8_is_none() {
    let dir = TempDir::new();
    let file = dir.path().join("delisted.txt");
    let list = BlockList::new();
    fs::write(&file, "air\nmu").expect("it can be written");
    match small().block_list_file(&file, &list).open() {
        Err(BuildError::ListFile { source: ListFileError::Unfinished { line: 2 }, .. }) => {}
        other => panic!("line 2 is not finished, not {other:?}"),
    }
    fs::write(&file, "\u{feff}air\n").expect("it can be written");
    let (engine, told) = open(small().block_list_file(&file, &list));
    assert!(list.contains("air") && list.len() == 1);
    replace(&file, "muse\nbjörk");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Err(ListFileError::Unfinished { line: 2 })));
    drop(engine);
    assert!(list.contains("air") && list.len() == 1);
}

#[test]
fn what_a_host_does_after_the_opening_lasts_until_the_file_changes() {
    let dir = TempDir::new();
    let file = dir.path().join("delisted.txt");
    fs::write(&file, "muse\n").expect("it can be written");
    let list = BlockList::new();
    let (_engine, told) = watching(small().block_list_file(&file, &list));
    list.block("air");
    replace(&file, "muse\nbjörk\n");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok("+björk -air".to_owned())), "now, not before");
}

#[test]
fn two_files_for_one_list_are_refused() {
    let (list, flags) = (BlockList::new(), Flags::new(Catalogue::new()));
    let other = BlockList::new();
    let apart = small().block_list_file("a", &list).block_list_file("b", &other).catalogue_file("c", &flags);
    assert!(apart.open_manual().is_ok());
    for builder in [
        small().block_list_file("a", &list).block_list_file("b", &other).block_list_file("c", &list.clone()),
        small().catalogue_file("a", &flags).catalogue_file("c", &flags.clone()),
    ] {
        match builder.open() {
            Err(BuildError::SameList { first, second }) => {
                assert_eq!((first.as_path(), second.as_path()), (Path::new("a"), Path::new("c")));
            }
            other => panic!("both fill one, not {other:?}"),
        }
    }
}

#[test]
fn what_is_no_file_is_refused_at_the_opening_and_not_waited_for() {
    let dir = TempDir::new();
    let list = BlockList::new();
    let large = dir.path().join("large");
    fs::File::create(&large).and_then(|file| file.set_len(17 << 20)).expect("it can be made");
    for file in [dir.path().to_owned(), large, "/".into()] {
        let settings = small().settings_file(&file).open().map(drop);
        match small().block_list_file(&file, &list).open() {
            Err(BuildError::ListFile { source: ListFileError::Unreadable { message }, .. }) => {
                assert!(message.contains(file.to_str().expect("it is UTF-8")), "{message}");
            }
            other => panic!("{} cannot be a list, not {other:?}", file.display()),
        }
        let Err(BuildError::SettingsFile { source: ReloadError::Unreadable { .. }, .. }) = settings else {
            panic!("{} cannot be settings, not {settings:?}", file.display());
        };
    }
}
