//! What the module keeps when requests are over, counted by an allocator of this program; and that a panic inside the
//! module is noticed at all.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::Command;

use crate::fixture::{Answer, Ask, BOTH, Failover, Response, two_providers};
use crate::gate::Gate;
use crate::host::host;
use crate::pass::{completion, stream_with_usage};
use crate::vm;

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    // A thread that ends has no count any more.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every call is the system allocator's; only a number is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live() -> isize {
    LIVE.with(Cell::get)
}

/// What this program itself keeps for its checks.
fn forget() {
    host(|host| {
        host.log = Vec::new();
        host.locals = Vec::new();
    });
}

#[test]
fn requests_that_are_over_leave_nothing_behind() {
    for failover in BOTH {
        let mut gate = Gate::open(failover, &two_providers());
        let mut round = || {
            for (stream, answer) in [
                (false, Answer::Reply(Response::json(200, &completion()))),
                (true, Answer::Reply(Response::sse(&stream_with_usage()))),
                (true, Answer::Timeout),
                (false, Answer::Reply(Response::json(429, "{}"))),
            ] {
                for leaves_before in [None, Some(0), Some(1)] {
                    gate.ask(&Ask { leaves_before, ..Ask::chat("smart", stream) }, &mut |_| answer.clone());
                }
                gate.ask(&Ask::chat("nobody", stream), &mut |_| Answer::Reset);
                gate.ask(&Ask::post("/healthz", b""), &mut |_| Answer::Reset);
            }
            forget();
            gate.forget_log();
        };
        for _ in 0..10 {
            round();
        }
        let before = live();
        for _ in 0..50 {
            round();
        }
        let kept = live() - before;
        assert!(kept < 4_096, "{failover:?}: {kept} bytes after 1000 requests");
    }
}

#[test]
fn a_panic_inside_the_module_ends_the_process_and_says_where() {
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program)
        .args(["--ignored", "--exact", "memory::this_one_panics_inside_the_module"])
        .output()
        .unwrap();
    assert!(!run.status.success());
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(told.contains("the module panicked") && told.contains("delete 77"), "{told}");
}

#[test]
#[ignore = "it ends the process; the test above runs it in a process of its own"]
fn this_one_panics_inside_the_module() {
    let _gate = Gate::open(Failover::Refresh, &two_providers());
    // The SDK panics on a context that it does not know.
    vm::delete(77_777);
}
