//! Frames of `application/vnd.amazon.eventstream`, as Bedrock writes them. Not a reader of frames.
//!
//! A frame is `u32 total | u32 headers | u32 crc of those | headers | payload | u32 crc of all before`, big-endian, with
//! CRC-32 as zlib computes it.

/// One frame with the given headers, all of them strings.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        lines.extend_from_slice(name.as_bytes());
        lines.push(7);
        lines.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        lines.extend_from_slice(value.as_bytes());
    }
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = Vec::with_capacity(lines.len().saturating_add(payload.len()).saturating_add(16));
    out.extend_from_slice(&size(lines.len().saturating_add(payload.len()).saturating_add(16)));
    out.extend_from_slice(&size(lines.len()));
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out.append(&mut lines);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32(&out).to_be_bytes());
    out
}

/// An event frame.
pub fn event(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, payload.as_bytes())
}

/// An exception frame.
pub fn exception(kind: &str, payload: &str) -> Vec<u8> {
    let headers = [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")];
    frame(&headers, payload.as_bytes())
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::{event, exception, frame};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn frames_are_what_botocore_reads() {
        assert_eq!(hex(&frame(&[], b"")), "000000100000000005c248eb7d98c8ff");
        let text = r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#;
        assert_eq!(
            hex(&event("contentBlockDelta", text)),
            concat!(
                "0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a63",
                "6f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070005",
                "6576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869",
                "227d7d1f944657"
            )
        );
        let slow = hex(&exception("throttlingException", r#"{"message":"slow down"}"#));
        assert!(slow.starts_with("0000008800000061de0175f4") && slow.ends_with("832ee072"), "{slow}");
    }
}
