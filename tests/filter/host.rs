//! The host's functions as the module imports them, over a host that each test thread has to itself. It is as strict as
//! Envoy: headers cannot be changed once they went on, bodies are there in their own callbacks alone. Any function can
//! be told to fail with any status, or to hand over other bytes than it has.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::vm;

pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

pub const OK: u32 = 0;
pub const NOT_FOUND: u32 = 1;
pub const BAD_ARGUMENT: u32 = 2;
pub const CAS_MISMATCH: u32 = 8;

/// The functions that the module uses.
pub const USED: [&str; 15] = [
    "log",
    "get_buffer",
    "set_buffer",
    "get_pairs",
    "get_header",
    "replace_header",
    "remove_header",
    "get_property",
    "set_property",
    "get_shared",
    "set_shared",
    "define_metric",
    "increment_metric",
    "record_metric",
    "send_local_response",
];

/// What the module sent to the client by itself.
#[derive(Clone, Debug)]
pub struct Local {
    pub status: u32,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

/// What a context can see of its stream.
#[derive(Default)]
pub struct Stream {
    /// One list for all filters of a request, as in Envoy.
    pub request_headers: Rc<RefCell<Pairs>>,
    pub response_headers: Rc<RefCell<Pairs>>,
    pub request_open: bool,
    pub response_open: bool,
    pub request_body: Option<Vec<u8>>,
    pub response_body: Option<Vec<u8>>,
    pub state: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub local: Option<Local>,
}

/// A function that does not do what it should.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Every call of that function gives that status.
    Always(&'static str, u32),
    /// The call of that number, over all functions, gives that status.
    Call(u64, u32),
    /// Calls fail by chance, one in so many, with any status up to 13.
    Chance { seed: u64, one_in: u64 },
    /// That function says success and hands over these bytes.
    Lie(&'static str, Vec<u8>),
    /// That function says success and hands over nothing.
    Null(&'static str, usize),
}

#[derive(Default)]
pub struct Host {
    pub current: u32,
    pub streams: HashMap<u32, Stream>,
    pub configuration: Vec<u8>,
    pub shared: BTreeMap<String, (Vec<u8>, u32)>,
    /// Writes to shared data that will lose to another worker.
    pub conflicts: u64,
    pub metrics: Vec<String>,
    pub counts: BTreeMap<String, u64>,
    pub log: Vec<(u32, String)>,
    pub faults: Vec<Fault>,
    /// Calls so far, the log's not counted.
    pub calls: u64,
    /// Times that each function failed.
    pub failed: BTreeMap<&'static str, u64>,
    /// Every answer that the module gave to a client by itself.
    pub locals: Vec<Local>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// The host of this thread.
pub fn host<T>(look: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| look(&mut host.borrow_mut()))
}

/// The stream of a context.
pub fn stream<T>(context: u32, look: impl FnOnce(&mut Stream) -> T) -> T {
    host(|host| look(host.streams.entry(context).or_default()))
}

/// A small generator of chance, the same on every machine (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }
}

/// Pairs in proxy-wasm's serialization.
pub fn serialize(pairs: &Pairs) -> Vec<u8> {
    let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        bytes.extend(name);
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

fn deserialize(bytes: &[u8]) -> Option<Pairs> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = number(0)?;
    let mut at = 4 + count * 8;
    let mut pairs = Vec::new();
    for index in 0..count {
        let (name, value) = (number(4 + index * 8)?, number(8 + index * 8)?);
        pairs.push((bytes.get(at..at + name)?.to_vec(), bytes.get(at + name + 1..at + name + 1 + value)?.to_vec()));
        at += name + value + 2;
    }
    (at == bytes.len()).then_some(pairs)
}

impl Host {
    fn fault(&mut self, name: &'static str) -> Option<u32> {
        if name != "log" {
            self.calls += 1;
        }
        let calls = self.calls;
        let status = self.faults.iter_mut().find_map(|fault| match fault {
            Fault::Always(function, status) if *function == name => Some(*status),
            Fault::Call(number, status) if *number == calls && name != "log" => Some(*status),
            Fault::Chance { seed, one_in } => {
                let mut dice = Dice(*seed);
                let fails = dice.below(*one_in) == 0;
                let status = 1 + u32::try_from(dice.below(13)).unwrap_or(0);
                *seed = dice.roll();
                fails.then_some(status)
            }
            _ => None,
        })?;
        *self.failed.entry(name).or_default() += 1;
        // A host that says a thing is not there is believed: only its failures are made up, never its word.
        Some(if status == NOT_FOUND && matches!(name, "remove_header" | "get_header") { BAD_ARGUMENT } else { status })
    }

    fn lie(&self, name: &'static str) -> Option<Option<(Vec<u8>, usize)>> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Lie(function, bytes) if *function == name => Some(Some((bytes.clone(), bytes.len()))),
            Fault::Null(function, size) if *function == name => Some(Some((Vec::new(), usize::MAX - *size))),
            _ => None,
        })
    }

