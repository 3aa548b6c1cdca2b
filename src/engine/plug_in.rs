//! What a host plugs in: the builder's methods for each seam.

use std::any::type_name;
use std::sync::Arc;

use super::builder::EngineBuilder;
use super::observer::{Notice, ObserveWith, Observer, WatchedObserver};
use crate::ingest::{EventFacts, EventSource, WeighWith, Weigher};
use crate::model::WatchedClock;
use crate::query::{
    ArrangeWith, Candidate, Filter, FilterWith, Named, Request, RescoreWith, Rescorer, SlatePolicy,
};
use crate::training::{
    GateFacts, GateRefusal, JudgeWith, SweepContext, SweepDecision, SweepGate, SweepPolicy, SweepWith,
    WatchedGate,
};
use crate::types::{Clock, ClockWith, Signal, Timestamp};

impl EngineBuilder {
    /// What events mean; default [`MusicWeigher`](crate::MusicWeigher).
    #[must_use]
    pub fn weigher(mut self, weigher: impl Weigher) -> Self {
        self.weigher = Arc::new(weigher);
        self
    }

    /// As [`weigher`](Self::weigher), from a closure.
    ///
    /// ```
    /// use segue::{ActionKind, Engine, MusicWeigher, Signal, Weigher};
    ///
    /// // Whatever is put into the queue counts as much as three listens; the rest as usual.
    /// let (usual, queued) = (MusicWeigher::default(), Signal::new(1.0, 3.0)?);
    /// let engine = Engine::builder()
    ///     .weigh_with(move |facts| match facts.action {
    ///         ActionKind::Custom(name) if name.as_str() == "queued" => queued,
    ///         _ => usual.weigh(facts),
    ///     })
    ///     .open()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn weigh_with(self, weigh: impl Fn(&EventFacts<'_>) -> Signal + Send + Sync + 'static) -> Self {
        self.weigher(WeighWith(weigh))
    }

    /// When sweeps begin; default [`SweepEvery::default`](crate::SweepEvery::default).
    #[must_use]
    pub fn sweep_policy(mut self, policy: impl SweepPolicy) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// As [`sweep_policy`](Self::sweep_policy), from a closure.
    #[must_use]
    pub fn sweep_policy_with(
        self,
        decide: impl Fn(&SweepContext) -> SweepDecision + Send + Sync + 'static,
    ) -> Self {
        self.sweep_policy(SweepWith(decide))
    }

    /// Whether what a sweep has found is published; default [`QualityGate::default`](crate::plugin::QualityGate).
    #[must_use]
    pub fn sweep_gate(mut self, gate: impl SweepGate) -> Self {
        self.gate = WatchedGate::new(Box::new(gate));
        self
    }

    /// As [`sweep_gate`](Self::sweep_gate), from a closure.
    #[must_use]
    pub fn sweep_gate_with(
        self,
        judge: impl Fn(&GateFacts<'_>) -> Result<(), GateRefusal> + Send + Sync + 'static,
    ) -> Self {
        self.sweep_gate(JudgeWith(judge))
    }

    /// Who is told what the engine does; default nobody.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = WatchedObserver::new(Box::new(observer));
        self
    }

    /// As [`observer`](Self::observer), from a closure.
    ///
    /// ```
    /// use segue::{Engine, Notice};
    ///
    /// let engine = Engine::builder()
    ///     .observe_with(|notice| {
    ///         if let Notice::SweepFailed(error) = notice {
    ///             eprintln!("no new model: {error}");
    ///         }
    ///     })
    ///     .open()?;
    /// # Ok::<(), segue::BuildError>(())
    /// ```
    #[must_use]
    pub fn observe_with(self, observe: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        self.observer(ObserveWith(observe))
    }

    /// What lists may hold: a [`Filter`] for every request. Several all have to let an item pass. Default none.
    #[must_use]
    pub fn filter<F: Filter>(self, filter: F) -> Self {
        self.named_filter(type_name::<F>(), filter)
    }

    fn named_filter(mut self, name: &'static str, filter: impl Filter) -> Self {
        self.queries.filters.push(Named { name, plug_in: Box::new(filter) });
        self
    }

    /// As [`filter`](Self::filter), from a closure that says of one item whether it may be shown.
    ///
    /// ```
    /// use segue::Engine;
    ///
    /// let engine = Engine::builder()
    ///     .filter_with(|request, candidate| {
    ///         let is_calm = candidate.item.to_string().starts_with("lullaby");
    ///         is_calm || request.context.is_none()
    ///     })
    ///     .open()?;
    /// # Ok::<(), segue::BuildError>(())
    /// ```
    #[must_use]
    pub fn filter_with<F>(self, keep: F) -> Self
    where
        F: Fn(&Request<'_>, &Candidate) -> bool + Send + Sync + 'static,
    {
        self.named_filter(type_name::<F>(), FilterWith(keep))
    }

    /// In which order lists are: a [`Rescorer`] for every request, after those given before. Default none.
    #[must_use]
    pub fn rescorer<R: Rescorer>(self, rescorer: R) -> Self {
        self.named_rescorer(type_name::<R>(), rescorer)
    }

    fn named_rescorer(mut self, name: &'static str, rescorer: impl Rescorer) -> Self {
        self.queries.rescorers.push(Named { name, plug_in: Box::new(rescorer) });
        self
    }

    /// As [`rescorer`](Self::rescorer), from a closure that gives one item its new score.
    #[must_use]
    pub fn rescore_with<F>(self, score: F) -> Self
    where
        F: Fn(&Request<'_>, &Candidate) -> f32 + Send + Sync + 'static,
    {
        self.named_rescorer(type_name::<F>(), RescoreWith(score))
    }

    /// Items that rescorers and the slate policy choose from, at least as many as are asked for; default four times as many,
    /// and fifty more at least.
    #[must_use]
    pub fn rescore_pool(mut self, items: usize) -> Self {
        self.queries.pool = Some(items);
        self
    }

    /// How lists are put together: a [`SlatePolicy`] for every request, after those given before. Default none: the best as
    /// they are, as by [`TopRanked`](crate::plugin::TopRanked).
    #[must_use]
    pub fn slate<S: SlatePolicy>(self, slate: S) -> Self {
        self.named_slate(type_name::<S>(), slate)
    }

    fn named_slate(mut self, name: &'static str, slate: impl SlatePolicy) -> Self {
        self.queries.push_slate(Named { name, plug_in: Box::new(slate) });
        self
    }

    /// As [`slate`](Self::slate), from a closure that gives the places to show.
    ///
    /// ```
    /// use segue::Engine;
    ///
    /// // The best one last.
    /// let engine = Engine::builder()
    ///     .slate_with(|request, ranked| (0..ranked.len().min(request.limit)).rev().collect())
    ///     .open()?;
    /// # Ok::<(), segue::BuildError>(())
    /// ```
    #[must_use]
    pub fn slate_with<F>(self, arrange: F) -> Self
    where
        F: Fn(&Request<'_>, &[Candidate]) -> Vec<usize> + Send + Sync + 'static,
    {
        self.named_slate(type_name::<F>(), ArrangeWith(arrange))
    }

    /// Where events are pulled from, beside those that are sent; on a thread of its own, which ends with the engine. Default
    /// none. See [`EventSource`].
    #[must_use]
    pub fn source(mut self, source: impl EventSource) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Where the time comes from; default [`SystemClock`](crate::SystemClock).
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.queries.clock = WatchedClock::new(Arc::new(clock), Arc::clone(&self.watches.queries.clock));
        self
    }

    /// As [`clock`](Self::clock), from a closure.
    #[must_use]
    pub fn clock_with(self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock(ClockWith(now))
    }
}
