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
