//! The pages as files, and their addresses with what they are told.

use std::{fs, path::Path};

use quartet_proto::RoomId;
use serde::Serialize;

const PAGE: &str = include_str!("../../page/page.html");
const COMMON: &str = include_str!("../../page/page.js");
const PICTURES: &str = include_str!("../../page/pictures.js");
const MESH: &str = include_str!("../../page/mesh.js");
const QUARTET: &str =
    concat!(include_str!("../../page/proof.js"), "\n", include_str!("../../page/quartet.js"));

/// What a page is told in its address; see `page/page.js`.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageOptions {
    pub(super) relay: String,
    pub(super) name: String,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) fps: u32,
    pub(super) max_bitrate: u32,
    pub(super) ice_servers: Vec<PageIceServer>,
    pub(super) relay_only: bool,
    pub(super) show: bool,
    /// A Quartet call instead of a mesh; see `page/quartet.js`.
    #[serde(flatten)]
    pub(super) quartet: Option<QuartetCall>,
}

/// An `RTCIceServer`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PageIceServer {
    pub(super) urls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential: Option<String>,
}

/// Which Quartet call a page goes to, and what it wants there.
#[derive(Debug, Clone, Serialize)]
pub struct QuartetCall {
    /// The signalling server's WebSocket.
    pub server: String,
    /// The room there.
    pub room: RoomId,
    /// What is behind the `#` of its link.
    pub secret: String,
    /// Voice packets carry copies of those before (RFC 2198).
    pub red: bool,
}

impl PageOptions {
    /// The address of the page, which is written into `folder`, with these options.
    pub(super) fn address(&self, folder: &Path) -> anyhow::Result<String> {
        let (name, call) = match self.quartet {
            Some(_) => ("quartet", QUARTET),
            None => ("mesh", MESH),
        };
        let page = PAGE
            .replace("{{pictures.js}}", PICTURES)
            .replace("{{page.js}}", COMMON)
            .replace("{{call.js}}", call);
        let file = folder.join(name).with_extension("html");
        fs::write(&file, page)?;
        let options: String =
            serde_json::to_string(self)?.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Ok(format!("file://{}#{options}", file.display()))
    }
}
