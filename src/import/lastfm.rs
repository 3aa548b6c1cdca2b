//! The Last.fm set of the HetRec 2011 workshop.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use crate::types::{Catalogue, CatalogueEntry, ItemId, Tag, UserId};

use super::entities;
use super::table::{Encoding, Table};
use super::{ImportError, Listens};

/// The set `hetrec2011-lastfm-2k`: 1,892 listeners of Last.fm, the artists they played and how often, the
/// tags they gave them, and who is whose friend.
///
/// Cantador, Brusilovsky & Kuflik, 2nd Workshop on Information Heterogeneity and Fusion in Recommender
/// Systems (2011). It is found at <https://grouplens.org/datasets/hetrec-2011/>, for non-commercial use.
/// Everything is in memory after [`open`](Self::open), some 20 megabytes.
///
/// ```
/// use segue::import::LastFm2k;
///
/// # let folder = std::env::temp_dir().join(format!("segue-doc-lastfm-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).expect("writable");
/// # for (file, content) in [
/// #     ("artists.dat", "id\tname\turl\tpictureURL\n1\tNacre\tu\tp\n"),
/// #     ("tags.dat", "tagID\ttagValue\n1\tmist\n"),
/// #     ("user_artists.dat", "userID\tartistID\tweight\n1\t1\t30\n"),
/// #     ("user_taggedartists.dat", "userID\tartistID\ttagID\tday\tmonth\tyear\n1\t1\t1\t1\t1\t2010\n"),
/// #     ("user_friends.dat", "userID\tfriendID\n"),
/// # ] {
/// #     std::fs::write(folder.join(file), content).expect("writable");
/// # }
/// let lastfm = LastFm2k::open(&folder)?; // The folder hetrec2011-lastfm-2k.
/// # std::fs::remove_dir_all(&folder).expect("just written");
/// let favourite = lastfm.plays().iter().max_by_key(|plays| plays.count).expect("the set has plays");
/// println!("{} plays of {:?}", favourite.count, lastfm.catalogue().name_of(&favourite.item));
/// for event in lastfm.listens(42, 1_000) {
///     // Send it to an engine.
///     # let _ = event;
/// }
/// # Ok::<(), segue::import::ImportError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LastFm2k {
    catalogue: Catalogue,
    plays: Vec<Plays>,
    friends: Vec<(UserId, UserId)>,
    n_users: usize,
    n_tags: usize,
    n_unlisted_assignments: usize,
}

/// How often one listener has played one artist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plays {
    /// The listener, by the number the set gives them.
    pub user: UserId,
    /// The artist, by the number the set gives it.
    pub item: ItemId,
    /// The number of plays, at least 1.
    pub count: u32,
}

const ARTISTS_FILE: &str = "artists.dat";
const TAGS_FILE: &str = "tags.dat";

impl LastFm2k {
    /// Reads the set from the folder that holds its `artists.dat`, `tags.dat`, `user_artists.dat`,
    /// `user_taggedartists.dat` and `user_friends.dat`. Blocks for about as long as reading the files
    /// takes.
    ///
    /// # Errors
    /// [`ImportError`] names the first file, and the first line in it, that is missing or not as
    /// published: nothing is skipped. A pair given twice is an error too. The one exception is in the
    /// published set itself: tags given to artists that `artists.dat` does not list are counted, see
    /// [`n_unlisted_assignments`](Self::n_unlisted_assignments).
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ImportError> {
        let folder = folder.as_ref();
        let tag_names = read_tags(folder)?;
        let mut artists = read_artists(folder)?;
        let n_unlisted_assignments = read_assignments(folder, &mut artists, &tag_names)?;
        let (plays, n_users) = read_plays(folder, &artists)?;
        let friends = read_friends(folder)?;
        Ok(Self {
            catalogue: artists.into_catalogue(),
            plays,
            friends,
            n_users,
            n_tags: tag_names.len(),
            n_unlisted_assignments,
        })
    }

    /// The artists in the order of the file, each with its tags; a tag's weight is the number of
    /// listeners who gave it, and the tags of an artist are in order of weight, equal ones by name.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Who played what, in the order of the file. Each pair of listener and artist is there once.
    pub fn plays(&self) -> &[Plays] {
        &self.plays
    }

    /// Who is whose friend. Friendship goes both ways in this set, so each pair is here once, the smaller
    /// number first, in order of first mention.
    pub fn friends(&self) -> &[(UserId, UserId)] {
        &self.friends
    }

    /// How many listeners have played something.
    pub fn n_users(&self) -> usize {
        self.n_users
    }

    /// How many different tags the set lists.
    pub fn n_tags(&self) -> usize {
        self.n_tags
    }

    /// How many times a tag was given to an artist that `artists.dat` does not list. These are in no
    /// catalogue entry; the published set has 1,539.
    pub fn n_unlisted_assignments(&self) -> usize {
        self.n_unlisted_assignments
    }

    /// A stream of `n_listens` listens, each drawn in proportion to the play counts: the same for the
    /// same `seed`, and empty if there are no plays. The set has no times of its own; see [`Listens`] for
    /// those it is given.
    pub fn listens(&self, seed: u64, n_listens: usize) -> Listens<'_> {
        Listens::new(&self.plays, seed, n_listens)
    }
}

