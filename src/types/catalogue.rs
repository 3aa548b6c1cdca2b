//! What is known of items beside who listened to them.

use std::sync::Arc;

use foldhash::HashMap;
use thiserror::Error;

use super::ItemId;

/// A word about an item and how strongly it applies: a genre, a mood, a listener's own word.
///
/// ```
/// use segue::Tag;
///
/// let heard_often = Tag::new("trip-hop", 100.0)?;
/// assert_eq!((heard_often.name(), heard_often.weight()), ("trip-hop", 100.0));
/// assert_eq!(Tag::from("bristol").weight(), 1.0);
/// # Ok::<(), segue::TagError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    // Few names stand on many items, so they are shared.
    name: Arc<str>,
    weight: f32,
}

/// Why a name and a weight are not a [`Tag`].
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TagError {
    /// The weight is NaN, infinite, zero or negative.
    #[error(
        "the weight of tag {name:?} must be finite and > 0, got {got}; \
             leave the tag out instead of giving it no weight"
    )]
    Weight {
        /// The tag's name.
        name: Arc<str>,
        /// The refused value.
        got: f32,
    },
}

impl Tag {
    /// The tag `name` with a weight in any unit, as long as it is the same for every item: a share, a
    /// score, the number of listeners who used the word.
    ///
    /// # Errors
    /// [`TagError::Weight`] unless `weight` is finite and above 0.
    pub fn new(name: impl Into<Arc<str>>, weight: f32) -> Result<Self, TagError> {
        let name = name.into();
        if weight.is_finite() && weight > 0.0 {
            Ok(Self { name, weight })
        } else {
            Err(TagError::Weight { name, got: weight })
        }
    }

    /// The word.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How strongly it applies: finite and above 0.
    pub fn weight(&self) -> f32 {
        self.weight
    }
}

impl From<&str> for Tag {
    /// A tag of weight 1.
    fn from(name: &str) -> Self {
        Self { name: name.into(), weight: 1.0 }
    }
}

/// What is known of one item.
///
/// ```
/// use segue::{CatalogueEntry, Tag};
///
/// let entry = CatalogueEntry::new("Portishead").tag("trip-hop").tag(Tag::new("dark", 0.4)?);
/// assert_eq!(entry.tags.len(), 2);
/// # Ok::<(), segue::TagError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CatalogueEntry {
    /// The name to show.
    pub name: Arc<str>,
    /// Its tags, in the order they were given.
    pub tags: Vec<Tag>,
}

impl CatalogueEntry {
    /// An item of which only the name is known.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), tags: Vec::new() }
    }

    /// With one more tag. One of the same name is replaced.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        let tag = tag.into();
        match self.tags.iter_mut().find(|known| known.name == tag.name) {
            Some(known) => *known = tag,
            None => self.tags.push(tag),
        }
        self
    }
}

/// Names and tags of items, in the order they were put in.
///
/// It is independent of what was listened to: it may know items nobody played, and lack items that were.
///
/// ```
/// use segue::{Catalogue, CatalogueEntry, ItemId};
///
/// let mut catalogue = Catalogue::new();
/// catalogue.insert("portishead", CatalogueEntry::new("Portishead").tag("trip-hop"));
///
/// let portishead = ItemId::from("portishead");
/// assert_eq!(catalogue.name_of(&portishead), Some("Portishead"));
/// assert_eq!(catalogue.tags_of(&portishead)[0].name(), "trip-hop");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    entries: Vec<(ItemId, CatalogueEntry)>,
    /// INVARIANT: maps every id in `entries`, and no other, to its place there.
    places: HashMap<ItemId, usize>,
}

impl Catalogue {
    /// An empty catalogue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an item in and returns the entry it replaces. A replaced entry keeps its place in the order.
    pub fn insert(&mut self, item: impl Into<ItemId>, entry: CatalogueEntry) -> Option<CatalogueEntry> {
        let item = item.into();
        if let Some(&place) = self.places.get(&item) {
            return Some(std::mem::replace(&mut self.entries[place].1, entry));
        }
        self.places.insert(item.clone(), self.entries.len());
        self.entries.push((item, entry));
        None
    }

    /// What is known of `item`.
    pub fn get(&self, item: &ItemId) -> Option<&CatalogueEntry> {
        self.places.get(item).map(|&place| &self.entries[place].1)
    }

    /// The name to show for `item`.
    pub fn name_of(&self, item: &ItemId) -> Option<&str> {
        self.get(item).map(|entry| &*entry.name)
    }

    /// The tags of `item`: none if it is not in the catalogue.
    pub fn tags_of(&self, item: &ItemId) -> &[Tag] {
        self.get(item).map_or(&[], |entry| &entry.tags)
    }

    /// Every item with its entry, in the order they were first put in.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ItemId, &CatalogueEntry)> {
        self.entries.iter().map(|(item, entry)| (item, entry))
    }

    /// How many items it knows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(ItemId, CatalogueEntry)> for Catalogue {
    /// Later entries replace earlier ones of the same item.
    fn from_iter<I: IntoIterator<Item = (ItemId, CatalogueEntry)>>(entries: I) -> Self {
        let mut catalogue = Self::new();
        for (item, entry) in entries {
            catalogue.insert(item, entry);
        }
        catalogue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_entry_keeps_its_place() {
        let mut catalogue = Catalogue::new();
        for name in ["a", "b", "c"] {
            assert_eq!(catalogue.insert(name, CatalogueEntry::new(name)), None);
        }
        assert_eq!(catalogue.insert("b", CatalogueEntry::new("B")), Some(CatalogueEntry::new("b")));
        let names: Vec<&str> = catalogue.iter().map(|(_, entry)| &*entry.name).collect();
        assert_eq!(names, ["a", "B", "c"]);
        assert_eq!(catalogue.len(), 3);
    }

    #[test]
    fn an_unknown_item_has_neither_name_nor_tags() {
        let catalogue: Catalogue =
            [(ItemId::from(1), CatalogueEntry::new("one").tag("x"))].into_iter().collect();
        assert_eq!(catalogue.name_of(&ItemId::from(2)), None);
        assert!(catalogue.tags_of(&ItemId::from(2)).is_empty());
    }

    #[test]
    fn a_tag_of_the_same_name_is_replaced() {
        let stronger = Tag::new("dark", 3.0).expect("a usable weight");
        let entry = CatalogueEntry::new("x").tag("dark").tag("warm").tag(stronger.clone());
        assert_eq!(entry.tags, [stronger, Tag::from("warm")]);
    }

    #[test]
    fn weights_that_order_nothing_are_refused() {
        for got in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(Tag::new("x", got), Err(TagError::Weight { .. })), "{got}");
        }
    }
}