    fn stream(&mut self) -> &mut Stream {
        self.streams.entry(self.current).or_default()
    }

    fn map(&mut self, map: u32) -> Option<Rc<RefCell<Pairs>>> {
        let stream = self.stream();
        match map {
            0 if stream.request_open => Some(Rc::clone(&stream.request_headers)),
            2 if stream.response_open => Some(Rc::clone(&stream.response_headers)),
            _ => None,
        }
    }
}

/// Bytes that the module lent.
///
/// # Safety
/// `data` must be good for `size` bytes while the answer lives.
unsafe fn lent<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, size) } }
}

/// Hands bytes over to the module.
///
/// # Safety
/// Both pointers must be good for a write.
unsafe fn hand(bytes: &[u8], data: *mut *mut u8, size: *mut usize) -> u32 {
    unsafe {
        *data = vm::allocate(bytes);
        *size = bytes.len();
    }
    OK
}

/// Does what a function that hands over bytes does, faults included.
///
/// # Safety
/// As `hand`.
unsafe fn give(
    name: &'static str,
    data: *mut *mut u8,
    size: *mut usize,
    find: impl FnOnce(&mut Host) -> Result<Vec<u8>, u32>,
) -> u32 {
    let found = host(|host| {
        if let Some(status) = host.fault(name) {
            return Err(status);
        }
        match host.lie(name) {
            Some(Some((_, claimed))) if claimed > usize::MAX / 2 => Ok(Err(usize::MAX - claimed)),
            Some(Some((bytes, _))) => Ok(Ok(bytes)),
            _ => find(host).map(Ok),
        }
    });
    match found {
        Ok(Ok(bytes)) => unsafe { hand(&bytes, data, size) },
        Ok(Err(claimed)) => {
            unsafe {
                *data = std::ptr::null_mut();
                *size = claimed;
            }
            OK
        }
        Err(status) => status,
    }
}

