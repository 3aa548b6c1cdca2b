//! Words of the catalogue that decide what may be shown: explicit content and the like.

use std::fmt;
use std::sync::Arc;

use super::super::filter::{Filter, ItemFilter, OnPanic};
use super::super::request::{Candidate, Request};
use crate::publish::Published;
use crate::types::{Catalogue, ItemId};

/// Filters by what a [`Catalogue`] says of items: any of its tags can be a flag.
///
/// A handle: clone it, make filters from it, and [`replace`](Self::replace) the catalogue while the engine runs; every list
/// asked for after that goes by the new one.
///
/// ```
/// use segue::plugin::Flags;
/// use segue::{Catalogue, CatalogueEntry, Engine, Event};
///
/// /// What this service tells its filters of a request.
/// #[derive(PartialEq)]
/// enum Profile {
///     Child,
/// }
///
/// let mut catalogue = Catalogue::new();
/// catalogue.insert("bare", CatalogueEntry::new("Bare").tag("explicit"));
/// catalogue.insert("lullaby", CatalogueEntry::new("Lullaby"));
/// let flags = Flags::new(catalogue);
/// let for_children = flags.without("explicit").hide_unknown().when(|request| request.get() == Some(&Profile::Child));
/// let engine = Engine::builder().filter(for_children).open()?;
/// engine.import(["bare", "lullaby", "new"].map(|song| Event::listen("ana", song)))?;
///
/// let view = engine.reader().view();
/// assert_eq!(view.popular().run()?.len(), 3);
/// assert_eq!(view.popular().with(Profile::Child).run()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Flags {
    catalogue: Arc<Published<Catalogue>>,
}

impl Flags {
    /// Goes by `catalogue`.
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue: Arc::new(Published::new(Arc::new(catalogue))) }
    }

    /// Goes by `catalogue` from now on. Blocks nobody; the old one is freed by whoever is the last to look at it.
    pub fn replace(&self, catalogue: Catalogue) {
        drop(self.catalogue.replace(Arc::new(catalogue)));
    }

    /// The catalogue it goes by now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load()
    }

    /// Whether one is a clone of the other.
    #[cfg(feature = "reload")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.catalogue, &other.catalogue)
    }

    /// Keeps back what has the flag.
    pub fn without(&self, flag: impl Into<Arc<str>>) -> FlagFilter {
        self.filter(flag.into(), Shown::Without)
    }

    /// Keeps back what has it not.
    pub fn only(&self, flag: impl Into<Arc<str>>) -> FlagFilter {
        self.filter(flag.into(), Shown::With)
    }

    fn filter(&self, flag: Arc<str>, shown: Shown) -> FlagFilter {
        FlagFilter { flags: self.clone(), flag, shown, hides_unknown: false, when: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    With,
    Without,
}

type When = Arc<dyn Fn(&Request<'_>) -> bool + Send + Sync>;

/// A filter by one flag: made by [`Flags::without`] and [`Flags::only`]. What it cannot judge, as something in it panicked, is
/// not shown.
#[derive(Clone)]
pub struct FlagFilter {
    flags: Flags,
    flag: Arc<str>,
    shown: Shown,
    hides_unknown: bool,
    when: Option<When>,
}

impl FlagFilter {
    /// Keeps back also what the catalogue does not have; by default that counts as without the flag.
    #[must_use]
    pub fn hide_unknown(self) -> Self {
        Self { hides_unknown: true, ..self }
    }

    /// Acts only where `when` says so of the request. Called twice, both must.
    #[must_use]
    pub fn when(mut self, when: impl Fn(&Request<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(match self.when.take() {
            None => Arc::new(when),
            Some(before) => Arc::new(move |request: &Request<'_>| before(request) && when(request)),
        });
        self
    }

    fn shows(&self, catalogue: &Catalogue, item: &ItemId) -> bool {
        let Some(entry) = catalogue.get(item) else {
            return !self.hides_unknown && self.shown == Shown::Without;
        };
        let has_it = entry.tags.iter().any(|tag| tag.name() == &*self.flag);
        has_it == (self.shown == Shown::With)
    }
}

impl fmt::Debug for FlagFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FlagFilter");
        debug
            .field("flag", &self.flag)
            .field("shown", &self.shown)
            .field("hides_unknown", &self.hides_unknown);
        debug.finish_non_exhaustive()
    }
}

impl Filter for FlagFilter {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let acts = self.when.as_ref().is_none_or(|when| when(request));
        let catalogue = acts.then(|| self.flags.catalogue());
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            let Some(catalogue) = &catalogue else { return };
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = self.shows(catalogue, &candidate.item);
            }
        })
    }

    fn on_panic(&self) -> OnPanic {
        OnPanic::Hide
    }
}
