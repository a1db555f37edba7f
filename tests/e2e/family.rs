//! Every API family in front of every other, in a real Envoy: what a client of one family gets from a provider of another.

mod edge;
mod fail;
mod flow;
mod loss;
mod matrix;
mod own;
mod rich;
mod said;
mod speak;
mod stage;
mod thought;
mod tool;
mod vector;
