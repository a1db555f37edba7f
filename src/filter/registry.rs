//! The exchanges of this worker by decision id: how the filter that makes an attempt finds what the listener's filter
//! decided. Both run in one VM on one thread when they have the same `vm_id`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use crate::gateway::exchange::Exchange;

/// An exchange that the listener's filter owns and attempts take part in.
pub type Shared = Rc<RefCell<Exchange>>;

thread_local! {
    static EXCHANGES: RefCell<HashMap<String, Weak<RefCell<Exchange>>>> = RefCell::default();
}

/// Makes an exchange findable until `leave`.
pub fn enter(id: &str, exchange: &Shared) {
    EXCHANGES.with(|exchanges| {
        if let Ok(mut exchanges) = exchanges.try_borrow_mut() {
            exchanges.insert(id.to_owned(), Rc::downgrade(exchange));
        }
    });
}

/// The exchange of that id, if its request is still there.
pub fn find(id: &str) -> Option<Shared> {
    EXCHANGES.with(|exchanges| exchanges.try_borrow().ok()?.get(id)?.upgrade())
}

/// Forgets an exchange.
pub fn leave(id: &str) {
    EXCHANGES.with(|exchanges| {
        if let Ok(mut exchanges) = exchanges.try_borrow_mut() {
            exchanges.remove(id);
        }
    });
}
