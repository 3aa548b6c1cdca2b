//! What is found when the power comes back.

use super::super::Random;
use super::disk::{Contents, Disk, Entry, FileId, Names};

/// The unit in which a device writes: of a cut-off write it has any of these, each whole unless it is torn.
const SECTOR_BYTES: usize = 512;

/// Which part of what was not synced survives. Pure chance would hardly ever give all, nothing or a plain
/// front part, which are what most file systems leave.
#[derive(Clone, Copy)]
enum Part {
    All,
    Nothing,
    Front,
    Any,
}

impl Part {
    fn draw(random: &mut Random) -> Self {
        [Self::All, Self::Nothing, Self::Front, Self::Any][below(random, 4)]
    }
}

impl Disk {
    /// One of the disks that may be found after a power cut at this moment: nothing on it is unsynced.
    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let mut random = Random::new(seed ^ self.seed.rotate_left(32));
        let mut found = Self::new(seed);
        for (name, file) in self.surviving_names(&mut random) {
            let bytes = surviving_bytes(&self.files[file], &mut random);
            found.names.insert(name, found.files.len());
            found.files.push(Contents { bytes, ..Contents::default() });
        }
        found.durable_names = found.names.clone();
        found
    }

    /// The disk after the process was killed at this moment: all is there, and what was not synced is still
    /// not.
    pub(super) fn after_kill(&self) -> Self {
        Self {
            files: self.files.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            unsynced: self.unsynced.clone(),
            is_full: self.is_full,
            ..Self::new(self.seed.wrapping_add(1))
        }
    }

    fn surviving_names(&self, random: &mut Random) -> Names {
        let mut names = self.durable_names.clone();
        let part = Part::draw(random);
        let n_front = below(random, self.unsynced.len() + 1);
        for (at, entry) in self.unsynced.iter().enumerate() {
            let happened = match part {
                Part::All => true,
                Part::Nothing => false,
                Part::Front => at < n_front,
                Part::Any => random.below(2) == 0,
            };
            if happened {
                happen(&mut names, entry);
            }
        }
        names
    }
}

/// Makes a change that survived, with those before it that may not have.
fn happen(names: &mut Names, entry: &Entry) {
    let is = |names: &Names, name: &str, file: FileId| names.get(name) == Some(&file);
    match entry {
        Entry::Created { name, file } => {
            names.insert(name.clone(), *file);
        }
        // A rename is one step: with it the old name is gone and the new one there, even if the device has
        // no trace of the creation.
        Entry::Renamed { from, to, file } => {
            if is(names, from, *file) {
                names.remove(from);
            }
            names.insert(to.clone(), *file);
        }
        // The file may be there by its name before a rename that did not survive, which is not touched then.
        Entry::Removed { name, file } => {
            if is(names, name, *file) {
                names.remove(name);
            }
        }
    }
}

/// What is synced, and some of what is not: any sectors, zeros where a later one survived, the length of any of
/// them or as if all were there, and sometimes half a sector of noise.
fn surviving_bytes(contents: &Contents, random: &mut Random) -> Vec<u8> {
    let mut bytes = contents.bytes.clone();
    let durable = contents.durable();
    let Some(first_unsynced) = durable.iter().position(|durable| !durable) else { return bytes };
    let part = Part::draw(random);
    let n_front = first_unsynced + below(random, bytes.len() - first_unsynced + 1);
    let mut end = durable.iter().rposition(|durable| *durable).map_or(0, |last| last + 1);
    for start in (0..bytes.len()).step_by(SECTOR_BYTES) {
        let sector = start..bytes.len().min(start + SECTOR_BYTES);
        if sector.clone().all(|at| durable[at]) {
            continue;
        }
        let n_kept = match part {
            Part::All => SECTOR_BYTES,
            Part::Front => n_front.saturating_sub(start),
            Part::Any if random.below(2) == 0 => SECTOR_BYTES,
            Part::Any | Part::Nothing => 0,
        };
        let torn_at = match part {
            Part::Any if random.below(8) == 0 => Some(start + below(random, SECTOR_BYTES)),
            Part::All | Part::Nothing | Part::Front | Part::Any => None,
        };
        for at in sector.filter(|&at| !durable[at]) {
            if torn_at.is_some_and(|torn_at| at >= torn_at) {
                bytes[at] = random.next().to_le_bytes()[0];
            } else if at >= start + n_kept {
                bytes[at] = 0;
                continue;
            }
            end = end.max(at + 1);
        }
    }
    // The length may be on the device before the bytes are: then zeros are found.
    let has_full_length = random.below(3) == 0;
    if !has_full_length {
        bytes.truncate(end);
    }
    bytes
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("below a length")
}
