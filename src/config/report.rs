//! What reading a policy found besides the policy: problems, parts not built yet, names to look up. Not how it is read.

use std::fmt::Display;

use crate::config::policy::Unsupported;
use crate::config::problem::Problem;

/// Problems told one by one; the rest is a number. Nobody mends the hundredth before the first.
const MOST_PROBLEMS: usize = 100;

/// What a name in a part that is not built yet must be the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Model,
    Provider,
    Team,
    Key,
    Task,
}

/// A name that stands in a part of the file that has no struct, kept so that it is looked up all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub path: String,
    pub kind: Kind,
    pub name: String,
}

/// What accumulates while a policy is read.
#[derive(Debug, Default)]
pub struct Report {
    problems: Vec<Problem>,
    untold: usize,
    pub unsupported: Vec<Unsupported>,
    pub mentions: Vec<Mention>,
    /// `routes[].match.task`, route by route.
    pub route_tasks: Vec<Vec<String>>,
    /// The names of `tasks`.
    pub tasks: Vec<String>,
    /// Whether `jwt` is written.
    pub jwt: bool,
}

impl Report {
    /// Adds a problem.
    pub fn problem(&mut self, path: impl Display, message: impl Into<String>) {
        if self.is_full() {
            self.untold += 1;
        } else {
            self.problems.push(Problem::new(path.to_string(), message));
        }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether further problems are only counted, so that no work on their words is worth it.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    /// Notes a well-formed part that is not built yet.
    pub fn unsupported(&mut self, path: impl Display, what: impl Display) {
        self.unsupported.push(Unsupported { path: path.to_string(), what: format!("`{what}`") });
    }

    /// Notes a name to be looked up when every section has been read.
    pub fn mention(&mut self, path: &str, kind: Kind, name: &str) {
        self.mentions.push(Mention { path: path.to_owned(), kind, name: name.to_owned() });
    }

    /// Every problem told, and how many were not.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        if self.untold > 0 {
            problems.push(Problem::new("", format!("and {} more; mend these first", self.untold)));
        }
        problems
    }
}
