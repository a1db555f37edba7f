//! The elements of a JSON array that arrives in pieces: Gemini's streams without `alt=sse`. It looks at nothing inside
//! them.

/// The largest element that is read, in bytes; a larger one goes by unread.
pub const MAX_ELEMENT: usize = 1024 * 1024;

/// Cuts the objects out of a stream. What stands between them (`[`, `,`, `]`, white space) is passed over.
#[derive(Debug, Default)]
pub struct Elements {
    pending: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    oversized: bool,
}

impl Elements {
    /// Reads the next bytes and calls `visit` with each object that is complete now.
    pub fn push(&mut self, chunk: &[u8], mut visit: impl FnMut(&[u8])) {
        let mut start = if self.depth > 0 { Some(0) } else { None };
        for (at, byte) in chunk.iter().enumerate() {
            if self.depth == 0 && *byte != b'{' {
                continue;
            }
            if self.depth == 0 {
                start = Some(at);
            }
            self.step(*byte);
            if self.depth == 0 {
                let rest = chunk.get(start.take().unwrap_or(at)..=at).unwrap_or_default();
                self.complete(rest, &mut visit);
            }
        }
        if let Some(start) = start {
            self.keep(chunk.get(start..).unwrap_or_default());
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
    }

    fn complete(&mut self, rest: &[u8], visit: &mut impl FnMut(&[u8])) {
        if self.oversized || self.pending.len() + rest.len() > MAX_ELEMENT {
            self.oversized = false;
        } else if self.pending.is_empty() {
            visit(rest);
        } else {
            self.pending.extend_from_slice(rest);
            visit(&self.pending);
        }
        self.pending.clear();
    }

    fn keep(&mut self, part: &[u8]) {
        if self.oversized || self.pending.len() + part.len() > MAX_ELEMENT {
            self.oversized = true;
            self.pending = Vec::new();
        } else {
            self.pending.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Elements, MAX_ELEMENT};

    fn cut<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut elements = Elements::default();
        let mut out = Vec::new();
        for chunk in chunks {
            elements.push(chunk, |element| out.push(element.to_vec()));
        }
        out
    }

    #[test]
    fn elements_are_the_same_at_every_split() {
        let stream = b"[{\"a\":\"}\\\"{\"}\n,\r\n{\"b\":[{}]} , {}]";
        let whole = cut([&stream[..]].into_iter());
        assert_eq!(whole, [&b"{\"a\":\"}\\\"{\"}"[..], b"{\"b\":[{}]}", b"{}"]);
        for split in 0..=stream.len() {
            assert_eq!(cut([&stream[..split], &stream[split..]].into_iter()), whole, "split at {split}");
        }
        assert_eq!(cut(stream.chunks(1)), whole);
    }

    #[test]
    fn an_oversized_element_goes_by_and_the_next_is_read() {
        let mut stream = b"[{\"a\":\"".to_vec();
        stream.resize(MAX_ELEMENT + 20, b'x');
        stream.extend_from_slice(b"\"},{\"b\":1}]");
        for size in [1000, stream.len()] {
            assert_eq!(cut(stream.chunks(size)), [b"{\"b\":1}".to_vec()]);
        }
    }
}
