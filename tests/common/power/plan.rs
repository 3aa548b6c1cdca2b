//! What goes wrong, and when.

/// What a storage is asked to do, as far as it is counted. Lists and reads are not: they change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Append,
    Sync,
    Create,
    Rename,
    Remove,
    Truncate,
    SyncDirectory,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// At any operation: it happens in whole, in part or not at all, and fails, as does every later call.
    PowerCut,
    /// At the next append: a front part of the bytes is written, then it fails with `EIO`.
    ShortWrite,
    /// At any operation: nothing happens and it fails with `EIO`. A sync that does is a
    /// [`SyncFails`](Self::SyncFails).
    Io,
    /// At the next append: a front part of the bytes is written, then it fails with `ENOSPC`; so does every
    /// later append, with nothing written, until [`free_space`](super::FaultyStorage::free_space).
    NoSpace,
    /// At the next sync of a file or the folder: it fails with `EIO`. No later sync makes durable what was
    /// not at that time, even if it returns `Ok`; reads give those bytes still, or zeros, as Linux may do
    /// either. What was created, renamed or removed is left for a later sync of the folder.
    SyncFails,
}

impl Fault {
    fn fits(self, kind: Kind) -> bool {
        match self {
            Self::PowerCut | Self::Io => true,
            Self::ShortWrite | Self::NoSpace => kind == Kind::Append,
            Self::SyncFails => matches!(kind, Kind::Sync | Kind::SyncDirectory),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Always,
}

/// At which operation what goes wrong. The first operation has number 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan(Vec<(u64, Fault, Times)>);

impl Plan {
    /// Nothing goes wrong.
    pub(crate) fn healthy() -> Self {
        Self::default()
    }

    /// One fault: at operation `at`, or the first after it that it fits.
    pub(crate) fn once(at: u64, fault: Fault) -> Self {
        Self::healthy().and_once(at, fault)
    }

    /// A fault at every operation from `at` on that it fits.
    pub(crate) fn always(at: u64, fault: Fault) -> Self {
        Self::healthy().and_always(at, fault)
    }

    /// One more fault, once.
    pub(crate) fn and_once(mut self, at: u64, fault: Fault) -> Self {
        self.0.push((at, fault, Times::Once));
        self
    }

    /// One more fault, from `at` on.
    pub(crate) fn and_always(mut self, at: u64, fault: Fault) -> Self {
        self.0.push((at, fault, Times::Always));
        self
    }

    /// What goes wrong at this operation; of several, what was planned first.
    pub(super) fn take(&mut self, operation: u64, kind: Kind) -> Option<Fault> {
        let found = self.0.iter().position(|&(at, fault, _)| at <= operation && fault.fits(kind))?;
        let (_, fault, times) = self.0[found];
        if times == Times::Once {
            self.0.remove(found);
        }
        Some(fault)
    }
}
