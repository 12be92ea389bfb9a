//! Where the load goes: `http://host:port`, resolved once.
//!
//! Refuses every address that is not loopback unless the caller insists: a load generator aimed at
//! someone else's machine is a weapon.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::error::LoadError;

/// One node of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// For the `Host` header.
    pub(crate) authority: Arc<str>,
    pub(crate) address: SocketAddr,
}

impl Target {
    /// Reads and resolves `url`.
    pub(crate) fn parse(url: &str, any_address: bool) -> Result<Self, LoadError> {
        let usage = |what: &str| LoadError::Usage(format!("--url {url}: {what}"));
        let rest = url.strip_prefix("http://").ok_or_else(|| usage("expected http://HOST:PORT"))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(usage("expected http://HOST:PORT without path or user"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let addresses: Vec<SocketAddr> =
            with_port.to_socket_addrs().map_err(|cause| usage(&format!("cannot resolve: {cause}")))?.collect();
        if !any_address && let Some(outside) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            return Err(usage(&format!(
                "{} is not a loopback address; give --any-address if this machine is yours to load",
                outside.ip()
            )));
        }
        // A server that listens on 127.0.0.1 is not reached by localhost's ::1.
        let address = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
        let address = *address.ok_or_else(|| usage("resolves to no address"))?;
        Ok(Self { authority: Arc::from(authority), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match Target::parse(url, false) {
            Err(LoadError::Usage(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_loopback_address_is_accepted() {
        let target = Target::parse("http://127.0.0.1:8080/", false).unwrap();
        assert_eq!(&*target.authority, "127.0.0.1:8080");
        assert_eq!(target.address.port(), 8080);
        assert!(Target::parse("http://localhost:9000", false).unwrap().address.ip().is_loopback());
        assert!(Target::parse("http://[::1]:9000", false).unwrap().address.is_ipv6());
    }

    #[test]
    fn any_other_address_needs_the_callers_word() {
        assert!(refusal("http://192.0.2.1:8080").contains("--any-address"));
        assert!(Target::parse("http://192.0.2.1:8080", true).is_ok());
    }

    #[test]
    fn anything_but_a_plain_http_origin_is_a_usage_error() {
        for url in ["https://127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1/x", "http://a@127.0.0.1", "http://"] {
            assert!(refusal(url).contains("expected http://HOST:PORT"), "{url}");
        }
    }
}
