//! The webrtc-rs adapter: a link to one peer. The only crate that names `webrtc` and `rtc`.
//!
//! A [`Link`] owns one peer connection and the tasks around it. It is told what to do through
//! [`LinkAction`]s and says what happens through [`LinkEvent`]s; media goes past those, through
//! [`Link::send_video`], [`Link::send_voice`] and a [`MediaSink`].
//!
//! [`LinkAction`]: quartet_core::LinkAction
//! [`LinkEvent`]: quartet_core::LinkEvent

mod link;
mod types;

pub use link::Link;
pub use types::{
    IceConfig, IcePolicy, LinkConfig, LinkError, LinkRole, LinkStats, MediaSink, StreamStats,
};
