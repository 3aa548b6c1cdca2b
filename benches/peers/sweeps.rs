//! Training and fold-in.

use std::time::Instant;

use rayon::ThreadPool;
use segue::{Als, AlsParams, ItemIdx, Pair, SweepSolver, TrainedModel, TrainingInput, UserIdx};
use serde_json::{Value, json};

use super::Failure;
use super::arrays::{count, read_f32, read_indptr, read_u32, summary, text, write_f32, write_factors};

/// The data, the run and the model that commands speak of.
#[derive(Default)]
pub(super) struct Sweeps {
    input: Option<TrainingInput>,
    als: Option<Als>,
    model: Option<TrainedModel>,
    pool: Option<ThreadPool>,
}

impl Sweeps {
    pub(super) fn answer(&mut self, name: &str, command: &Value) -> Result<Value, Failure> {
        match name {
            "load" => self.load(command),
            "start" => self.start(command),
            "sweep" => self.sweep(),
            "finish" => self.finish(),
            "dump" => self.dump(command),
            "fold_in" => self.fold_in(command),
            _ => Err(format!("nobody knows how to {name}").into()),
        }
    }

    fn load(&mut self, command: &Value) -> Result<Value, Failure> {
        let folder = text(command, "folder")?;
        let (n_users, n_items) = (count(command, "n_users")?, count(command, "n_items")?);
        let indptr = read_indptr(&format!("{folder}/indptr.bin"))?;
        let items = read_u32(&format!("{folder}/indices.bin"))?;
        let confidences = read_f32(&format!("{folder}/confidences.bin"))?;
        let mut pairs = Vec::with_capacity(items.len());
        for user in 0..n_users {
            for at in indptr[user]..indptr[user + 1] {
                let pair = Pair::from_hu_koren_volinsky(confidences[at])?;
                pairs.push((UserIdx::new(u32::try_from(user)?), ItemIdx::new(items[at]), pair));
            }
        }
        self.pool = Some(rayon::ThreadPoolBuilder::new().num_threads(count(command, "threads")?).build()?);
        self.input = Some(TrainingInput::from_pairs(n_users, n_items, pairs)?);
        Ok(json!({}))
    }

    fn start(&mut self, command: &Value) -> Result<Value, Failure> {
        let input = self.input.as_ref().ok_or("load comes first")?;
        let regularization =
            command["regularization"].as_f64().ok_or("`regularization` should be a number")?;
        #[expect(clippy::cast_possible_truncation, reason = "a setting")]
        let params = AlsParams::builder()
            .n_factors(count(command, "factors")?)
            .regularization(regularization as f32)
            // As Hu, Koren and Volinsky have it.
            .unobserved_weight(1.0)
            .frequency_exponent(0.0)
            .seed(command["seed"].as_u64().unwrap_or(0))
            .build()?;
        let solver = match text(command, "solver")? {
            "exact" => SweepSolver::Exact,
            "conjugate" => SweepSolver::ConjugateGradient {
                max_steps: u32::try_from(count(command, "steps")?)?,
                tolerance: 0.03,
            },
            other => return Err(format!("there is no solver {other}").into()),
        };
        self.als = Some(Als::new(params, input.n_users(), input.n_items()).solving_with(solver));
        Ok(json!({}))
    }

    fn sweep(&mut self) -> Result<Value, Failure> {
        let (Some(input), Some(als), Some(pool)) = (&self.input, &mut self.als, &self.pool) else {
            return Err("start comes first".into());
        };
        let start = Instant::now();
        als.sweep(input, pool)?;
        Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
    }

    fn finish(&mut self) -> Result<Value, Failure> {
        let (Some(input), Some(als), Some(pool)) = (&self.input, self.als.take(), &self.pool) else {
            return Err("start comes first".into());
        };
        let start = Instant::now();
        self.model = Some(als.finish(input, pool)?);
        Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
    }

    /// Writes the factors of the run or, once it is finished, of the model.
    fn dump(&self, command: &Value) -> Result<Value, Failure> {
        let (users, items) = match (&self.als, &self.model) {
            (Some(als), _) => (als.user_factors(), als.item_factors()),
            (None, Some(model)) => (model.user_factors(), model.item_factors()),
            (None, None) => return Err("start comes first".into()),
        };
        write_factors(text(command, "users")?, users)?;
        write_factors(text(command, "items")?, items)?;
        Ok(json!({}))
    }

    /// Folds histories of 50 items each in, one after the other, and writes their vectors.
    fn fold_in(&self, command: &Value) -> Result<Value, Failure> {
        const LENGTH: usize = 50;
        let model = self.model.as_ref().ok_or("finish comes first")?;
        let items = read_u32(text(command, "items")?)?;
        let confidence = Pair::from_hu_koren_volinsky(3.0)?;
        let (mut spent, mut folded) = (Vec::new(), Vec::new());
        for history in items.chunks_exact(LENGTH) {
            let history: Vec<_> = history.iter().map(|&item| (ItemIdx::new(item), confidence)).collect();
            let start = Instant::now();
            let vector = model.fold_in(&history)?;
            spent.push(start.elapsed().as_secs_f64());
            folded.extend(vector);
        }
        write_f32(text(command, "out")?, folded)?;
        Ok(summary(spent))
    }
}
