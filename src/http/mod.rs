//! The door: the whole route table on one screen.

use std::sync::Arc;

use crate::account::{Accounts, Limiter};
use crate::auction::Engine;
use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::Store;

pub mod assets;
pub mod auth;
pub mod original;
pub mod pages;
pub mod picture;

/// What handlers work with; one for the process, behind `web::Data`.
pub struct Door {
    pub engine: Arc<Engine>,
    pub store: Arc<dyn Store>,
    pub accounts: Arc<Accounts>,
    pub limiter: Arc<Limiter>,
    pub clock: Arc<Clock>,
    pub settings: Arc<Settings>,
}
