//! What is encoded and who gets what of it.

use quartet_core::{LinkEstimate, Rung, layers::Encoding};
use quartet_proto::{PeerId, PeerMessage};

use super::{Actor, links::Peer};
use crate::{DEFAULT_VIEW, TileId, figures::Sending};

/// One picture for everybody: three such, sent and received, fit into a home uplink of 2 Mbit/s,
/// and four people into two cores.
const ENCODING: Encoding = Encoding { rung: Rung::P360, bitrate_bps: 500_000, max_fps: 30 };

/// What was decided, and what it was made of.
#[derive(Debug)]
pub(super) struct Planning {
    encodings: Vec<Encoding>,
    /// How high the own tile is, in pixels of the screen.
    own_view: u16,
}

impl Default for Planning {
    fn default() -> Self {
        Self { encodings: Vec::new(), own_view: DEFAULT_VIEW }
    }
}

impl Planning {
    /// The encodings that run, and at which rate.
    pub(super) fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }
}

impl Actor {
    /// A tile is shown in another size.
    pub(super) fn view(&mut self, tile: TileId, height: u16) {
        match tile {
            TileId::Own => self.planning.own_view = height,
            TileId::Peer(peer) => {
                if let Some(known) = self.peer(peer) {
                    known.view = height;
                    known.say_view();
                }
            }
        }
    }

    /// A peer has said something past the server.
    pub(super) fn heard(&mut self, peer: PeerId, message: &PeerMessage) {
        let PeerMessage::View { height } = message;
        if let Some(known) = self.peer(peer) {
            known.shows = Some(*height);
        }
    }

    /// The path to a peer carries something else.
    pub(super) fn estimated(&mut self, peer: PeerId, estimate: LinkEstimate) {
        if let Some(known) = self.peer(peer) {
            known.estimate = Some(estimate);
        }
    }

    /// Runs what is needed now.
    pub(super) fn plan(&mut self) {
        let own = self.fan_out.own_tile.is_attached() && self.planning.own_view > 0;
        let shown = |peer: &Peer| peer.shows.is_none_or(|height| height > 0);
        let peers = self.call.iter().flat_map(|call| call.peers.values());
        let needed = own || peers.filter(|peer| peer.open_link().is_some()).any(shown);
        self.planning.encodings = if needed { vec![ENCODING] } else { Vec::new() };
        if let Some(camera) = self.sources.camera() {
            camera.set_rungs(&self.planning.encodings);
        }
    }

    /// What goes to a peer, for the figures.
    pub(super) fn sending(&self, _peer: PeerId) -> Sending {
        let encoding = self.planning.encodings.first();
        let Some((encoding, stats)) = encoding.zip(self.sources.encoder_stats()) else {
            return Sending::default();
        };
        let figures = &stats.rungs[encoding.rung as usize];
        Sending {
            width: figures.width,
            height: figures.height,
            target_bps: encoding.bitrate_bps,
            ..Sending::default()
        }
    }

    fn peer(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.call.as_mut()?.peers.get_mut(&peer)
    }
}

impl Peer {
    /// Tells the peer, if there is a link, how much of its picture is seen here.
    pub(super) fn say_view(&self) {
        if let Some(link) = self.open_link() {
            link.tell(&PeerMessage::View { height: self.view });
        }
    }
}
