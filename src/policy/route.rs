//! Which route a request takes: the first whose every written condition holds.

use crate::config::policy::Match;
use crate::config::wildcard::matches_pattern;
use crate::policy::access::Principal;
use crate::policy::facts::Facts;
use crate::policy::rules::Route;

/// The first route that matches.
pub fn find<'a>(routes: &'a [Route], facts: &Facts<'_>, principal: &Principal) -> Option<&'a Route> {
    routes.iter().find(|route| holds(&route.matches, facts, principal))
}

fn holds(matches: &Match, facts: &Facts<'_>, principal: &Principal) -> bool {
    let one_of = |patterns: &[String], text: Option<&str>| {
        patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| matches_pattern(pattern, text)))
    };
    one_of(&matches.team, principal.team.as_deref())
        && one_of(&matches.model, Some(facts.model))
        && (matches.api.is_empty() || matches.api.contains(&facts.api))
        && matches.stream.is_none_or(|stream| stream == facts.stream)
        && matches.min_input_tokens.is_none_or(|least| facts.input_tokens >= least)
        && matches.max_input_tokens.is_none_or(|most| facts.input_tokens <= most)
        && matches
            .header
            .iter()
            .all(|wanted| facts.headers.text(&wanted.name).is_some_and(|value| matches_pattern(&wanted.value, value)))
}

#[cfg(test)]
mod tests {
    use super::holds;
    use crate::chat::capability::Capabilities;
    use crate::chat::family::ApiFamily;
    use crate::chat::wire::Wire;
    use crate::config::policy::{HeaderMatch, Match};
    use crate::http::Headers;
    use crate::policy::access::Principal;
    use crate::policy::facts::{Facts, Lossless};

    #[test]
    fn every_written_condition_must_hold() {
        let headers = Headers::from_pairs([("x-region", "eu-west")]);
        let facts = Facts {
            api: ApiFamily::OpenAi,
            wire: Wire::Chat,
            model: "gpt-5-mini",
            stream: true,
            input_tokens: 500,
            max_output: None,
            choices: 1,
            needs: Capabilities::NONE,
            headers: &headers,
            losses: &Lossless,
        };
        let mut principal = Principal::default();
        principal.team = Some("eu-search".into());
        let all = Match {
            team: vec!["eu-*".into()],
            model: vec!["claude-*".into(), "gpt-*".into()],
            api: vec![ApiFamily::OpenAi],
            header: vec![HeaderMatch { name: "x-region".into(), value: "eu*".into() }],
            stream: Some(true),
            min_input_tokens: Some(500),
            max_input_tokens: Some(500),
        };
        let test = |matches: &Match| holds(matches, &facts, &principal);
        assert!(test(&all));
        assert!(test(&Match::default()));
        assert!(!test(&Match { team: vec!["us-*".into()], ..all.clone() }));
        assert!(!test(&Match { model: vec!["gpt".into()], ..all.clone() }));
        assert!(!test(&Match { api: vec![ApiFamily::Anthropic], ..all.clone() }));
        assert!(!test(&Match { stream: Some(false), ..all.clone() }));
        assert!(!test(&Match { min_input_tokens: Some(501), ..all.clone() }));
        assert!(!test(&Match { max_input_tokens: Some(499), ..all.clone() }));
        let other = HeaderMatch { name: "x-other".into(), value: "*".into() };
        assert!(!test(&Match { header: vec![other], ..all.clone() }));
        assert!(!holds(&all, &facts, &Principal::default()));
    }
}
