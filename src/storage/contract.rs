//! What every [`Storage`] must do, as a test that any implementation can be put to.
//!
//! It needs nothing of this crate but what is public, so that the tests outside take this file in as well
//! (`tests/stores/the_power_cut_simulator.rs`). What happens when the power is cut is not in it: that takes a device that can
//! be asked to lose something.

use std::io::{self, ErrorKind, Read};

use super::Storage;

/// Puts `storage`, which must be empty, through all that is promised of it, and leaves it empty.
///
/// # Panics
/// If a promise is not kept.
pub(crate) fn check(storage: &dyn Storage) {
    assert_eq!(names(storage), [""; 0], "the storage must be empty");
    files_that_are_not_there(storage);
    a_file_is_created_once(storage);
    what_is_appended_is_read_back(storage);
    one_appends_while_another_syncs(storage);
    a_rename_replaces(storage);
    a_file_is_followed_through_its_rename(storage);
    a_truncated_file_goes_on_at_its_new_end(storage);
    a_removed_file_is_gone(storage);
    unsuitable_names_are_refused(storage);
    the_lock_keeps_others_out(storage);
    assert_eq!(names(storage), [""; 0]);
    storage.sync_directory().expect("the folder can be synced");
}

fn names(storage: &dyn Storage) -> Vec<String> {
    let mut names = storage.list().expect("the files can be listed");
    names.sort_unstable();
    names
}

fn contents(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let mut file = storage.open(name).expect("the file is there");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the file can be read");
    assert_eq!((file.len(), file.is_empty()), (bytes.len() as u64, bytes.is_empty()));
    bytes
}

fn create(storage: &dyn Storage, name: &str, bytes: &[u8]) {
    storage.create(name).expect("there is none of that name").append(bytes).expect("there is room");
}

#[track_caller]
fn refused<T>(result: io::Result<T>, kind: ErrorKind) {
    match result {
        Ok(_) => panic!("it was done, not refused"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
    }
}

fn files_that_are_not_there(storage: &dyn Storage) {
    create(storage, "there", b"stays");
    refused(storage.open("nowhere"), ErrorKind::NotFound);
    refused(storage.truncate("nowhere", 0), ErrorKind::NotFound);
    refused(storage.remove("nowhere"), ErrorKind::NotFound);
    refused(storage.rename("nowhere", "there"), ErrorKind::NotFound);
    assert_eq!(contents(storage, "there"), b"stays");
    storage.remove("there").expect("it is there");
}

fn a_file_is_created_once(storage: &dyn Storage) {
    let file = storage.create("journal-1.log").expect("there is none of that name");
    assert_eq!(names(storage), ["journal-1.log"]);
    assert_eq!(contents(storage, "journal-1.log"), b"");
    file.append(b"first").expect("there is room");
    refused(storage.create("journal-1.log"), ErrorKind::AlreadyExists);
    assert_eq!(contents(storage, "journal-1.log"), b"first", "the refusal changed nothing");
    storage.remove("journal-1.log").expect("it is there");
}

fn what_is_appended_is_read_back(storage: &dyn Storage) {
    let file = storage.create("pieces").expect("there is none of that name");
    let mut expected = Vec::new();
    for n_bytes in [1, 0, 511, 512, 513, 4_096, 70_000, 1 << 20] {
        let piece: Vec<u8> = (0..=250).cycle().skip(n_bytes % 7).take(n_bytes).collect();
        file.append(&piece).expect("there is room");
        expected.extend_from_slice(&piece);
        assert!(contents(storage, "pieces") == expected, "at once, without a sync: {n_bytes} bytes");
    }
    file.sync().expect("the file can be synced");
    storage.sync_directory().expect("the folder can be synced");

    // Two readers do not share a place.
    let (mut first, mut second) =
        (storage.open("pieces").expect("there"), storage.open("pieces").expect("there"));
    let mut buffer = [0; 700];
    for from in (0..7_000).step_by(700) {
        first.read_exact(&mut buffer).expect("there is more");
        assert!(buffer[..] == expected[from..from + 700]);
    }
    second.read_exact(&mut buffer).expect("there is more");
    assert!(buffer[..] == expected[..700]);
    drop((first, second, file));
    storage.remove("pieces").expect("it is there");
}

fn one_appends_while_another_syncs(storage: &dyn Storage) {
    let file = storage.create("shared").expect("there is none of that name");
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| (0..20).try_for_each(|_| file.sync()));
        for n in 0..200_u8 {
            file.append(&[n; 30]).expect("there is room");
        }
        syncing.join().expect("no panic").expect("the file can be synced");
    });
    let expected: Vec<u8> = (0..200_u8).flat_map(|n| [n; 30]).collect();
    assert!(contents(storage, "shared") == expected);
    storage.remove("shared").expect("it is there");
}

