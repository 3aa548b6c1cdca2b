//! Searches.

use std::time::Instant;

use segue::{ItemIdx, ItemIndex};
use serde_json::{Value, json};

use super::Failure;
use super::arrays::{count, read_factors, read_indptr, read_u32, summary, text, write_u32};

/// The index that commands speak of.
#[derive(Default)]
pub(super) struct Searches {
    index: Option<ItemIndex>,
}

impl Searches {
    pub(super) fn answer(&mut self, name: &str, command: &Value) -> Result<Value, Failure> {
        match name {
            "index" => self.build(command),
            "top" => self.top(command),
            _ => self.similar(command),
        }
    }

    fn build(&mut self, command: &Value) -> Result<Value, Failure> {
        let items = read_factors(text(command, "items")?, count(command, "factors")?)?;
        let start = Instant::now();
        self.index = Some(ItemIndex::new(items));
        Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
    }

    /// One query after the other, each without what its user knows.
    fn top(&self, command: &Value) -> Result<Value, Failure> {
        let index = self.index.as_ref().ok_or("index comes first")?;
        let queries = read_factors(text(command, "queries")?, count(command, "factors")?)?;
        let indptr = read_indptr(text(command, "known_indptr")?)?;
        let known: Vec<_> = read_u32(text(command, "known")?)?.into_iter().map(ItemIdx::new).collect();
        let limit = count(command, "limit")?;
        let (mut spent, mut found) = (Vec::new(), Vec::new());
        for row in 0..queries.n_rows() {
            let query = queries.get(row).ok_or("as many rows as there are")?;
            let known = &known[indptr[row]..indptr[row + 1]];
            let start = Instant::now();
            let best = index.top(query, limit, known)?;
            spent.push(start.elapsed().as_secs_f64());
            found.extend((0..limit).map(|at| best.get(at).map_or(u32::MAX, |(item, _)| item.get())));
        }
        write_u32(text(command, "out")?, &found)?;
        Ok(summary(spent))
    }

    fn similar(&self, command: &Value) -> Result<Value, Failure> {
        let index = self.index.as_ref().ok_or("index comes first")?;
        let (items, limit) = (read_u32(text(command, "items")?)?, count(command, "limit")?);
        let (mut spent, mut found) = (Vec::new(), Vec::new());
        for item in items {
            let start = Instant::now();
            let best = index.similar(ItemIdx::new(item), limit)?;
            spent.push(start.elapsed().as_secs_f64());
            found.extend((0..limit).map(|at| best.get(at).map_or(u32::MAX, |(item, _)| item.get())));
        }
        write_u32(text(command, "out")?, &found)?;
        Ok(summary(spent))
    }
}
