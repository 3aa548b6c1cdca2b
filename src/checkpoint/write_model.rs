//! The trained model, into its part of a file.

use super::error::CheckpointError;
use super::head::{als_to_wire, weighing_to_wire};
use super::pack::{put_f32s, put_f64s};
use super::parts::StateParts;
use super::rows::RowWriter;
use super::rules::{self, ensure};
use super::sections::{SectionWriter, Tag};
use super::snapshot::RunningGramians;
use super::wire;
use crate::kernel::stride_of;
use crate::model::RowsOf;
use crate::storage::bytes::PutBytes;
use crate::types::EventSeq;

/// What the reader holds the numbers of rows and factors against.
pub(super) fn check_model(
    parts: &StateParts<'_>,
    latest: EventSeq,
    n_factors: usize,
) -> Result<(), CheckpointError> {
    let (generation, items) = (&parts.generation, &parts.items);
    rules::seq(generation.frozen_at, latest, "the event a sweep was frozen at")?;
    ensure(items.popularity.len() == items.rows.n_items(), "the number of popularities")?;
    ensure(items.rows.n_items() <= parts.n_items as usize, "the number of item rows")?;
    ensure(items.rows.stride() == stride_of(n_factors), "the length of item rows")?;
    if let Some(side) = &generation.users {
        ensure(side.factors.n_rows() <= parts.n_users as usize, "the number of user rows")?;
        ensure(side.factors.n_factors() == n_factors, "the length of user rows")?;
    }
    ensure(generation.users.is_some() || parts.running.is_none(), "Gramians without a model")?;
    Ok(())
}

pub(super) fn put_model(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
) -> Result<(), CheckpointError> {
    let generation = &parts.generation;
    let mut weighted = Vec::new();
    let users = match &generation.users {
        None => None,
        Some(side) => {
            rules::finite(side.base.weighted(), "a basis")?;
            put_f32s(&mut weighted, side.base.weighted());
            Some(wire::UserSide {
                als: als_to_wire(side.base.params()),
                weighing: weighing_to_wire(side.weighing),
                weighted: &weighted,
                n_items: side.base.n_items() as u64,
                n_user_rows: counted(side.factors.n_rows()),
                foreign: side.rows_of == RowsOf::Foreigners,
            })
        }
    };
    let items_moved = parts.running.map(|running| running.items_moved);
    rules::items_moved(items_moved)?;
    let model = wire::Model {
        frozen_at: generation.frozen_at.get(),
        as_of_ms: generation.as_of.unix_ms(),
        item_version: parts.items.version.get(),
        n_item_rows: counted(parts.items.rows.n_items()),
        users,
        items_moved,
    };
    sections.put(Tag::Model, &model)
}

pub(super) fn put_item_rows(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
    n_factors: usize,
) -> Result<(), CheckpointError> {
    let items = &parts.items;
    rules::popularity(&items.popularity)?;
    let mut rows = RowWriter::new(sections, Tag::ItemRows);
    let vectors = items.rows.chunks().flat_map(|(_, rows)| rows.chunks_exact(items.rows.stride()));
    for (&popularity, vector) in items.popularity.iter().zip(vectors) {
        let vector = &vector[..n_factors];
        rules::finite(vector, "the vector of an item")?;
        rows.add(|out| {
            out.put_f32(popularity);
            put_f32s(out, vector);
        })?;
    }
    rows.end()
}

pub(super) fn put_gramians(
    sections: &mut SectionWriter<'_>,
    running: &RunningGramians,
    n_factors: usize,
) -> Result<(), CheckpointError> {
    let mut triangle = Vec::new();
    for gramian in [&running.users, &running.items, &running.items_at_sweep] {
        rules::gramian(gramian, n_factors)?;
        triangle.clear();
        put_f64s(&mut triangle, gramian.upper_triangle());
        sections.put(Tag::Gramian, &wire::Gramian { upper_triangle: &triangle })?;
    }
    Ok(())
}

pub(super) fn put_user_rows(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
) -> Result<(), CheckpointError> {
    let mut rows = RowWriter::new(sections, Tag::UserRows);
    parts.each_swept_row(|vector| {
        rules::finite(vector, "the vector of a user")?;
        rows.add(|out| put_f32s(out, vector))
    })?;
    rows.end()
}

/// A number of rows.
fn counted(n_rows: usize) -> u32 {
    u32::try_from(n_rows).expect("rows are capped at u32")
}