/// The artists while their tags are being gathered.
struct Artists {
    ids: Vec<u64>,
    entries: Vec<CatalogueEntry>,
    places: HashMap<u64, usize>,
}

impl Artists {
    fn into_catalogue(self) -> Catalogue {
        self.ids.into_iter().map(ItemId::from).zip(self.entries).collect()
    }
}

fn read_tags(folder: &Path) -> Result<HashMap<u64, Arc<str>>, ImportError> {
    let table = Table::read(folder, TAGS_FILE, Encoding::Iso8859_1, ["tagID", "tagValue"])?;
    let mut names = HashMap::new();
    for row in table.rows() {
        let row = row?;
        let id = row.id(0)?;
        if names.insert(id, row.text(1)?.into()).is_some() {
            return Err(row.duplicate(format!("tag {id}")));
        }
    }
    Ok(names)
}

fn read_artists(folder: &Path) -> Result<Artists, ImportError> {
    let table = Table::read(folder, ARTISTS_FILE, Encoding::Utf8, ["id", "name", "url", "pictureURL"])?;
    let mut artists = Artists { ids: Vec::new(), entries: Vec::new(), places: HashMap::new() };
    for row in table.rows() {
        let row = row?;
        let id = row.id(0)?;
        if artists.places.insert(id, artists.ids.len()).is_some() {
            return Err(row.duplicate(format!("artist {id}")));
        }
        artists.ids.push(id);
        artists.entries.push(CatalogueEntry::new(entities::resolved(row.text(1)?)));
    }
    Ok(artists)
}

/// Puts the tags that listeners gave on the artists; returns how many went to artists that are not listed.
fn read_assignments(
    folder: &Path,
    artists: &mut Artists,
    tag_names: &HashMap<u64, Arc<str>>,
) -> Result<usize, ImportError> {
    let columns = ["userID", "artistID", "tagID", "day", "month", "year"];
    let table = Table::read(folder, "user_taggedartists.dat", Encoding::Utf8, columns)?;
    let mut seen = HashSet::new();
    let mut counts: HashMap<(usize, u64), f32> = HashMap::new();
    let mut n_unlisted = 0;
    for row in table.rows() {
        let row = row?;
        let (user, artist, tag) = (row.id(0)?, row.id(1)?, row.id(2)?);
        row.calendar(3, 1..=31, "a day of a month, 1 to 31")?;
        row.calendar(4, 1..=12, "a month, 1 to 12")?;
        row.calendar(5, 1..=9_999, "a year, 1 to 9999")?;
        if !tag_names.contains_key(&tag) {
            return Err(row.unlisted(format!("tag {tag}"), TAGS_FILE));
        }
        if !seen.insert((user, artist, tag)) {
            return Err(row.duplicate(format!("tag {tag} of user {user} for artist {artist}")));
        }
        match artists.places.get(&artist) {
            Some(&place) => *counts.entry((place, tag)).or_default() += 1.0,
            None => n_unlisted += 1,
        }
    }
    for ((place, tag), count) in counts {
        let tag = Tag::new(Arc::clone(&tag_names[&tag]), count).expect("a count is finite and at least 1");
        artists.entries[place].tags.push(tag);
    }
    for entry in &mut artists.entries {
        entry.tags.sort_by(|a, b| b.weight().total_cmp(&a.weight()).then_with(|| a.name().cmp(b.name())));
    }
    Ok(n_unlisted)
}

/// The plays, and how many listeners they have.
fn read_plays(folder: &Path, artists: &Artists) -> Result<(Vec<Plays>, usize), ImportError> {
    let columns = ["userID", "artistID", "weight"];
    let table = Table::read(folder, "user_artists.dat", Encoding::Utf8, columns)?;
    let mut pairs = HashSet::new();
    let mut users = HashSet::new();
    let mut plays = Vec::new();
    for row in table.rows() {
        let row = row?;
        let (user, artist) = (row.id(0)?, row.id(1)?);
        let count: NonZeroU32 = row.number(2, "a number of plays, 1 to 4294967295")?;
        if !artists.places.contains_key(&artist) {
            return Err(row.unlisted(format!("artist {artist}"), ARTISTS_FILE));
        }
        if !pairs.insert((user, artist)) {
            return Err(row.duplicate(format!("artist {artist} of user {user}")));
        }
        users.insert(user);
        plays.push(Plays { user: user.into(), item: artist.into(), count: count.get() });
    }
    Ok((plays, users.len()))
}

fn read_friends(folder: &Path) -> Result<Vec<(UserId, UserId)>, ImportError> {
    let table = Table::read(folder, "user_friends.dat", Encoding::Utf8, ["userID", "friendID"])?;
    let mut directed = HashSet::new();
    let mut friends = Vec::new();
    for row in table.rows() {
        let row = row?;
        let (user, friend) = (row.id(0)?, row.id(1)?);
        if user == friend {
            return Err(row.wrong(1, "another user"));
        }
        if !directed.insert((user, friend)) {
            return Err(row.duplicate(format!("friend {friend} of user {user}")));
        }
        if !directed.contains(&(friend, user)) {
            friends.push((user.min(friend).into(), user.max(friend).into()));
        }
    }
    Ok(friends)
}
