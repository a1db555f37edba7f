//! One request's life: compiled rules, the exchange as a state machine, an attempt at one target.
