//! `weir key`: makes virtual keys. Weir keeps only their hashes, so a key is seen once, here.

use std::fmt::Write;
use std::process::ExitCode;

use sha2::{Digest, Sha256};

/// Random bytes of a key: 256 bits, beyond guessing and beyond any dictionary, so that a plain hash is enough.
const KEY_BYTES: usize = 32;

/// Arguments of `weir key`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Prints a key once, and the line for the policy's `keys` with its hash.
    New {
        /// The team that the key belongs to.
        #[arg(long)]
        team: String,
        /// How the key is called in audit lines; by default the team and the hash's first letters.
        #[arg(long)]
        id: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// One sentence when a name is empty or the system gives no random bytes.
pub fn run(args: &Args) -> Result<ExitCode, String> {
    match &args.action {
        Action::New { team, id } => {
            if team.is_empty() || id.as_ref().is_some_and(String::is_empty) {
                return Err("--team and --id are not empty".to_owned());
            }
            let key = new_key()?;
            let hash = hash(&key);
            let id = id.clone().unwrap_or_else(|| format!("{team}-{}", hash.get(..8).unwrap_or_default()));
            println!("{key}");
            println!("- {{id: {}, sha256: \"{hash}\", team: {}}}", scalar(&id), scalar(team));
            eprintln!(
                "The first line is the key: give it to the client, it is not shown again. The second goes under the policy's `keys`."
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn new_key() -> Result<String, String> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(format!("weir-{}", hex(&bytes)))
}

/// The SHA-256 of a key as the policy writes it.
fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A name as YAML: bare where every reader takes it for a text, quoted otherwise.
fn scalar(name: &str) -> String {
    let is_bare = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.to_ascii_lowercase().as_str());
    if is_bare { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{hash, new_key, scalar};

    #[test]
    fn the_hash_is_sha256_in_hexadecimal() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn two_keys_differ_and_carry_256_bits() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), "weir-".len() + 64);
    }

    #[test]
    fn names_that_yaml_would_read_as_something_else_are_quoted() {
        assert_eq!(scalar("growth-web"), "growth-web");
        for name in ["no", "1", "a: b", "-x", "é"] {
            assert_eq!(serde_yaml_ng::from_str::<String>(&scalar(name)).unwrap(), name);
            assert!(scalar(name).starts_with('"'));
        }
    }
}
