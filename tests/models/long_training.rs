//! Training a small world for long stays finite: factors that nothing needs shrink below the smallest
//! number, which no step of a sweep may stumble over.

use segue::{Engine, Event};

#[test]
fn hundreds_of_sweeps_over_a_tiny_world_stay_finite() {
    for sweeps in [8, 50, 400] {
        let mut engine = Engine::builder().sweeps(sweeps, 2).open_manual().expect("usable settings");
        for (listener, artist) in
            [(1_u64, 1_u64), (1, 2), (1, 3), (2, 2), (2, 3), (3, 4), (3, 5), (4, 4), (4, 5)]
        {
            engine.apply(Event::listen(listener, artist)).expect("well formed");
        }
        let report = engine.sweep().unwrap_or_else(|error| panic!("{sweeps} sweeps: {error:?}"));
        assert!(report.objective.is_finite());
    }
}
