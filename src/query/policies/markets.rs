//! Where items may be shown.

use std::fmt;
use std::sync::Arc;

use foldhash::HashMap;
use parking_lot::Mutex;

use super::super::filter::{Filter, ItemFilter, OnPanic};
use super::super::request::{Candidate, Request};
use crate::publish::Published;
use crate::types::ItemId;

/// A market: a country's code in most services (`"DE"`), or whatever the host licenses by. Letters count in either case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Market(Arc<str>);

impl Market {
    /// Its code, in capitals.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Market {
    fn from(code: &str) -> Self {
        Self(code.to_ascii_uppercase().into())
    }
}

impl From<String> for Market {
    fn from(code: String) -> Self {
        Self::from(&*code)
    }
}

impl From<&Market> for Market {
    fn from(market: &Market) -> Self {
        market.clone()
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Shows in a market what is available there.
///
/// A request says which market it is for ([`ItemQuery::in_market`](crate::ItemQuery::in_market)), or
/// [`chosen_by`](Self::chosen_by) finds it out; one that says nothing is not filtered, unless
/// [`required`](Self::required) says otherwise. An item that was never [set](Self::set) is
/// available nowhere, unless [`unset_everywhere`](Self::unset_everywhere) says otherwise.
///
/// A handle: clone it, give one to the engine and keep another. Every list asked for after a change goes by it; items may
/// be set before the engine has heard of them, and may come later. It holds one bit for each item and market, and
/// some 40 bytes an item; what changes is copied on the calling thread while lists are made from what was before: the bits of the markets
/// concerned, and if there are new items the table of all items. So set many together.
///
/// ```
/// use segue::plugin::Markets;
/// use segue::{Engine, Event};
///
/// let markets = Markets::new();
/// markets.set([("air", vec!["FR", "DE"]), ("muse", vec!["GB"])]);
/// let engine = Engine::builder().filter(markets.clone()).open()?;
/// engine.import(["air", "muse", "new"].map(|artist| Event::listen("ana", artist)))?;
///
/// let view = engine.reader().view();
/// let in_germany = |view: &segue::View| view.popular().in_market("DE").run().map(|list| list.len());
/// assert_eq!(in_germany(&view), Ok(1));
/// markets.set([("new", ["DE"])]);
/// assert_eq!(in_germany(&view), Ok(2));
/// assert_eq!(view.popular().run()?.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Markets {
    shelf: Arc<Shelf>,
    unset: Unset,
    unnamed: Unnamed,
    choose: Option<Choose>,
}

type Choose = Arc<dyn Fn(&Request<'_>) -> Option<Market> + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Unset {
    #[default]
    Nowhere,
    Everywhere,
}

/// What is shown where no market is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Unnamed {
    #[default]
    Everything,
    Nothing,
}

/// What is available, replaced with each change.
struct Shelf {
    now: Published<Table>,
    /// Who changes it. Not what readers wait for.
    changing: Mutex<()>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { now: Published::new(Arc::default()), changing: Mutex::default() }
    }
}

#[derive(Clone, Default)]
struct Table {
    /// Items in the order they were first set.
    rows: Arc<HashMap<ItemId, u32>>,
    markets: HashMap<Market, Arc<Bits>>,
}

/// One bit a row; those beyond the end are zero.
#[derive(Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, row: u32) -> bool {
        let word = self.0.get(row as usize / 64).copied().unwrap_or_default();
        word >> (row % 64) & 1 == 1
    }

    fn set(&mut self, row: u32) {
        let at = row as usize / 64;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (row % 64);
    }

    fn clear(&mut self, row: u32) {
        if let Some(word) = self.0.get_mut(row as usize / 64) {
            *word &= !(1 << (row % 64));
        }
    }
}