fn a_rename_replaces(storage: &dyn Storage) {
    create(storage, "checkpoint.new", b"new");
    storage.rename("checkpoint.new", "checkpoint").expect("it is there");
    assert_eq!(
        (names(storage), contents(storage, "checkpoint")),
        (vec!["checkpoint".to_owned()], b"new".to_vec())
    );
    create(storage, "checkpoint.new", b"newer");
    storage.rename("checkpoint.new", "checkpoint").expect("it is there");
    assert_eq!(
        (names(storage), contents(storage, "checkpoint")),
        (vec!["checkpoint".to_owned()], b"newer".to_vec())
    );
    storage.sync_directory().expect("the folder can be synced");
    storage.remove("checkpoint").expect("it is there");
}

fn a_file_is_followed_through_its_rename(storage: &dyn Storage) {
    let file = storage.create("before").expect("there is none of that name");
    file.append(b"one ").expect("there is room");
    storage.rename("before", "after").expect("it is there");
    file.append(b"two").expect("there is room");
    file.sync().expect("the file can be synced");
    assert_eq!(contents(storage, "after"), b"one two");
    storage.remove("after").expect("it is there");
}

fn a_truncated_file_goes_on_at_its_new_end(storage: &dyn Storage) {
    let file = storage.create("tail").expect("there is none of that name");
    file.append(b"whole torn").expect("there is room");
    storage.truncate("tail", 6).expect("it is that long");
    assert_eq!(contents(storage, "tail"), b"whole ");
    storage.truncate("tail", 6).expect("it is that long");
    refused(storage.truncate("tail", 7), ErrorKind::InvalidInput);
    assert_eq!(contents(storage, "tail"), b"whole ");
    file.append(b"again").expect("there is room");
    assert_eq!(contents(storage, "tail"), b"whole again");
    storage.truncate("tail", 0).expect("it is that long");
    assert_eq!(contents(storage, "tail"), b"");
    storage.remove("tail").expect("it is there");
}

fn a_removed_file_is_gone(storage: &dyn Storage) {
    create(storage, "a", b"old");
    create(storage, "b", b"stays");
    storage.remove("a").expect("it is there");
    assert_eq!(names(storage), ["b"]);
    refused(storage.open("a"), ErrorKind::NotFound);
    refused(storage.remove("a"), ErrorKind::NotFound);
    create(storage, "a", b"");
    assert_eq!((contents(storage, "a"), contents(storage, "b")), (b"".to_vec(), b"stays".to_vec()));
    storage.remove("a").expect("it is there");
    storage.remove("b").expect("it is there");
}

fn unsuitable_names_are_refused(storage: &dyn Storage) {
    create(storage, "a", b"stays");
    for name in ["", ".", "..", "a/b", "../a", "/a", "a\\b", "a b", "a:b", "a.", "ä", "a\0", "LOCK", "lock"]
    {
        refused(storage.create(name), ErrorKind::InvalidInput);
        refused(storage.open(name), ErrorKind::InvalidInput);
        refused(storage.truncate(name, 0), ErrorKind::InvalidInput);
        refused(storage.remove(name), ErrorKind::InvalidInput);
        refused(storage.rename("a", name), ErrorKind::InvalidInput);
        refused(storage.rename(name, "a"), ErrorKind::InvalidInput);
    }
    assert_eq!((names(storage), contents(storage, "a")), (vec!["a".to_owned()], b"stays".to_vec()));
    storage.remove("a").expect("it is there");
}

fn the_lock_keeps_others_out(storage: &dyn Storage) {
    let lock = storage.lock().expect("nobody has it");
    refused(storage.lock(), ErrorKind::WouldBlock);
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| storage.lock().map(drop));
        refused(elsewhere.join().expect("no panic"), ErrorKind::WouldBlock);
    });
    assert_eq!(names(storage), [""; 0], "the lock is not a file of the store");
    create(storage, "a", b"whoever has the lock may write");
    storage.remove("a").expect("it is there");
    drop(lock);
    let again = storage.lock().expect("nobody has it any more");
    drop(again);
}
