use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{DirStorage, MemoryStorage, Storage, contract};

/// A directory of a test's own, removed when it is dropped.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("segue-storage-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self(path)
    }

    fn store(&self) -> DirStorage {
        DirStorage::new(self.0.join("store"))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn kind<T>(result: io::Result<T>) -> ErrorKind {
    result.err().expect("it is refused").kind()
}

#[test]
fn a_directory_keeps_the_contract() {
    let temp = TempDir::new();
    contract::check(&temp.store());
    // A second value is the same store, one for another path is not.
    contract::check(&DirStorage::new(temp.0.join("store")));
    contract::check(&DirStorage::new(temp.0.join("another")));
}

#[test]
fn memory_keeps_the_contract() {
    let storage = MemoryStorage::new();
    contract::check(&storage);
    contract::check(&storage.clone());
}

#[test]
fn clones_of_a_memory_are_the_same_store() {
    let storage = MemoryStorage::new();
    let clone = storage.clone();
    let lock = storage.lock().expect("nobody has it");
    assert_eq!(kind(clone.lock()), ErrorKind::WouldBlock);
    clone.insert("a", b"put in");
    assert_eq!(storage.contents("a"), Some(b"put in".to_vec()));
    assert_eq!(storage.contents("b"), None);
    drop(lock);
    drop(clone.lock().expect("nobody has it any more"));
}

#[test]
fn nothing_is_made_before_something_is_written() {
    let temp = TempDir::new();
    let storage = DirStorage::new(temp.0.join("deep/down/store"));
    assert!(storage.list().expect("there is nothing").is_empty());
    assert_eq!(kind(storage.open("a")), ErrorKind::NotFound);
    assert!(!temp.0.join("deep").exists());
    drop(storage.lock().expect("nobody has it"));
    assert!(storage.directory().is_dir());
    storage.sync_directory().expect("it is there");
}

#[test]
fn a_relative_path_is_taken_from_where_the_process_stands() {
    let storage = DirStorage::new("some/store");
    let here = std::env::current_dir().expect("the process stands somewhere");
    assert_eq!(storage.directory(), here.join("some/store"));
    let unnamed = DirStorage::new("");
    assert_eq!(kind(unnamed.lock()), ErrorKind::InvalidInput, "most likely a setting that is not set");
    assert_eq!(kind(unnamed.create("a")), ErrorKind::InvalidInput);
}

#[test]
fn what_is_not_ours_is_not_listed() {
    let temp = TempDir::new();
    let storage = temp.store();
    storage.create("ours").expect("there is none of that name");
    let directory = storage.directory();
    fs::create_dir(directory.join("folder")).expect("the directory can be written");
    fs::write(directory.join("not ours"), "").expect("the directory can be written");
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let strange = std::ffi::OsStr::from_bytes(b"\xff");
        // Some file systems refuse such a name themselves.
        let _ = fs::write(directory.join(strange), "");
        std::os::unix::fs::symlink(directory.join("nowhere"), directory.join("dangling")).expect("a link");
    }
    drop(storage.lock().expect("nobody has it"));
    assert_eq!(storage.list().expect("it is there"), ["ours"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_was_moved_and_linked_to_is_still_ours() {
    let temp = TempDir::new();
    let storage = temp.store();
    storage.create("moved").expect("there is none of that name").append(b"far away").expect("room");
    let (old, new) = (storage.directory().join("moved"), temp.0.join("elsewhere"));
    fs::rename(&old, &new).expect("the directories can be written");
    std::os::unix::fs::symlink(&new, &old).expect("a link");
    assert_eq!(storage.list().expect("it is there"), ["moved"]);
    assert_eq!(storage.open("moved").expect("it is there").len(), 8);
}

#[test]
fn a_directory_that_vanishes_is_not_begun_anew() {
    let temp = TempDir::new();
    let storage = temp.store();
    let lock = storage.lock().expect("nobody has it");
    storage.create("a").expect("there is none of that name");
    if fs::remove_dir_all(storage.directory()).is_err() {
        eprintln!("skipped: this system does not remove a directory with open files");
        return;
    }
    assert_eq!(kind(storage.create("b")), ErrorKind::NotFound);
    assert_eq!(kind(storage.list()), ErrorKind::NotFound);
    assert_eq!(kind(storage.open("a")), ErrorKind::NotFound);
    assert_eq!(kind(storage.remove("a")), ErrorKind::NotFound);
    if cfg!(unix) {
        assert_eq!(kind(storage.sync_directory()), ErrorKind::NotFound);
    }
    assert!(!storage.directory().exists());
    drop(lock);
    // Opened anew it is a new store.
    drop(temp.store().lock().expect("nobody has it"));
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error() {
    let temp = TempDir::new();
    let storage = temp.store();
    fs::write(storage.directory(), "in the way").expect("the temporary directory can be written");
    assert!(storage.list().is_err() && storage.lock().is_err() && storage.create("a").is_err());
    assert_eq!(fs::read(storage.directory()).expect("it is still there"), b"in the way");
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempDir::new();
    temp.store().create("a").expect("there is none of that name").append(b"kept").expect("there is room");
    let storage = temp.store();
    fs::set_permissions(storage.directory(), fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(storage.directory().join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write everywhere, as root may");
        return;
    }
    assert_eq!(storage.list().expect("it can be read"), ["a"]);
    assert_eq!(storage.open("a").expect("it can be read").len(), 4);
    assert_eq!(kind(storage.create("b")), ErrorKind::PermissionDenied);
    assert_eq!(kind(storage.remove("a")), ErrorKind::PermissionDenied);
    assert_eq!(kind(storage.lock()), ErrorKind::PermissionDenied);
    fs::set_permissions(storage.directory(), fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Names the directory to a child process that is to lock it.
const CHILD: &str = "SEGUE_TEST_LOCK";

/// This test again, in a process of its own, as one that takes the lock, says so and waits for its end.
fn child_that_locks(directory: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", "storage::tests::another_process_is_kept_out", "--nocapture"])
        .env(CHILD, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let said = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("lock: ").map(|(_, said)| said.to_owned()));
    (child, said.expect("the child tried"))
}

#[test]
fn another_process_is_kept_out() {
    if let Some(directory) = std::env::var_os(CHILD) {
        let lock = DirStorage::new(directory).lock();
        println!("lock: {:?}", lock.as_ref().map(|_| ()).map_err(io::Error::kind));
        // Until the parent lets go of its end.
        let _ = io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    }
    let temp = TempDir::new();
    let storage = temp.store();
    let lock = storage.lock().expect("nobody has it");
    let (mut child, said) = child_that_locks(storage.directory());
    drop(child.stdin.take());
    assert!(child.wait().expect("it was started").success());
    assert_eq!(said, "Err(WouldBlock)");
    drop(lock);

    let (mut child, said) = child_that_locks(storage.directory());
    assert_eq!(said, "Ok(())");
    assert_eq!(kind(storage.lock()), ErrorKind::WouldBlock);
    child.kill().expect("it was started");
    child.wait().expect("it was started");
    drop(storage.lock().expect("a killed process has no lock"));
}