impl Table {
    /// The row of an item, a new one if it has none.
    fn row(&mut self, item: &ItemId) -> u32 {
        if let Some(&row) = self.rows.get(item) {
            return row;
        }
        let row = u32::try_from(self.rows.len()).expect("memory holds fewer items");
        Arc::make_mut(&mut self.rows).insert(item.clone(), row);
        row
    }

    fn set(&mut self, item: &ItemId, available_in: &[Market]) {
        let row = self.row(item);
        for (market, bits) in &mut self.markets {
            // Copied only where something changes.
            if bits.get(row) && !available_in.contains(market) {
                Arc::make_mut(bits).clear(row);
            }
        }
        for market in available_in {
            let bits = self.markets.entry(market.clone()).or_default();
            if !bits.get(row) {
                Arc::make_mut(bits).set(row);
            }
        }
    }
}

impl Markets {
    /// Nothing is available anywhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says of items where they are available: there and nowhere else, whatever was said before. All of it at once.
    pub fn set<I: Into<ItemId>, M: Into<Market>>(
        &self,
        items: impl IntoIterator<Item = (I, impl IntoIterator<Item = M>)>,
    ) {
        let items = checked(items);
        let _turn = self.shelf.changing.lock();
        let mut next = Table::clone(&self.shelf.now.load());
        for (item, available_in) in &items {
            next.set(item, available_in);
        }
        drop(self.shelf.now.replace(Arc::new(next)));
    }

    /// As [`set`](Self::set), and forgets all other items.
    pub fn replace<I: Into<ItemId>, M: Into<Market>>(
        &self,
        items: impl IntoIterator<Item = (I, impl IntoIterator<Item = M>)>,
    ) {
        let mut next = Table::default();
        for (item, available_in) in checked(items) {
            next.set(&item, &available_in);
        }
        let _turn = self.shelf.changing.lock();
        drop(self.shelf.now.replace(Arc::new(next)));
    }

    /// Whether an item is available in a market, as lists go by it.
    pub fn is_available(&self, item: impl Into<ItemId>, market: impl Into<Market>) -> bool {
        let table = self.shelf.now.load();
        let bits = table.markets.get(&market.into());
        self.shows(&table, bits.map(|bits| &**bits), &item.into())
    }

    /// How many items were set.
    pub fn n_items(&self) -> usize {
        self.shelf.now.load().rows.len()
    }

    /// An item that was never set is available everywhere. Of this handle and what is cloned from it alone.
    #[must_use]
    pub fn unset_everywhere(self) -> Self {
        Self { unset: Unset::Everywhere, ..self }
    }

    /// A request that says nothing of a market, and of which [`chosen_by`](Self::chosen_by) finds out none, is shown nothing: where
    /// licences are kept strictly, what was forgotten should show. Of this handle and what is cloned from it alone.
    #[must_use]
    pub fn required(self) -> Self {
        Self { unnamed: Unnamed::Nothing, ..self }
    }

    /// Finds out which market a request is for that does not say so itself: from its user, its context, or a type of the host's.
    #[must_use]
    pub fn chosen_by(self, choose: impl Fn(&Request<'_>) -> Option<Market> + Send + Sync + 'static) -> Self {
        Self { choose: Some(Arc::new(choose)), ..self }
    }

    fn shows(&self, table: &Table, bits: Option<&Bits>, item: &ItemId) -> bool {
        match table.rows.get(item) {
            Some(&row) => bits.is_some_and(|bits| bits.get(row)),
            None => self.unset == Unset::Everywhere,
        }
    }
}

impl fmt::Debug for Markets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.shelf.now.load();
        let mut debug = f.debug_struct("Markets");
        debug.field("n_items", &table.rows.len()).field("n_markets", &table.markets.len());
        debug.field("unset", &self.unset).field("unnamed", &self.unnamed).finish_non_exhaustive()
    }
}

