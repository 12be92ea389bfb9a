//! `gavel check-config`: all faults of the settings at once.

use std::path::Path;
use std::process::ExitCode;

use super::{WRONG_USAGE, complain, say};
use crate::settings::Settings;

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    match Settings::load(file) {
        Ok(_) => {
            say("the settings are fine");
            ExitCode::SUCCESS
        }
        Err(faults) => {
            complain(&faults);
            ExitCode::from(WRONG_USAGE)
        }
    }
}
