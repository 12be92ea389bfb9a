//! One binary for all tests that use more than one room.

mod contract;
