//! A picture of growth, in characters.

use std::fmt::{Display, Formatter, Result};

/// How many doublings there are from one side of the picture to the other.
const DOUBLINGS: u16 = 5;
const ROWS_A_DOUBLING: u16 = 2;
const COLUMNS_A_DOUBLING: u16 = 11;
const N_ROWS: u16 = DOUBLINGS * ROWS_A_DOUBLING + 2;
const N_COLUMNS: u16 = DOUBLINGS * COLUMNS_A_DOUBLING + 4;

pub(crate) struct Series {
    pub(crate) mark: char,
    pub(crate) what: &'static str,
    /// What something is and costs, the smallest first.
    pub(crate) points: Vec<(f64, f64)>,
}

/// How often a cost has doubled (up) by how often a size has (to the right). Where some meet they stand side by side.
pub(crate) struct Plot {
    pub(crate) x: &'static str,
    pub(crate) series: Vec<Series>,
}

impl Display for Plot {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut picture = vec![vec![' '; usize::from(N_COLUMNS)]; usize::from(N_ROWS)];
        let mut put = |x: f64, y: f64, mark: char| {
            let column = place(x, COLUMNS_A_DOUBLING, N_COLUMNS);
            if let (Some(column), Some(row)) = (column, place(y, ROWS_A_DOUBLING, N_ROWS)) {
                let free = picture[row][column..].iter_mut().find(|cell| matches!(**cell, ' ' | '.'));
                if let Some(cell) = free {
                    *cell = mark;
                }
            }
        };
        for half in 0..=2 * DOUBLINGS {
            let proportional = f64::from(half) / 2.0;
            put(proportional, proportional, '.');
        }
        for Series { mark, points, .. } in &self.series {
            if let Some(&(least, cheapest)) = points.first() {
                for &(size, cost) in points {
                    put((size / least).log2(), (cost / cheapest).log2(), *mark);
                }
            }
        }
        for (row, cells) in (0..N_ROWS).zip(&picture).rev() {
            let line: String = cells.iter().collect();
            let line = line.trim_end();
            if row.is_multiple_of(ROWS_A_DOUBLING) {
                writeln!(f, "{:>4}× |{line}", 1 << (row / ROWS_A_DOUBLING))?;
            } else {
                writeln!(f, "      |{line}")?;
            }
        }
        writeln!(f, "      +{}", "-".repeat(usize::from(N_COLUMNS)))?;
        let width = usize::from(COLUMNS_A_DOUBLING);
        let label = |doubling: u16| format!("{:<width$}", format!("{}×", 1 << doubling));
        let labels = (0..=DOUBLINGS).map(label).collect::<Vec<_>>().concat();
        writeln!(f, "       {}", labels.trim_end())?;
        writeln!(f, "       {}", self.x)?;
        for Series { mark, what, .. } in &self.series {
            writeln!(f, "{mark:>7} {what}")?;
        }
        Ok(())
    }
}

/// The row or column, of so many, of something that has doubled so often; `None` for what is beyond them or no number. What
/// has shrunk is with what has not grown.
fn place(doublings: f64, cells_a_doubling: u16, n_cells: u16) -> Option<usize> {
    if doublings.is_nan() {
        return None;
    }
    let at = doublings.max(0.0) * f64::from(cells_a_doubling);
    (0..n_cells).find(|&cell| (at - f64::from(cell)).abs() <= 0.5).map(usize::from)
}
