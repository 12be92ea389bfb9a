//! Why the server ends a session, and the WebSocket close code that says so.
//!
//! A client may rely on the codes; the last event of an SSE stream gives the same code and words.

/// The reasons. 1000-1015 are RFC 6455's (7.4.1), 4000 and up are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// 1001: the server is stopping; connect again.
    Shutdown,
    /// 1002: the frames do not follow RFC 6455.
    ProtocolError,
    /// 1003: a binary frame; this protocol is JSON text.
    NotText,
    /// 1007: a text frame that is not UTF-8.
    NotUtf8,
    /// 1008: too many frames that made no sense.
    TooManyErrors,
    /// 1009: a frame larger than `limits::FRAME_BYTES_MAX`.
    TooLarge,
    /// 4000: what was sent was not read for too long; connect again for a replay.
    SlowReader,
    /// 4001: the sign-in that the connection came with has ended.
    SignedOut,
    /// 4002: nothing, not even a pong, was heard for too long.
    Silent,
}

impl Ending {
    /// The WebSocket close code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Shutdown => 1001,
            Self::ProtocolError => 1002,
            Self::NotText => 1003,
            Self::NotUtf8 => 1007,
            Self::TooManyErrors => 1008,
            Self::TooLarge => 1009,
            Self::SlowReader => 4000,
            Self::SignedOut => 4001,
            Self::Silent => 4002,
        }
    }

    /// The reason in the close frame.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::ProtocolError => "protocol error",
            Self::NotText => "text frames only",
            Self::NotUtf8 => "not UTF-8",
            Self::TooManyErrors => "too many errors",
            Self::TooLarge => "frame too large",
            Self::SlowReader => "slow reader",
            Self::SignedOut => "signed out",
            Self::Silent => "silent",
        }
    }

    /// Whether frames that still wait are worth sending before the end.
    pub(super) const fn sends_the_rest(self) -> bool {
        match self {
            Self::Shutdown => true,
            Self::ProtocolError
            | Self::NotText
            | Self::NotUtf8
            | Self::TooManyErrors
            | Self::TooLarge
            | Self::SlowReader
            | Self::SignedOut
            | Self::Silent => false,
        }
    }
}
