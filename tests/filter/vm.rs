//! The SDK's exported functions, called as a proxy calls them. A panic behind them cannot unwind and ends the process,
//! so a hook first writes where it happened, past the test harness's capture.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::sync::Once;

unsafe extern "C" {
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    fn proxy_on_context_create(context: u32, root: u32);
    fn proxy_on_configure(context: u32, size: usize) -> bool;
    fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_log(context: u32);
    fn proxy_on_done(context: u32) -> bool;
    fn proxy_on_delete(context: u32);
}

/// One call of the proxy into the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    RequestHeaders { count: usize, end: bool },
    RequestBody { size: usize, end: bool },
    RequestTrailers { count: usize },
    ResponseHeaders { count: usize, end: bool },
    ResponseBody { size: usize, end: bool },
    ResponseTrailers { count: usize },
    Log,
    Done,
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What a message about an abort should tell: a seed, the last callbacks.
pub fn note(line: impl FnOnce() -> String) {
    TRACE.with(|trace| {
        if let Ok(mut trace) = trace.try_borrow_mut() {
            if trace.len() >= 64 {
                trace.drain(..32);
            }
            trace.push(line());
        }
    });
}

/// Makes a panic inside the module speak before it ends the process.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.with(Cell::get) {
                let trace = TRACE.with(|trace| trace.try_borrow().map(|trace| trace.join("\n  ")).unwrap_or_default());
                let _ = writeln!(std::io::stderr(), "the module panicked: {info}\n  {trace}");
            }
            before(info);
        }));
    });
}

fn inside<T>(what: impl FnOnce() -> String, call: impl FnOnce() -> T) -> T {
    note(what);
    let outer = INSIDE.with(|inside| inside.replace(true));
    let result = call();
    INSIDE.with(|inside| inside.set(outer));
    result
}

pub fn allocate(bytes: &[u8]) -> *mut u8 {
    // SAFETY: the module gives back memory of exactly this size.
    unsafe {
        let memory = proxy_on_memory_allocate(bytes.len());
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory, bytes.len());
        memory
    }
}

pub fn create(context: u32, root: u32) {
    // SAFETY: plain numbers, as in the calls below.
    inside(|| format!("create {context} of {root}"), || unsafe { proxy_on_context_create(context, root) });
}

pub fn configure(context: u32, size: usize) -> bool {
    inside(|| format!("configure {context}"), || unsafe { proxy_on_configure(context, size) })
}

pub fn delete(context: u32) {
    inside(|| format!("delete {context}"), || unsafe { proxy_on_delete(context) });
}

/// Whether the message may go on.
pub fn call(context: u32, callback: Callback) -> bool {
    let action = inside(
        || format!("{context}: {callback:?}"),
        || unsafe {
            match callback {
                Callback::RequestHeaders { count, end } => proxy_on_request_headers(context, count, end),
                Callback::RequestBody { size, end } => proxy_on_request_body(context, size, end),
                Callback::RequestTrailers { count } => proxy_on_request_trailers(context, count),
                Callback::ResponseHeaders { count, end } => proxy_on_response_headers(context, count, end),
                Callback::ResponseBody { size, end } => proxy_on_response_body(context, size, end),
                Callback::ResponseTrailers { count } => proxy_on_response_trailers(context, count),
                Callback::Log => {
                    proxy_on_log(context);
                    0
                }
                Callback::Done => {
                    proxy_on_done(context);
                    0
                }
            }
        },
    );
    assert!(action <= 1, "an action is continue or pause");
    action == 0
}
