//! The order in which eligible targets are tried, and what a request is expected to cost at each.

use std::rc::Rc;

use crate::chat::money::Money;
use crate::chat::usage::Usage;
use crate::config::policy::Prefer;
use crate::host::Timestamp;
use crate::policy::facts::Facts;
use crate::policy::rules::Target;

/// Output tokens expected of a request that names no smaller limit. Why a constant: until requests are told apart by
/// task, one typical length ranks targets by the right mix of their input and output prices.
const EXPECTED_OUTPUT: u64 = 400;

/// Output tokens assumed in the worst case when neither the request nor the model names a limit.
const UNKNOWN_OUTPUT_LIMIT: u64 = 8_192;

/// The expected cost of a request at a target; `None` when nobody knows the price.
pub fn expected_cost(target: &Target, facts: &Facts<'_>, now: Timestamp) -> Option<Money> {
    let output = EXPECTED_OUTPUT.min(facts.max_output.unwrap_or(u64::MAX)).saturating_mul(facts.choices);
    let usage = Usage::estimated(facts.input_tokens, output);
    target.prices.as_ref().map(|prices| prices.cost(&usage, now))
}

/// The most a request can cost at a target: the input estimate and the whole output limit that applies.
pub fn worst_cost(target: &Target, facts: &Facts<'_>, now: Timestamp) -> Option<Money> {
    let output = facts.max_output.or(target.max_output).unwrap_or(UNKNOWN_OUTPUT_LIMIT).saturating_mul(facts.choices);
    let usage = Usage::estimated(facts.input_tokens, output);
    target.prices.as_ref().map(|prices| prices.cost(&usage, now))
}

/// Puts targets into the order in which they are tried. `dice` decides a weighted draw and nothing else.
pub fn rank(targets: &mut Vec<Rc<Target>>, prefer: Prefer, facts: &Facts<'_>, now: Timestamp, dice: u64) {
    match prefer {
        Prefer::Ordered => {}
        // A stable sort: equal costs keep the order written. An unknown price is not taken for a low one.
        Prefer::Cheapest => targets.sort_by_cached_key(|target| match expected_cost(target, facts, now) {
            Some(cost) => (false, cost),
            None => (true, Money::ZERO),
        }),
        Prefer::Weighted => draw(targets, dice),
    }
}

/// Draws targets one by one without putting back, each by its share of the weights that are left.
fn draw(targets: &mut Vec<Rc<Target>>, mut dice: u64) {
    let mut left = std::mem::take(targets);
    while !left.is_empty() {
        let total: u64 = left.iter().map(|target| u64::from(target.weight)).sum();
        let mut point = if total == 0 { 0 } else { dice % total };
        let drawn = left.iter().position(|target| {
            let weight = u64::from(target.weight);
            let here = point < weight;
            point = point.saturating_sub(weight);
            here
        });
        targets.push(left.remove(drawn.unwrap_or(0)));
        dice = next(dice);
    }
}

/// One step of splitmix64: the draws after the first follow from it, so that a recorded `dice` gives the same order.
fn next(state: u64) -> u64 {
    let mut word = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{expected_cost, next, rank, worst_cost};
    use crate::chat::money::Money;
    use crate::config::policy::Prefer;
    use crate::host::Timestamp;
    use crate::http::Headers;
    use crate::policy::price::Prices;
    use crate::policy::rules::Target;
    use crate::policy::rules::sample::{facts, price, provider, target};

    fn names(targets: &[Rc<Target>]) -> Vec<&str> {
        targets.iter().map(|target| target.model.as_str()).collect()
    }

    fn ranked(targets: &[Rc<Target>], prefer: Prefer, dice: u64) -> Vec<Rc<Target>> {
        let headers = Headers::default();
        let mut targets = targets.to_vec();
        rank(&mut targets, prefer, &facts("m", &headers), Timestamp::default(), dice);
        targets
    }

    #[test]
    fn the_cheapest_comes_first_and_an_unknown_price_last() {
        let one = |name: &str, prices: Option<Prices>| Rc::new(Target { prices, ..target(provider("p"), name, "m") });
        let targets = [
            one("unknown", None),
            one("dear", price(10.0, 10.0)),
            one("cheap", price(1.0, 1.0)),
            one("also-cheap", price(1.0, 1.0)),
            one("free", price(0.0, 0.0)),
        ];
        assert_eq!(
            names(&ranked(&targets, Prefer::Cheapest, 7)),
            ["free", "cheap", "also-cheap", "dear", "unknown"],
            "equal costs keep the order written"
        );
        let ordered = ranked(&targets, Prefer::Ordered, 7);
        assert_eq!(names(&ordered), ["unknown", "dear", "cheap", "also-cheap", "free"]);
    }

    #[test]
    fn a_draw_follows_the_weights_and_never_prefers_weight_zero() {
        let one = |name: &str, weight| Rc::new(Target { weight, ..target(provider("p"), name, "m") });
        let targets = [one("seventy", 70), one("thirty", 30), one("never", 0)];
        let (mut first, mut dice) = ([0_u32; 2], 1);
        for _ in 0..10_000 {
            dice = next(dice);
            let order = ranked(&targets, Prefer::Weighted, dice);
            assert_eq!(names(&order).len(), 3);
            match order[0].model.as_str() {
                "seventy" => first[0] += 1,
                "thirty" => first[1] += 1,
                other => panic!("{other} was drawn first"),
            }
            assert_eq!(order[2].model, "never");
        }
        assert!((6_800..7_200).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn the_same_dice_give_the_same_order() {
        let one = |name: &str| Rc::new(target(provider("p"), name, "m"));
        let targets = [one("a"), one("b"), one("c"), one("d")];
        for dice in [0, 1, u64::MAX] {
            let twice = [ranked(&targets, Prefer::Weighted, dice), ranked(&targets, Prefer::Weighted, dice)];
            assert_eq!(names(&twice[0]), names(&twice[1]));
        }
    }

    #[test]
    fn costs_follow_the_limits_that_apply() {
        let headers = Headers::default();
        let mut facts = facts("m", &headers);
        let mut target = Target { prices: price(1.0, 10.0), ..target(provider("p"), "m", "m") };
        let costs = |target: &Target, facts: &_| {
            [expected_cost, worst_cost].map(|cost| cost(target, facts, Timestamp::default()).map(Money::micros))
        };
        assert_eq!(costs(&target, &facts), [Some(1_000 + 4_000), Some(1_000 + 81_920)], "no limit is known");
        target.max_output = Some(2_000);
        assert_eq!(costs(&target, &facts), [Some(5_000), Some(21_000)], "the model's limit");
        facts.max_output = Some(100);
        assert_eq!(costs(&target, &facts), [Some(2_000), Some(2_000)], "the request's limit");
        facts.choices = 3;
        assert_eq!(costs(&target, &facts), [Some(4_000), Some(4_000)], "every answer is paid for");
        target.prices = None;
        assert_eq!(costs(&target, &facts), [None, None]);
    }
}
