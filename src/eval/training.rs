//! Training for an evaluation.

use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::als::{Als, AlsParams, SweepError, SweepSolver, TrainedModel, TrainingInput};

/// A model and how its training went.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, whose users have been solved against its final items.
    pub model: TrainedModel,
    /// The sweeps, in order.
    pub sweeps: Vec<SweepRecord>,
}

/// How one sweep went.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SweepRecord {
    /// Its number; the first is 1.
    pub number: usize,
    /// What both half-sweeps took. Evaluating the objective is not in it.
    pub duration: Duration,
    /// The objective after it.
    pub objective: f64,
}

impl Trained {
    /// What a sweep took in the mean, in seconds; `None` if there was none.
    pub fn seconds_per_sweep(&self) -> Option<f64> {
        let n_sweeps = u32::try_from(self.sweeps.len()).ok().filter(|&count| count > 0)?;
        let total: Duration = self.sweeps.iter().map(|sweep| sweep.duration).sum();
        Some(total.as_secs_f64() / f64::from(n_sweeps))
    }
}

/// Trains from a cold start by `n_sweeps` sweeps that solve rows with `solver`, and ends on the users. Blocks until it is done.
///
/// `on_sweep` is called after each sweep, between sweeps, on the calling thread.
///
/// # Errors
/// [`SweepError`] if factors come out NaN or infinite.
pub fn train(
    params: AlsParams,
    solver: SweepSolver,
    input: &TrainingInput,
    n_sweeps: usize,
    pool: &ThreadPool,
    mut on_sweep: impl FnMut(&SweepRecord),
) -> Result<Trained, SweepError> {
    let mut als = Als::new(params, input.n_users(), input.n_items()).solving_with(solver);
    let mut sweeps = Vec::new();
    for number in 1..=n_sweeps {
        let start = Instant::now();
        als.sweep(input, pool)?;
        let duration = start.elapsed();
        let record = SweepRecord { number, duration, objective: als.objective(input, pool)? };
        on_sweep(&record);
        sweeps.push(record);
    }
    Ok(Trained { model: als.finish(input, pool)?, sweeps })
}
