//! Every API family in front of every other, in a real Envoy: what a client of one family gets from a provider of another.

mod fail;
mod loss;
mod matrix;
mod said;
mod speak;
mod stage;
mod tool;
