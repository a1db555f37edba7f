//! The host's functions, declared here rather than taken from the SDK: they give back the raw status, because the SDK
//! panics on every status it does not expect, and a panic kills all streams of the worker. No meaning, no policy.
//!
//! ABI 0.2.1 of proxy-wasm. `proxy_get_metric` and `proxy_get_log_level` are left out on purpose: hosts that define them
//! with another signature refuse to load a module that imports them. The time comes from WASI for the same reason.
#![allow(unsafe_code)]

use std::ptr::null_mut;

/// A host's answer: zero is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    pub const NOT_FOUND: Self = Self(1);
    pub const CAS_MISMATCH: Self = Self(8);
    /// A host that says success and hands over nothing to read.
    const EMPTY: Self = Self(7);
}

#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Map {
    RequestHeaders = 0,
    ResponseHeaders = 2,
}

#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    PluginConfiguration = 7,
}

#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Metric {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// More than any body, so that a replacement always covers the whole of it. Some hosts cut to this size, so it must not
/// be the old length; some read it as signed, so it must stay positive.
const WHOLE: usize = 0x7fff_ffff;

#[cfg_attr(target_family = "wasm", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, size: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, length: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(map: u32, key: *const u8, size: usize, data: *mut *mut u8, length: *mut usize)
    -> u32;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, size: usize, data: *const u8, length: usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, size: usize) -> u32;
    fn proxy_get_property(path: *const u8, size: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, size: usize, data: *const u8, length: usize) -> u32;
    fn proxy_get_shared_data(key: *const u8, size: usize, data: *mut *mut u8, length: *mut usize, cas: *mut u32)
    -> u32;
    fn proxy_set_shared_data(key: *const u8, size: usize, data: *const u8, length: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

fn done(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

/// Calls a host function that hands over memory, and takes that memory.
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    done(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return if size == 0 { Ok(Vec::new()) } else { Err(Status::EMPTY) };
    }
    // SAFETY: the host got this memory from `proxy_on_memory_allocate`, which the SDK serves from a `Vec<u8>` of exactly
    // this capacity; it has written `size` bytes and does not keep it.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

pub fn log(level: Level, line: &str) {
    // SAFETY: the pointer and length are of a live slice. A log line that the host does not take is lost; nothing can be
    // said about that anywhere else.
    let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

pub fn buffer(kind: Buffer, size: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: `taken` hands in two live pointers.
    taken(|data, length| unsafe { proxy_get_buffer_bytes(kind as u32, 0, size, data, length) })
}

/// The whole of a buffer, whatever its size.
pub fn whole_buffer(kind: Buffer) -> Result<Vec<u8>, Status> {
    buffer(kind, WHOLE)
}

/// Replaces the whole of a buffer.
pub fn set_buffer(kind: Buffer, bytes: &[u8]) -> Result<(), Status> {
    // SAFETY: the pointer and length are of a live slice.
    done(unsafe { proxy_set_buffer_bytes(kind as u32, 0, WHOLE, bytes.as_ptr(), bytes.len()) })
}

/// A whole header list in proxy-wasm's serialization, in one crossing.
pub fn header_pairs(map: Map) -> Result<Vec<u8>, Status> {
    // SAFETY: `taken` hands in two live pointers.
    taken(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

pub fn header(map: Map, name: &str) -> Result<Vec<u8>, Status> {
    // SAFETY: the pointer and length are of a live slice, and `taken` hands in two live pointers.
    taken(|data, size| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size) })
}

/// Sets a header, replacing what it held.
pub fn set_header(map: Map, name: &str, value: &str) -> Result<(), Status> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe { proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

pub fn remove_header(map: Map, name: &str) -> Result<(), Status> {
    // SAFETY: the pointer and length are of a live slice.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property; the parts of its path are separated by zero bytes.
pub fn property(path: &str) -> Result<Vec<u8>, Status> {
    // SAFETY: the pointer and length are of a live slice, and `taken` hands in two live pointers.
    taken(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub fn set_property(path: &str, value: &str) -> Result<(), Status> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// The bytes and the version of a shared key.
pub fn shared(key: &str) -> Result<(Vec<u8>, u32), Status> {
    let mut version = 0;
    // SAFETY: the pointer and length are of a live slice, `taken` hands in two live pointers, and `version` outlives it.
    let bytes =
        taken(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version) })?;
    Ok((bytes, version))
}

/// Writes a shared key if its version is `version`; version 0 writes in any case.
pub fn set_shared(key: &str, bytes: &[u8], version: u32) -> Result<(), Status> {
    // SAFETY: pointers and lengths are of live slices.
    done(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), bytes.as_ptr(), bytes.len(), version) })
}

pub fn define_metric(kind: Metric, name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: the pointer and length are of a live slice, and `id` outlives the call.
    done(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

pub fn increment_metric(id: u32, by: i64) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_increment_metric(id, by) })
}

pub fn record_metric(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: plain numbers.
    done(unsafe { proxy_record_metric(id, value) })
}

/// Answers the client. `headers` are in proxy-wasm's serialization.
pub fn reply(status: u16, headers: &[u8], body: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths are of live slices; the details are empty.
    done(unsafe {
        proxy_send_local_response(
            u32::from(status),
            [].as_ptr(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}
