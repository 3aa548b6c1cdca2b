//! Users like items of their own parity: everybody is recommended what they have not heard of it.

use crate::common::{PATIENCE, Random, small};
use segue::{AlsParams, Event};

#[test]
fn everybody_gets_their_own_colour() {
    const SIDE: u64 = 40;
    // A world of two kinds needs few factors; with many it is learned by heart, gaps and all.
    let als = AlsParams::builder().n_factors(4).regularization(0.05).build().expect("usable settings");
    let engine = small().als(als).open().expect("usable settings");
    let sender = engine.sender();
    let mut random = Random::new(9);
    for user in 0..SIDE {
        for item in 0..SIDE {
            // Two thirds of it; the rest is what can be recommended.
            if (user + item) % 2 == 0 && random.below(3) > 0 {
                sender.send(Event::listen(user, item)).expect("running");
            }
        }
    }
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let newcomer = sender.send_tracked(Event::listen("newcomer", 1)).expect("running");
    let view = engine.reader().view_after(&newcomer, PATIENCE).expect("learned");
    for user in 0..SIDE {
        let unheard =
            (0..SIDE).filter(|item| (user + item) % 2 == 0).count() - view.user(user).history().len();
        let list = view.user(user).recommend().limit(unheard).run().expect("always an answer");
        let right = list.ids().filter(|id| id.as_u64().is_some_and(|item| (user + item) % 2 == 0)).count();
        assert_eq!(right, unheard, "{user}: {list:?}");
        let scores = view.user(user).estimate(0..SIDE);
        for (item, score) in (0..SIDE).zip(scores) {
            let (score, own) = (score.expect("known"), (user + item) % 2 == 0);
            assert_eq!(score > 0.3, own, "{user} and {item}: {score}");
        }
        let alike = view.similar(user).limit(10).run().expect("it has a vector");
        assert!(alike.ids().all(|id| id.as_u64().is_some_and(|item| (user + item) % 2 == 0)), "{alike:?}");
    }
    let list = view.user("newcomer").recommend().limit(19).run().expect("always an answer");
    assert!(list.ids().all(|id| id.as_u64().is_some_and(|item| item % 2 == 1)), "{list:?}");
}
