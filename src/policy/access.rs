//! Who asks, and what they may use: virtual keys by hash, teams in a tree. Not where a credential stands on the wire.

use std::collections::HashMap;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::wildcard::matches_pattern;

/// Keys and teams, compiled: each key's permissions are worked out once.
#[derive(Debug, Default)]
pub struct Access {
    keys: HashMap<[u8; 8], Vec<Entry>>,
    nobody: Rc<Principal>,
    anonymous: bool,
}

#[derive(Debug)]
struct Entry {
    sha256: [u8; 32],
    expires_at: Option<u64>,
    principal: Rc<Principal>,
}

/// A virtual key; only its hash is known.
#[derive(Debug)]
pub struct Key {
    /// How it is called in audit lines.
    pub id: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// The position of its team.
    pub team: Option<usize>,
    /// The first second since the Unix epoch at which it is no longer good.
    pub expires_at: Option<u64>,
    /// Patterns of what it may use; `None` leaves it to the team.
    pub models: Option<Vec<String>>,
}

/// A team.
#[derive(Debug)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// The position of its parent. Never part of a circle.
    pub parent: Option<usize>,
    /// Patterns of what it may use; `None` leaves it to the parent.
    pub models: Option<Vec<String>>,
    /// Regions its requests may go to; `None` leaves it to the parent.
    pub regions: Option<Vec<String>>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// The key's id; `None` for somebody anonymous.
    pub key: Option<String>,
    /// The team's name.
    pub team: Option<String>,
    levels: Vec<Level>,
}

/// One level of permission, from the key up the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    name: String,
    models: Option<Vec<String>>,
    regions: Option<Vec<String>>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credential, and the policy has no `anonymous: allow`.
    Missing,
    /// A credential nobody knows.
    Unknown,
    /// A key past its day.
    Expired,
}

impl Access {
    /// Compiled access rules. `teams` refer to each other by position and hold no circle.
    pub fn new(keys: Vec<Key>, teams: &[Team], anonymous: bool) -> Self {
        let mut by_prefix: HashMap<[u8; 8], Vec<Entry>> = HashMap::with_capacity(keys.len());
        for key in keys {
            let (sha256, expires_at) = (key.sha256, key.expires_at);
            let principal = Rc::new(Principal::of(key, teams));
            by_prefix.entry(prefix(&sha256)).or_default().push(Entry { sha256, expires_at, principal });
        }
        Self { keys: by_prefix, nobody: Rc::default(), anonymous }
    }

    /// Who presents this credential at that second. The time it takes does not depend on how many keys there are, nor
    /// on how much of a hash is right.
    ///
    /// # Errors
    /// Why they are not let in.
    pub fn principal(&self, credential: Option<&[u8]>, now_secs: u64) -> Result<Rc<Principal>, Refusal> {
        let Some(credential) = credential.filter(|text| !text.is_empty()) else {
            return if self.anonymous { Ok(Rc::clone(&self.nobody)) } else { Err(Refusal::Missing) };
        };
        if self.anonymous && self.keys.is_empty() {
            return Ok(Rc::clone(&self.nobody));
        }
        let hash: [u8; 32] = Sha256::digest(credential).into();
        let mut found = None;
        for entry in self.keys.get(&prefix(&hash)).into_iter().flatten() {
            if bool::from(entry.sha256.ct_eq(&hash)) {
                found = Some(entry);
            }
        }
        let entry = found.ok_or(Refusal::Unknown)?;
        if entry.expires_at.is_some_and(|end| now_secs >= end) {
            return Err(Refusal::Expired);
        }
        Ok(Rc::clone(&entry.principal))
    }
}

