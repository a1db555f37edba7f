//! `teams`, `keys`, `jwt` and `anonymous`: who may ask. Not whether the names in them exist (see `validate`).

use crate::config::date;
use crate::config::policy::{Anonymous, Key, Team};
use crate::config::reader::{Fields, Node, check_free_name, quoted};
use crate::config::report::Report;

/// Reads `teams`.
pub fn read(section: &Node<'_>, report: &mut Report) -> Vec<Team> {
    section.entries(report).iter().map(|(name, node)| read_one(name, node, report)).collect()
}

fn read_one(name: &str, node: &Node<'_>, report: &mut Report) -> Team {
    check_free_name(&node.path, name, report);
    let fields = node.fields(&["parent", "models", "regions", "roles"], report);
    if let Some(roles) = fields.get("roles") {
        roles.texts(report);
        if !roles.is_hollow() {
            report.unsupported(&roles.path, "roles");
        }
    }
    Team {
        name: name.to_owned(),
        parent: text(&fields, "parent", report),
        models: fields.get("models").map(|models| models.texts(report)),
        regions: fields.get("regions").map(|regions| regions.texts(report)),
    }
}

/// Reads `keys`.
pub fn read_keys(section: &Node<'_>, report: &mut Report) -> Vec<Key> {
    section.items(report).iter().map(|node| read_key(node, report)).collect()
}

fn read_key(node: &Node<'_>, report: &mut Report) -> Key {
    let fields = node.fields(&["id", "sha256", "team", "expires", "models"], report);
    let id = fields.need("id", "write what audit lines shall call the key", report);
    let id = id.and_then(|id| id.text(report).inspect(|text| check_free_name(&id.path, text, report)));
    let hash = fields.need("sha256", "`weir key new` prints a key and its hash", report);
    Key {
        id: id.unwrap_or_default().to_owned(),
        sha256: hash.and_then(|hash| read_hash(&hash, report)).unwrap_or_default(),
        team: text(&fields, "team", report),
        expires_at: fields.get("expires").and_then(|expires| read_expiry(&expires, report)),
        models: fields.get("models").map(|models| models.texts(report)),
    }
}

/// Reads 64 hexadecimal digits. The value is not repeated: it may be the key itself.
fn read_hash(node: &Node<'_>, report: &mut Report) -> Option<[u8; 32]> {
    let text = node.prose(report)?;
    let hash = parse_hash(text);
    if hash.is_none() {
        let way_out = "`weir key new` prints the hash of a key";
        let found = text.chars().count();
        report.problem(&node.path, format!("must be 64 hexadecimal digits, found {found} characters; {way_out}"));
    }
    hash
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let mut digits = text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    for byte in &mut hash {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    digits.next().is_none().then_some(hash)
}

fn read_expiry(node: &Node<'_>, report: &mut Report) -> Option<u64> {
    let text = node.prose(report)?;
    let seconds = date::parse_seconds(text);
    if seconds.is_none() {
        let rule = "must be a day or a moment in UTC, as 2027-06-30 or 2027-06-30T12:00:00Z";
        report.problem(&node.path, format!("{rule}, found {}", quoted(text)));
    }
    seconds
}

/// Checks `jwt`.
pub fn read_jwt(section: &Node<'_>, report: &mut Report) {
    let fields = section.fields(&["team", "user"], report);
    if section.value.is_object() && fields.lacks_all(&["team", "user"]) {
        report.problem(&section.path, "must name a claim, as `{team: llm_team, user: sub}`");
    }
    text(&fields, "team", report);
    text(&fields, "user", report);
    report.jwt = true;
    report.unsupported(&section.path, "jwt");
}

/// Reads `anonymous`.
pub fn read_anonymous(node: &Node<'_>, report: &mut Report) -> Anonymous {
    let choices = [("deny", Anonymous::Deny), ("allow", Anonymous::Allow)];
    // A word that is neither has been told; a second problem about missing keys would only distract.
    node.choice(&choices, report).unwrap_or(Anonymous::Allow)
}

fn text(fields: &Fields<'_>, field: &str, report: &mut Report) -> Option<String> {
    fields.get(field)?.text(report).map(str::to_owned)
}
