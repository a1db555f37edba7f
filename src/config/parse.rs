//! JSON into a `Policy`, or every problem at once.