impl Principal {
    /// The holder of a key, with every level of permission up the tree.
    fn of(key: Key, teams: &[Team]) -> Self {
        let mut at = key.team.and_then(|index| teams.get(index));
        let team = at.map(|team| team.name.clone());
        let mut levels = vec![Level { name: format!("key \"{}\"", key.id), models: key.models, regions: None }];
        // The tree has no circle; the count is a second fence, since a loop would hold up the worker.
        for _ in 0..=teams.len() {
            let Some(team) = at else { break };
            levels.push(Level {
                name: format!("team \"{}\"", team.name),
                models: team.models.clone(),
                regions: team.regions.clone(),
            });
            at = team.parent.and_then(|index| teams.get(index));
        }
        levels.retain(|level| level.models.is_some() || level.regions.is_some());
        Self { key: Some(key.id), team, levels }
    }

    /// The level that keeps this principal from a target known by any of `names`; `None` when all let it through.
    pub fn barred_from(&self, names: &[&str]) -> Option<&str> {
        self.levels
            .iter()
            .find(|level| {
                level.models.as_ref().is_some_and(|patterns| {
                    !patterns.iter().any(|pattern| names.iter().any(|name| matches_pattern(pattern, name)))
                })
            })
            .map(|level| level.name.as_str())
    }

    /// The level that keeps this principal's requests out of a region; `None` when all let it through.
    pub fn barred_from_region(&self, region: Option<&str>) -> Option<&str> {
        self.levels
            .iter()
            .find(|level| {
                level
                    .regions
                    .as_ref()
                    .is_some_and(|allowed| !region.is_some_and(|region| allowed.iter().any(|one| one == region)))
            })
            .map(|level| level.name.as_str())
    }
}

fn prefix(hash: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    first
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{Access, Key, Refusal, Team};

    fn key(id: &str, secret: &str) -> Key {
        Key { id: id.to_owned(), sha256: Sha256::digest(secret).into(), team: None, expires_at: None, models: None }
    }

    #[test]
    fn knows_a_key_by_its_hash_until_its_day() {
        let access = Access::new(vec![Key { expires_at: Some(100), ..key("web", "s3cret") }], &[], false);
        assert_eq!(access.principal(Some(b"s3cret"), 99).unwrap().key.as_deref(), Some("web"));
        assert_eq!(access.principal(Some(b"s3cret"), 100), Err(Refusal::Expired));
        assert_eq!(access.principal(Some(b"s3creT"), 99), Err(Refusal::Unknown));
        assert_eq!(access.principal(Some(b""), 99), Err(Refusal::Missing));
        assert_eq!(access.principal(None, 99), Err(Refusal::Missing));
    }

    #[test]
    fn a_wrong_key_is_not_somebody_anonymous() {
        let access = Access::new(vec![key("web", "s3cret")], &[], true);
        assert!(access.principal(None, 0).unwrap().key.is_none());
        assert_eq!(access.principal(Some(b"wrong"), 0), Err(Refusal::Unknown));
        let open = Access::new(vec![], &[], true);
        assert!(open.principal(Some(b"whatever the SDK sends"), 0).unwrap().key.is_none());
    }

    #[test]
    fn a_team_narrows_what_its_parent_allows() {
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        let teams = vec![
            Team {
                name: "org".into(),
                parent: None,
                models: list(&["fast", "openai/*"]),
                regions: list(&["eu", "us"]),
            },
            Team { name: "growth".into(), parent: Some(0), models: list(&["fast", "smart"]), regions: list(&["eu"]) },
        ];
        let access = Access::new(vec![Key { team: Some(1), ..key("web", "s3cret") }], &teams, false);
        let principal = access.principal(Some(b"s3cret"), 0).unwrap();
        assert_eq!(principal.team.as_deref(), Some("growth"));
        assert_eq!(principal.barred_from(&["fast"]), None);
        assert_eq!(principal.barred_from(&["smart"]), Some("team \"org\""));
        assert_eq!(principal.barred_from(&["openai/gpt-5"]), Some("team \"growth\""));
        assert_eq!(principal.barred_from_region(Some("eu")), None);
        assert_eq!(principal.barred_from_region(Some("us")), Some("team \"growth\""));
        assert_eq!(principal.barred_from_region(None), Some("team \"growth\""));
    }
}
