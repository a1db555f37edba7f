//! Which generation of Gemini a model's name means, for rules that changed between generations. Not the catalogue.

/// A model's generation, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// As 25 for 2.5. Aliases without a number (`gemini-flash-latest`) mean the newest.
    version: u32,
    /// Whether the name says `flash`.
    flash: bool,
    /// Whether the name says `lite`.
    lite: bool,
}

/// The version of names without a number.
const NEWEST: u32 = 990;

impl Generation {
    /// The generation of a model by its name at AI Studio or Vertex: `gemini-2.5-pro`,
    /// `publishers/google/models/gemini-3-flash@001`. Names that are not Gemini's (Gemma, tuned endpoints) count as 2.0,
    /// which every rule for older models fits.
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let version = match name.strip_prefix("gemini-") {
            Some(rest) => version(rest),
            None => 20,
        };
        Self { version, flash: name.contains("flash"), lite: name.contains("lite") }
    }

    /// Gemini 3 or newer.
    pub fn is_3(self) -> bool {
        self.version >= 30
    }

    /// Whether it can think: 2.5 and newer.
    pub fn thinks(self) -> bool {
        self.version >= 25
    }

    /// Whether its thinking can be switched off (2.5 Flash).
    pub fn can_rest(self) -> bool {
        self.flash
    }

    /// Whether `thinkingLevel` may be `MINIMAL`: Flash up to 3.6. (The catalogue's `reasoning_efforts`.)
    pub fn has_minimal(self) -> bool {
        self.flash && self.version <= 36
    }

    /// The budgets of tokens that 2.5 takes for thinking.
    pub fn budgets(self) -> std::ops::RangeInclusive<u64> {
        match (self.flash, self.lite) {
            (true, true) => 512..=24_576,
            (true, false) => 1..=24_576,
            (false, _) => 128..=32_768,
        }
    }
}

fn version(rest: &str) -> u32 {
    let token = rest.split('-').next().unwrap_or(rest);
    let (major, minor) = token.split_once('.').unwrap_or((token, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major @ 1..=90), Ok(minor @ 0..=9)) => major * 10 + minor,
        _ if rest.starts_with("exp") => 20,
        _ if rest.contains("1.5") => 25,
        _ => NEWEST,
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn names_tell_generations() {
        for (name, three, thinks) in [
            ("gemini-1.5-pro", false, false),
            ("gemini-2.0-flash", false, false),
            ("gemini-2.5-pro", false, true),
            ("models/gemini-2.5-flash-lite", false, true),
            ("gemini-3-pro-preview", true, true),
            ("publishers/google/models/gemini-3.1-flash-lite@001", true, true),
            ("gemini-4-argon", true, true),
            ("gemini-flash-latest", true, true),
            ("gemini-exp-1206", false, false),
            ("gemini-robotics-er-1.5-preview", false, true),
            ("gemma-3-27b-it", false, false),
            ("4711", false, false),
        ] {
            let generation = Generation::of(name);
            assert_eq!((generation.is_3(), generation.thinks()), (three, thinks), "{name}");
        }
        assert!(Generation::of("gemini-3.5-flash").has_minimal());
        assert!(!Generation::of("gemini-3.8-flash").has_minimal() && !Generation::of("gemini-3-pro").has_minimal());
        assert!(Generation::of("gemini-2.5-flash").can_rest() && !Generation::of("gemini-2.5-pro").can_rest());
    }
}
