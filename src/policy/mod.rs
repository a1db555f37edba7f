//! Pure decisions: compiled rules, facts of a request, principal, snapshot, time and dice in; an answer out.