fn take(name: &'static str, act: impl FnOnce(&mut Host) -> u32) -> u32 {
    host(|host| match host.fault(name) {
        Some(status) => status,
        None => act(host),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: u32, data: *const u8, size: usize) -> u32 {
    let line = text(unsafe { lent(data, size) });
    host(|host| {
        let status = host.fault("log");
        // A line that is refused is kept all the same: what it says is looked at.
        host.log.push((level, line));
        status.unwrap_or(OK)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    start: usize,
    most: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let find = |host: &mut Host| {
        let bytes = match kind {
            0 => host.stream().request_body.clone(),
            1 => host.stream().response_body.clone(),
            7 => Some(host.configuration.clone()),
            _ => None,
        };
        let bytes = bytes.ok_or(NOT_FOUND)?;
        let end = start.saturating_add(most).min(bytes.len());
        bytes.get(start..end).map(<[u8]>::to_vec).ok_or(BAD_ARGUMENT)
    };
    unsafe { give("get_buffer", data, size, find) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    kind: u32,
    start: usize,
    size: usize,
    data: *const u8,
    length: usize,
) -> u32 {
    let bytes = unsafe { lent(data, length) };
    take("set_buffer", |host| {
        let stream = host.stream();
        let buffer = match kind {
            0 => stream.request_body.as_mut(),
            1 => stream.response_body.as_mut(),
            _ => None,
        };
        let Some(buffer) = buffer else { return BAD_ARGUMENT };
        let start = start.min(buffer.len());
        let end = start.saturating_add(size).min(buffer.len());
        buffer.splice(start..end, bytes.iter().copied());
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    let find = |host: &mut Host| host.map(map).map(|pairs| serialize(&pairs.borrow())).ok_or(BAD_ARGUMENT);
    unsafe { give("get_pairs", data, size, find) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let key = unsafe { lent(key, key_size) };
    let find = |host: &mut Host| {
        let pairs = host.map(map).ok_or(BAD_ARGUMENT)?;
        let found = pairs.borrow().iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        found.ok_or(NOT_FOUND)
    };
    unsafe { give("get_header", data, size, find) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    size: usize,
) -> u32 {
    let (key, value) = unsafe { (lent(key, key_size), lent(value, size)) };
    take("replace_header", |host| {
        let Some(pairs) = host.map(map) else { return BAD_ARGUMENT };
        let mut pairs = pairs.borrow_mut();
        match pairs.iter().position(|(name, _)| name == key) {
            Some(at) => {
                pairs[at].1 = value.to_vec();
                let mut index = 0;
                pairs.retain(|(name, _)| {
                    index += 1;
                    index - 1 == at || name != key
                });
            }
            None => pairs.push((key.to_vec(), value.to_vec())),
        }
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32 {
    let key = unsafe { lent(key, key_size) };
    take("remove_header", |host| {
        let Some(pairs) = host.map(map) else { return BAD_ARGUMENT };
        pairs.borrow_mut().retain(|(name, _)| name != key);
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let path = text(unsafe { lent(path, path_size) });
    let find = |host: &mut Host| {
        let stream = host.stream();
        let state = stream.state.borrow().get(&path).cloned();
        state.or_else(|| stream.properties.get(&path).cloned()).ok_or(NOT_FOUND)
    };
    unsafe { give("get_property", data, size, find) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32 {
    let (path, value) = unsafe { (text(lent(path, path_size)), lent(value, size)) };
    take("set_property", |host| {
        host.stream().state.borrow_mut().insert(path, value.to_vec());
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    version: *mut u32,
) -> u32 {
    let key = text(unsafe { lent(key, key_size) });
    let find = |host: &mut Host| {
        let (bytes, current) = host.shared.get(&key).cloned().ok_or(NOT_FOUND)?;
        unsafe { *version = current };
        Ok(bytes)
    };
    unsafe { give("get_shared", data, size, find) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    size: usize,
    version: u32,
) -> u32 {
    let (key, value) = unsafe { (text(lent(key, key_size)), lent(value, size)) };
    take("set_shared", |host| {
        if let (Some(left), Some((_, current))) = (host.conflicts.checked_sub(1), host.shared.get_mut(&key)) {
            host.conflicts = left;
            *current += 1;
        }
        let current = host.shared.get(&key).map_or(0, |(_, current)| *current);
        if version != 0 && current != 0 && version != current {
            return CAS_MISMATCH;
        }
        host.shared.insert(key, (value.to_vec(), current + 1));
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32 {
    let name = text(unsafe { lent(name, size) });
    take("define_metric", |host| {
        let at = host.metrics.iter().position(|known| *known == name).unwrap_or_else(|| {
            host.metrics.push(name);
            host.metrics.len() - 1
        });
        unsafe { *id = u32::try_from(at).unwrap_or(u32::MAX) };
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_increment_metric(id: u32, by: i64) -> u32 {
    take("increment_metric", |host| count(host, id, by.unsigned_abs()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    take("record_metric", |host| count(host, id, value))
}

fn count(host: &mut Host, id: u32, value: u64) -> u32 {
    let Some(name) = host.metrics.get(id as usize).cloned() else { return NOT_FOUND };
    *host.counts.entry(name).or_default() += value;
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_send_local_response(
    status: u32,
    _details: *const u8,
    _details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _grpc: i32,
) -> u32 {
    let (body, headers) = unsafe { (lent(body, body_size), lent(headers, headers_size)) };
    take("send_local_response", |host| {
        let Some(headers) = deserialize(headers) else { return BAD_ARGUMENT };
        let local = Local { status, headers, body: body.to_vec() };
        host.locals.push(local.clone());
        // Envoy sends the first answer and ignores later ones.
        host.stream().local.get_or_insert(local);
        OK
    })
}

/// The SDK declares more functions than the module may import: each exists, so that the SDK links whatever the linker
/// keeps of it, and each says so in the log when it is called.
macro_rules! unused {
    ($($name:ident,)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> u32 {
            host(|host| host.log.push((9, concat!("unexpected import ", stringify!($name)).to_owned())));
            12
        }
    )*};
}

unused! {
    proxy_get_log_level,
    proxy_get_current_time_nanoseconds,
    proxy_set_tick_period_milliseconds,
    proxy_set_header_map_pairs,
    proxy_add_header_map_value,
    proxy_register_shared_queue,
    proxy_resolve_shared_queue,
    proxy_dequeue_shared_queue,
    proxy_enqueue_shared_queue,
    proxy_continue_stream,
    proxy_close_stream,
    proxy_http_call,
    proxy_grpc_call,
    proxy_grpc_stream,
    proxy_grpc_send,
    proxy_grpc_cancel,
    proxy_grpc_close,
    proxy_get_status,
    proxy_set_effective_context,
    proxy_call_foreign_function,
    proxy_done,
    proxy_get_metric,
}
