//! Reads the compacted catalogue in place. Not its meaning (see `find`); every read is bounds-checked and answers `None`
//! beyond the end.

/// Every name, as slices of one text.
const NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/catalogue.names"));
const FACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalogue.facts"));
pub(super) const PROVIDERS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalogue.providers"));
pub(super) const MODELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalogue.models"));

/// A place in a section; each read moves it on.
#[derive(Clone)]
pub(super) struct Cursor {
    rest: &'static [u8],
}

impl Cursor {
    /// The start of record `index` of a section of fixed records.
    pub(super) fn record(section: &'static [u8], bytes: usize, index: usize) -> Option<Self> {
        let start = index.checked_mul(bytes)?;
        section.get(start..start.checked_add(bytes)?).map(|rest| Self { rest })
    }

    /// The start of the variable record at `offset`.
    pub(super) fn fact(offset: usize) -> Option<Self> {
        FACTS.get(offset..).map(|rest| Self { rest })
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// A number of `bytes` bytes, the lowest first.
    pub(super) fn fixed(&mut self, bytes: u32) -> Option<usize> {
        (0..bytes).try_fold(0, |number, place| Some(number | usize::from(self.byte()?) << (8 * place)))
    }

    /// A LEB128 number.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A LEB128 number plus one, zero being none.
    pub(super) fn optional(&mut self) -> Option<Option<u64>> {
        self.number().map(|number| number.checked_sub(1))
    }

    /// A slice of the names.
    pub(super) fn name(&mut self) -> Option<&'static str> {
        let start = self.fixed(3)?;
        NAMES.get(start..start.checked_add(self.fixed(1)?)?)
    }
}

/// The index in `first..end` at which `name` stands, the names being sorted.
pub(super) fn search(section: &'static [u8], bytes: usize, first: usize, end: usize, name: &str) -> Option<usize> {
    let (mut low, mut high) = (first, end);
    while low < high {
        let middle = low + (high - low) / 2;
        match Cursor::record(section, bytes, middle)?.name()?.cmp(name) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(middle),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{FACTS, MODELS, NAMES, PROVIDERS};

    #[test]
    fn the_catalogue_adds_less_than_400_kib_to_the_module() {
        let bytes = NAMES.len() + FACTS.len() + PROVIDERS.len() + MODELS.len();
        println!("catalogue: {:.1} KiB", bytes as f64 / 1024.0);
        // Its data and the code that reads it: the code was measured at 16 KiB.
        assert!(bytes < 300 * 1024, "{bytes} bytes");
    }
}
