//! Makes the seeds in `corpus/`, out of the crate itself: `cargo run --example seeds`, in this folder.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use segue::export::Export;
use segue::import::ForeignModel;
use segue::plugin::{EventSource, Pull, SourceBatch, SourceError, SourceWaker};
use segue::{Context, Durability, Event, ManualEngine, MemoryStorage, Storage, UtcOffset};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for stage in 0..4 {
        let storage = MemoryStorage::new();
        let builder = segue_fuzz::builder().store_in(storage.clone(), Durability::Buffered);
        let mut engine = builder.source(Plays { left: stage as u64 }).open_manual()?;
        live(&mut engine, stage)?;
        engine.flush()?;
        put(&corpus, &["journal", "journal_sealed"], stage, &contents(&storage, "journal-"))?;
        let backup = MemoryStorage::new();
        engine.backup_in(backup.clone())?;
        segue_fuzz::open(&backup).expect("what is made of it begins with something that opens");
        put(
            &corpus,
            &["checkpoint", "checkpoint_sealed"],
            stage,
            &contents(&backup, segue_fuzz::CHECKPOINT),
        )?;
        // The stages that have a model, each as an archive and as an array.
        if stage > 1 {
            let view = engine.reader().view();
            let export = Export::of(&view);
            let (mut archive, mut array) = (Vec::new(), Vec::new());
            export.write_npz(&mut archive)?;
            export.write_user_factors(&mut array)?;
            for (number, factors) in [archive, array].into_iter().enumerate() {
                put(&corpus, &["npz"], 2 * stage - 4 + number, &with_lists(&export, &factors)?)?;
            }
        }
    }
    let artists = "id\tname\turl\tpictureURL\n1\tNacre &amp; Co\tu\tp\n2\tMist\tu\tp\n";
    let tags = "tagID\ttagValue\n1\tmist\n";
    let plays = "userID\tartistID\tweight\n1\t1\t30\n2\t2\t1\n";
    let assignments = "userID\tartistID\ttagID\tday\tmonth\tyear\n1\t1\t1\t1\t1\t2010\n2\t7\t1\t1\t4\t2011\n";
    let friends = "userID\tfriendID\n1\t2\n2\t1\n";
    let set = [artists, tags, plays, assignments, friends].join("\0");
    put(&corpus, &["import_lastfm"], 0, set.as_bytes())?;
    for (number, lines) in
        ["1\t2\t3\n1\t4\t5\n", "1 2 3\n4 5\n", "(1,2)\t3\t4\n(5,6)\t7\t8\n"].iter().enumerate()
    {
        put(&corpus, &["eval_read"], number, lines.as_bytes())?;
    }
    put(&corpus, &["spool"], 0, SPOOL.as_bytes())?;
    for (number, file) in [SETTINGS, CATALOGUE].iter().enumerate() {
        put(&corpus, &["watched_files"], number, file.as_bytes())?;
    }
    Ok(())
}

const SPOOL: &str = r#"{"user":"ana","item":"tricky","action":"listen","fraction":0.9}
{"user":7,"item":300,"action":"skip","played_ms":4000,"at":"2023-11-14T22:13:20Z","key":"k"}
{"user":"ben","item":"muse","action":{"custom":"queued"},"undo":true,"at":1700000000000,"context":{"utc_offset_minutes":-90,"activity":"run","device":"watch","session":"s"}}
no event
"#;

const SETTINGS: &str = "[als]
regularization = 0.01
[limits]
max_history = 100
[sweeps]
every_events = 5_000
gramian_moved = 0.1
[gate]
t_limit = 2.5
[weigher]
skip_preference = -0.25
";

const CATALOGUE: &str = "# id, name, tags\nportishead\tPortishead\ttrip-hop\tdark=0.4\nmuse\tMuse\n";

/// The lists of ids and `factors`, with a NUL between one and the next.
fn with_lists(export: &Export<'_>, factors: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    export.write_user_ids(&mut bytes)?;
    bytes.push(0);
    export.write_item_ids(&mut bytes)?;
    bytes.push(0);
    bytes.extend(factors);
    Ok(bytes)
}

/// A few plays from elsewhere.
#[derive(Debug)]
struct Plays {
    left: u64,
}

impl EventSource for Plays {
    fn name(&self) -> &str {
        "plays"
    }

    fn begin(&mut self, _from: Option<u64>, _waker: SourceWaker) -> Result<(), SourceError> {
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        for offset in 1..=std::mem::take(&mut self.left) {
            batch.push(Event::listen("dan", offset), offset);
        }
        Ok(Pull::Ended)
    }
}

fn context() -> Context {
    let offset = UtcOffset::from_minutes(-90).expect("within a day");
    Context::new().utc_offset(offset).activity("running").device("watch").session("s1")
}

/// A little more of everything with each stage.
fn live(engine: &mut ManualEngine, stage: usize) -> Result<(), Box<dyn std::error::Error>> {
    for _ in 0..stage {
        engine.apply(Event::listen("ana", "portishead").fraction(0.97).key("a"))?;
        engine.apply(Event::skip(7_u64, 300_u64).at_fraction(0.1))?;
        engine.apply(Event::like("ben", "tricky"))?;
        engine.apply(Event::undo(Event::like("ben", "tricky")))?;
        engine.apply(
            Event::custom("ana", "muse", "queued").played(Duration::from_millis(90_500)).context(context()),
        )?;
        engine.pump();
        engine.pump_sources();
        engine.commit_offset("feed", 7)?;
    }
    if stage > 1 {
        engine.add_items(["new", "newer"])?;
        engine.sweep()?;
    }
    if stage > 2 {
        let view = engine.reader().view();
        let (mut archive, export) = (Vec::new(), Export::of(&view));
        export.write_npz(&mut archive)?;
        let (mut users, mut items) = (Vec::new(), Vec::new());
        export.write_user_ids(&mut users)?;
        export.write_item_ids(&mut items)?;
        let model = ForeignModel::read_npz(Cursor::new(archive), &users[..], &items[..])?;
        engine.adopt(model)?;
        engine.merge_users(7_u64, "ana");
        engine.forget_user("ben");
        engine.forget_item("newer");
        engine.apply(Event::listen("cleo", "tricky"))?;
        engine.pump();
    }
    Ok(())
}

/// The first file with that front part.
fn contents(storage: &MemoryStorage, prefix: &str) -> Vec<u8> {
    let names = storage.list().expect("memory does not fail");
    let name = names.iter().find(|name| name.starts_with(prefix)).expect("there is one");
    storage.contents(name).expect("it was listed")
}

fn put(corpus: &Path, targets: &[&str], number: usize, bytes: &[u8]) -> std::io::Result<()> {
    for target in targets {
        fs::create_dir_all(corpus.join(target))?;
        fs::write(corpus.join(target).join(format!("seed-{number}")), bytes)?;
    }
    Ok(())
}
