//! A WebSocket connection to `/api/v1/ws`.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, RETRY_AFTER};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::bidder_http::dial;
use crate::target::Target;

/// An open connection.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Attempts before a connection that never came about is given up.
const TRIES_MAX: u32 = 30;
/// Largest frame that is read.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Why a connection did not come about, and how long the server wants us to stay away.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct DialError {
    cause: String,
    retry_after: Option<Duration>,
}

/// Opens a connection; with a token it may bid. `read_buffer` bytes are held for as long as it lives.
pub(crate) async fn open(target: &Target, token: Option<&str>, read_buffer: usize) -> Result<Socket, DialError> {
    let refused = |cause: String| DialError { cause, retry_after: None };
    let stream = dial(target).await.map_err(|cause| refused(cause.to_string()))?;
    let mut request = format!("ws://{}/api/v1/ws", target.authority)
        .into_client_request()
        .map_err(|cause| refused(cause.to_string()))?;
    if let Some(token) = token {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|cause| refused(cause.to_string()))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    match Box::pin(client_async_with_config(request, stream, Some(config))).await {
        Ok((socket, _response)) => Ok(socket),
        Err(cause) => {
            let retry_after = retry_after(&cause);
            Err(DialError { cause: cause.to_string(), retry_after })
        }
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "only a response carries Retry-After; the enum is non-exhaustive")]
fn retry_after(cause: &WsError) -> Option<Duration> {
    match cause {
        WsError::Http(response) if matches!(response.status().as_u16(), 429 | 503) => {
            let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Some(Duration::from_secs(seconds.unwrap_or(1)))
        }
        _ => None,
    }
}

/// As [`open`], and comes back as told while the server is too busy.
pub(crate) async fn open_patiently(
    target: &Target,
    token: Option<&str>,
    read_buffer: usize,
) -> Result<Socket, DialError> {
    for _ in 1..TRIES_MAX {
        match open(target, token, read_buffer).await {
            Err(DialError { retry_after: Some(after), .. }) => tokio::time::sleep(after).await,
            outcome => return outcome,
        }
    }
    open(target, token, read_buffer).await
}
