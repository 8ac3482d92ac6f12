//! STUN and TURN servers for members, with credentials that are renewed before they end.

use std::time::Instant;

use quartet_proto::{IceServer, PeerId, RoomId, ServerMessage};

use super::Hub;
use crate::TurnCredentials;

impl Hub {
    /// What `peer` may use from now on; before the credentials end, others follow.
    pub(super) fn ice_servers_from_now(&mut self, id: RoomId, peer: PeerId) -> Vec<IceServer> {
        if let (Some(turn), Some((now, _))) = (&self.config.turn, self.clock) {
            let renew_at = now + turn.renewed_after();
            if let Some(seat) = self.rooms.get_mut(&id).and_then(|room| room.seat_mut(peer)) {
                seat.renew_at = Some(renew_at);
            }
            self.wake_by(renew_at);
        }
        self.ice_servers(peer)
    }

    fn ice_servers(&self, peer: PeerId) -> Vec<IceServer> {
        let mut servers = self.config.ice_servers.clone();
        if let (Some(turn), Some((_, date))) = (&self.config.turn, self.clock) {
            servers.push(turn.issue(date, peer));
        }
        servers
    }

    /// The date goes on with the time.
    pub(super) fn advance_clock(&mut self, now: Instant) {
        if let Some((then, date)) = &mut self.clock {
            *date += now.saturating_duration_since(*then);
            *then = now.max(*then);
        }
    }

    /// Fresh credentials for those whose old ones have lived long enough. Who is away gets theirs
    /// with the next welcome.
    pub(super) fn renew_credentials(&mut self, now: Instant) {
        let Some(after) = self.config.turn.as_ref().map(TurnCredentials::renewed_after) else {
            return;
        };
        let mut due = Vec::new();
        for seat in self.rooms.values_mut().flat_map(|room| &mut room.seats) {
            if let Some(conn) = seat.conn()
                && seat.renew_at.is_some_and(|at| at <= now)
            {
                seat.renew_at = Some(now + after);
                due.push((conn, seat.info.id));
            }
        }
        for (conn, peer) in due {
            let ice_servers = self.ice_servers(peer);
            self.send(conn, ServerMessage::IceServers { ice_servers });
        }
    }
}
