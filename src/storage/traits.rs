//! What the journal and the checkpoints ask of the place they are kept in.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A flat folder of files that are written once, from front to back.
///
/// The engine writes its journal and its checkpoints through it, so a host can keep them elsewhere than in a
/// directory, and a test can cut the power between any two calls. File names are ASCII letters, digits, `-`,
/// `.` and `_`; they do not end in `.`, are not `LOCK`, and no two differ in case alone.
///
/// # What an implementation promises
///
/// * [`AppendFile::append`] either takes all bytes or fails; after a failure any front part of them may be
///   in the file.
/// * What was appended is read back at once, but survives a power cut only once [`AppendFile::sync`] has
///   returned `Ok`; before that, any part of it may be there, in any order.
/// * Whoever appends to a file goes on with the same file after it was renamed, and at its new end after it
///   was truncated.
/// * A file that was created, renamed or removed is so at once, but survives a power cut only once
///   [`sync_directory`](Self::sync_directory) has returned `Ok`.
/// * [`truncate`](Self::truncate) has survived a power cut once it returns `Ok`.
///
/// Any call may fail with [`io::ErrorKind::InvalidInput`] if it is given a name that no file may have.
///
/// # Threads, and time
///
/// Called on the thread that opens the engine (all that is read), the writer thread (appends), the thread that syncs, and
/// the thread that writes a checkpoint; any of them may block for as long as the device takes. Nothing is called while a
/// lock is held that a query needs. A call should come back within 100 ms, reading aside: more is counted, and named in
/// [`health`](crate::Engine::health) if it happens again among the next 1,024 calls, or if it was more than 2 s.
///
/// # What goes wrong
///
/// An error and a panic are the same: what was asked for has failed. Of an error the engine keeps its
/// [kind](io::Error::kind) and what it says, with its causes. So has reading from a file that claims to have given
/// more bytes than were asked for, or ends before its [`len`](ReadFile::len); what it has beyond that is not read. A panic and such nonsense are
/// counted and named. A running engine whose journal fails is read-only from then on.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The names of all files, in any order; none if nothing was ever created.
    ///
    /// # Errors
    /// Whatever the device says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file for reading, from its start.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>>;

    /// Makes a new, empty file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one of that name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>>;

    /// Shortens a file to its first `len` bytes, durably.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none, [`io::ErrorKind::InvalidInput`] if it has fewer bytes than
    /// that.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;

    /// Renames a file in one step; one that was called `to` is replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none; one called `to` is then left as it is.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed survive a power cut.
    ///
    /// # Errors
    /// Whatever the device says.
    fn sync_directory(&self) -> io::Result<()>;

    /// Keeps everybody else out, other processes included, until the lock is dropped or its process ends.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if somebody else has it.
    fn lock(&self) -> io::Result<Box<dyn StorageLock>>;
}

/// A file that is being written. Clones of the `Arc` it comes in are the same file.
pub trait AppendFile: fmt::Debug + Send + Sync + 'static {
    /// Writes all of `bytes` at the end. Only one thread at a time calls it.
    ///
    /// # Errors
    /// Whatever the device says; a front part of `bytes` may have been written.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything that was appended before the call survive a power cut. May run while another thread
    /// appends.
    ///
    /// # Errors
    /// Whatever the device says. The engine never calls it again on this file after a failure: what was not
    /// written may be gone.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is being read.
pub trait ReadFile: io::Read + fmt::Debug + Send {
    /// Its length in bytes: as many as there are to read. Asked once, when it was opened.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Held for as long as a storage belongs to one engine; dropping it lets go.
pub trait StorageLock: fmt::Debug + Send + Sync {}

/// What [`Storage::truncate`] answers when it is asked to make a file longer.
pub(super) fn longer_than_the_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a file cannot be truncated to more bytes than it has")
}
