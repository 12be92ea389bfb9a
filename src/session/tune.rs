//! How the kernel treats a client's connection, for `HttpServiceBuilder::on_connect_ext`.
//!
//! A session waits for its peer to read before it ends, so it does not end itself; the kernel does.
//! When it gives the connection up, the socket fails, the connection's task ends and all it held is
//! freed. Until then it holds at most one write and the send buffer set here.

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

use crate::limits::{PEER_STUCK, PING_EVERY, SOCKET_SEND_BUFFER_BYTES};

/// Sets up `stream`: no delay of small writes, a bounded send buffer, and an
/// end for peers that are gone or take nothing. What the system does not support is left as it is.
pub fn tune_connection(stream: &TcpStream) {
    if let Err(error) = tune(&SockRef::from(stream)) {
        tracing::debug!(%error, "a connection could not be set up in full");
    }
}

fn tune(socket: &SockRef<'_>) -> std::io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SOCKET_SEND_BUFFER_BYTES)?;
    let every = PING_EVERY.into();
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(every).with_interval(every))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(PEER_STUCK.into()))?;
    Ok(())
}