impl Filter for Markets {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let chosen = || self.choose.as_ref().and_then(|choose| choose(request));
        let market = request.get::<Market>().cloned().or_else(chosen);
        let table = market.is_some().then(|| self.shelf.now.load());
        let bits = table.as_ref().zip(market).and_then(|(table, market)| table.markets.get(&market).cloned());
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            let Some(table) = &table else {
                keep.fill(self.unnamed == Unnamed::Everything);
                return;
            };
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = self.shows(table, bits.as_deref(), &candidate.item);
            }
        })
    }

    fn on_panic(&self) -> OnPanic {
        OnPanic::Hide
    }
}

/// Before anything is locked, as the host's iterators run here.
fn checked<I: Into<ItemId>, M: Into<Market>>(
    items: impl IntoIterator<Item = (I, impl IntoIterator<Item = M>)>,
) -> Vec<(ItemId, Vec<Market>)> {
    let mut all = Vec::new();
    for (item, markets) in items {
        all.push((item.into(), markets.into_iter().map(Into::into).collect()));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::query::{TestRequest, candidate};

    const CODES: [&str; 4] = ["DE", "FR", "GB", "JP"];

    proptest! {
        #[test]
        fn it_says_what_was_said_last(
            said in prop::collection::vec((0_u64..200, prop::collection::vec(0_usize..4, 0..4)), 0..80),
        ) {
            let (one_by_one, together, replaced) = (Markets::new(), Markets::new(), Markets::new());
            let mut naive: HashMap<u64, HashSet<usize>> = HashMap::new();
            let codes = |places: &[usize]| places.iter().map(|&place| CODES[place]).collect::<Vec<_>>();
            for (item, places) in &said {
                one_by_one.set([(*item, codes(places))]);
                naive.insert(*item, places.iter().copied().collect());
            }
            together.set(said.iter().map(|(item, places)| (*item, codes(places))));
            replaced.set([(7_u64, ["DE"]), (500, ["FR"])]);
            replaced.replace(said.iter().map(|(item, places)| (*item, codes(places))));
            for item in 0..220 {
                for (place, code) in CODES.into_iter().enumerate() {
                    let expected = naive.get(&item).is_some_and(|places| places.contains(&place));
                    for markets in [&one_by_one, &together, &replaced] {
                        prop_assert_eq!(markets.is_available(item, code), expected);
                        let known = naive.contains_key(&item);
                        let open = markets.clone().unset_everywhere();
                        prop_assert_eq!(open.is_available(item, code), expected || !known);
                    }
                }
            }
        }
    }

    #[test]
    fn who_names_no_market_is_shown_everything_or_nothing() {
        let markets = Markets::new();
        markets.set([("air", ["FR"]), ("muse", ["GB"])]);
        let shown = |markets: &Markets, asked: TestRequest| {
            let candidates = [candidate("air", 1.0), candidate("muse", 0.5)];
            let mut keep = [true; 2];
            markets.for_request(&asked.request()).keep(&candidates, &mut keep);
            keep
        };
        let french = || TestRequest::new(2).with(Market::from("FR"));
        assert_eq!(shown(&markets, TestRequest::new(2)), [true, true]);
        assert_eq!(shown(&markets, french()), [true, false]);
        let strict = markets.required();
        assert_eq!(shown(&strict, TestRequest::new(2)), [false, false]);
        assert_eq!(shown(&strict, french()), [true, false]);
        let guessed = strict.chosen_by(|request| request.user.map(|_| Market::from("GB")));
        assert_eq!(shown(&guessed, TestRequest::new(2).user("ana")), [false, true]);
        assert_eq!(shown(&guessed, TestRequest::new(2)), [false, false]);
    }

    #[test]
    fn a_market_is_written_in_capitals_or_not() {
        assert_eq!(Market::from("de"), Market::from("DE".to_owned()));
        let markets = Markets::new();
        markets.set([("air", ["fr"])]);
        assert!(markets.is_available("air", "FR") && !markets.is_available("air", "nowhere"));
    }
}
