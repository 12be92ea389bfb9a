//! `gavel serve`: builds the server, says where it is, serves until SIGTERM or SIGINT.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::{complain, demo, say};
use crate::app::Application;
use crate::settings::Settings;
use crate::telemetry;

pub(super) fn run(settings: Settings, demo: bool) -> ExitCode {
    telemetry::init_log(&settings.log);
    // Each live session is an open file; the usual soft limit of 1,024 is soon reached.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
    match actix_web::rt::System::new().block_on(serve(settings, demo)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings, demo: bool) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let application = Application::build(settings, telemetry::init_metrics()?).await?;
    if demo {
        let (store, accounts, router, clock) = application.parts();
        if !demo::fill(store.as_ref(), accounts, router, clock).await? {
            tracing::info!("the store is not empty: no demo data added");
        }
    }
    say(format_args!("Gavel is open at {}", application.url()));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(application.run(stop).await?)
}
