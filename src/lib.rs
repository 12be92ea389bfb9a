#![doc = include_str!("ARCHITECTURE.md")]

rust_i18n::i18n!("src/web/texts", fallback = "en");

pub mod domain;
pub mod protocol;
pub mod auction;
pub mod store;
pub mod bus;
pub mod session;
pub mod account;
pub mod http;
pub mod web;
pub mod app;
pub mod cli;
pub mod clock;
pub mod limits;
pub mod settings;
pub mod telemetry;
