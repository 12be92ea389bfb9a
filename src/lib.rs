#![doc = include_str!("ARCHITECTURE.md")]

rust_i18n::i18n!("src/web/texts", fallback = "en");

pub mod account;
pub mod app;
pub mod auction;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod domain;
pub mod http;
pub mod limits;
pub mod protocol;
pub mod session;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod web;
