//! Requests that simply pass.

use crate::fixture::{Stage, ask};
use crate::in_both_designs;

in_both_designs! {
    fn a_request_passes(design) {
        let stage = Stage::new(design);
        let answer = stage.chat(&ask("pair"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
