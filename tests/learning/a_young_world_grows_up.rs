//! A first model of next to nothing, in a large empty catalogue, does not keep the models after it out.

use segue::{Engine, Event, NeverSweep, Source};

#[test]
fn a_collapsed_first_model_gives_way_to_a_good_one() {
    let mut engine =
        Engine::builder().sweep_policy(NeverSweep).threads(1).open_manual().expect("usable settings");
    engine.add_items(0..20_000_u64).expect("there is room");
    engine.import((0..1_000_u64).map(|n| Event::listen(n % 500, n * 19 % 20_000)));
    engine.sweep().expect("there is something to learn");
    let listens = (0..300_u64).flat_map(|user| {
        (0..200_u64).map(move |n| Event::listen(user, user % 3 * 400 + (user * 7 + n * 3) % 400))
    });
    engine.import(listens);
    engine.sweep().expect("the second model is no explosion");
    let answer = engine.reader().view().user(7).recommend().run().expect("always an answer");
    assert_eq!(answer.provenance().source, Source::Personal);
    let circle = 400..800;
    assert!(answer.ids().all(|id| id.as_u64().is_some_and(|item| circle.contains(&item))), "{answer:?}");
}
