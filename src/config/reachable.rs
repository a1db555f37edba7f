//! Routes that can never match because an earlier one takes everything they would. A finding is certain; some that a
//! cleverer proof would find are let through.

use crate::chat::family::ApiFamily;
use crate::config::policy::{HeaderMatch, Match, Policy};
use crate::config::report::Report;
use crate::config::wildcard::matches_pattern;

/// Tells each route that an earlier one shadows.
pub fn check(policy: &Policy, report: &mut Report) {
    let none: &[String] = &[];
    let tasks = std::mem::take(&mut report.route_tasks);
    let tasks_of = |index: usize| tasks.get(index).map_or(none, Vec::as_slice);
    for (later, route) in policy.routes.iter().enumerate() {
        let shadow = policy.routes.iter().take(later).enumerate().find(|(earlier, other)| {
            covers(&other.matches, &route.matches) && words_cover(tasks_of(*earlier), tasks_of(later))
        });
        let Some((earlier, other)) = shadow else { continue };
        let message = format!(
            "can never match: routes[{earlier}] (\"{}\") comes first and takes every request this one would; \
             put this route before it or narrow that one",
            other.name
        );
        report.problem(format_args!("routes[{later}]"), message);
    }
}

/// Whether every request that fits `later` fits `earlier` too.
fn covers(earlier: &Match, later: &Match) -> bool {
    patterns_cover(&earlier.team, &later.team, Everything::IsACondition)
        && patterns_cover(&earlier.model, &later.model, Everything::IsNone)
        && families_cover(&earlier.api, &later.api)
        && earlier.header.iter().all(|condition| headers_cover(condition, &later.header))
        && (earlier.stream.is_none() || earlier.stream == later.stream)
        && earlier.min_input_tokens.unwrap_or(0) <= later.min_input_tokens.unwrap_or(0)
        && earlier.max_input_tokens.unwrap_or(u64::MAX) >= later.max_input_tokens.unwrap_or(u64::MAX)
}

/// What the pattern `*` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Everything {
    /// Nothing: every request has the value.
    IsNone,
    /// That the request has the value at all.
    IsACondition,
}

fn patterns_cover(earlier: &[String], later: &[String], everything: Everything) -> bool {
    let takes_all = everything == Everything::IsNone && earlier.iter().any(|pattern| pattern == "*");
    // A star of the later pattern can only be taken by a star of the earlier one, so matching it as text is a proof.
    let covered = |text: &String| earlier.iter().any(|pattern| matches_pattern(pattern, text));
    earlier.is_empty() || takes_all || (!later.is_empty() && later.iter().all(covered))
}

fn words_cover(earlier: &[String], later: &[String]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|word| earlier.contains(word)))
}

fn families_cover(earlier: &[ApiFamily], later: &[ApiFamily]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|family| earlier.contains(family)))
}

fn headers_cover(condition: &HeaderMatch, later: &[HeaderMatch]) -> bool {
    later.iter().any(|other| other.name == condition.name && matches_pattern(&condition.value, &other.value))
}
