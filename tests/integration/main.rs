//! Tests of the rooms together, as one binary.

mod postgres;
