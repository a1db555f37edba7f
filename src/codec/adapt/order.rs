//! Results of calls right behind the calls, as all formats but Anthropic's and the responses want them: what the operator
//! says between the two comes after. Not the order of the results themselves.

use crate::chat::part::Content;
use crate::chat::request::{Request, Role, Turn};

/// Whether a system turn stands between calls and their results.
pub fn must_mend(request: &Request<'_>) -> bool {
    let mut after_calls = false;
    let mut said = false;
    request.turns.iter().any(|turn| match turn.role {
        Role::System => {
            said = after_calls;
            false
        }
        Role::Tool => said,
        Role::User | Role::Assistant => {
            (after_calls, said) = (calls(turn), false);
            false
        }
    })
}

/// Puts such turns behind the results.
pub fn mend(request: &mut Request<'_>) {
    for run in request.turns.chunk_by_mut(|_, next| matches!(next.role, Role::System | Role::Tool)) {
        if let Some((first, rest)) = run.split_first_mut()
            && calls(first)
        {
            // The sort keeps the order of turns of a kind.
            rest.sort_by_key(|turn| turn.role != Role::Tool);
        }
    }
}

fn calls(turn: &Turn<'_>) -> bool {
    turn.role == Role::Assistant && turn.parts.iter().any(|part| matches!(part.content, Content::Call(_)))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{mend, must_mend};
    use crate::chat::part::{Call, CallKind, Content, Part};
    use crate::chat::prose::Prose;
    use crate::chat::request::{Request, Role, Turn};

    /// A conversation of which each letter is a turn: the system's, the user's, an answer, one that calls, a tool's.
    fn conversation(letters: &str) -> Request<'static> {
        let turn = |(index, letter): (usize, char)| {
            let text = Content::text(Prose::plain(index.to_string()));
            let call = || Call {
                id: Cow::Borrowed("c"),
                name: Cow::Borrowed("f"),
                arguments: Prose::EMPTY,
                kind: CallKind::Function,
                signature: None,
            };
            let (role, content) = match letter {
                's' => (Role::System, text),
                'u' => (Role::User, text),
                'a' => (Role::Assistant, text),
                'c' => (Role::Assistant, Content::Call(call())),
                _ => (Role::Tool, text),
            };
            Turn { role, parts: vec![Part::from(content)], name: None }
        };
        Request { turns: letters.chars().enumerate().map(turn).collect(), ..Request::default() }
    }

    #[test]
    fn what_is_said_between_calls_and_results_is_said_behind_them() {
        for (given, mended) in [
            ("sucstu", "suctsu"),
            ("csst", "ctss"),
            ("ctst", "ctts"),
            ("uctscst", "uctscts"),
            ("ucts", "ucts"),
            ("sut", "sut"),
            ("uast", "uast"),
            ("cut", "cut"),
        ] {
            let mut request = conversation(given);
            assert_eq!(must_mend(&request), given != mended, "{given}");
            mend(&mut request);
            let letters = |turn: &Turn<'_>| match (turn.role, &turn.parts[0].content) {
                (Role::System, _) => 's',
                (Role::User, _) => 'u',
                (Role::Assistant, Content::Call(_)) => 'c',
                (Role::Assistant, _) => 'a',
                (Role::Tool, _) => 't',
            };
            assert_eq!(request.turns.iter().map(letters).collect::<String>(), mended, "{given}");
        }
    }
}
