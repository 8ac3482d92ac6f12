//! The path of a link, from the library's statistics.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtc::{
    peer_connection::transport::RTCIceCandidateType,
    statistics::stats::ice_candidate::RTCIceCandidateStats,
};
use tokio::time::timeout;
use webrtc::peer_connection::{PeerConnection, RTCStatsReport, RTCStatsReportEntry, StatsSelector};

use crate::{LinkStats, peer::is_stand_in};

/// The library's statistics wait for its lock; figures that come later are worth nothing.
const DEADLINE: Duration = Duration::from_secs(1);

/// Adds what is known of the selected path.
pub(super) async fn add_path(stats: &mut LinkStats, connection: &dyn PeerConnection) {
    let report = connection.get_stats(Instant::now(), StatsSelector::None);
    let Ok(report) = timeout(DEADLINE, report).await else { return };
    let selected = report.transport().map(|transport| &transport.selected_candidate_pair_id);
    let Some(pair) = report.candidate_pairs().find(|pair| Some(&pair.stats.id) == selected) else {
        return;
    };
    // 0 stands for «not measured yet». What media measures counts more: it is newer.
    let of_pair =
        Duration::try_from_secs_f64(pair.current_round_trip_time).ok().filter(|rtt| !rtt.is_zero());
    stats.rtt = stats.rtt.or(of_pair);
    // The pair names its candidates without the prefixes of their own entries.
    let local = candidate(&report, &format!("RTCLocalIceCandidate_{}", pair.local_candidate_id));
    stats.local_candidate = local.and_then(type_of);
    stats.relayed_by_stream = local.is_some_and(|local| is_stand_in_url(&local.url));
    // One that nobody has told was learnt from a check: the library keeps no entry of it.
    stats.remote_candidate =
        candidate(&report, &format!("RTCRemoteIceCandidate_{}", pair.remote_candidate_id))
            .and_then(type_of)
            .or_else(|| Some("prflx".to_owned()));
}

fn candidate<'a>(report: &'a RTCStatsReport, id: &str) -> Option<&'a RTCIceCandidateStats> {
    match report.get(id)? {
        RTCStatsReportEntry::LocalCandidate(candidate)
        | RTCStatsReportEntry::RemoteCandidate(candidate) => Some(candidate),
        _ => None,
    }
}

fn type_of(candidate: &RTCIceCandidateStats) -> Option<String> {
    let name = match candidate.candidate_type {
        RTCIceCandidateType::Host => "host",
        RTCIceCandidateType::Srflx => "srflx",
        RTCIceCandidateType::Prflx => "prflx",
        RTCIceCandidateType::Relay => "relay",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Whether `turn:ADDRESS:PORT…` names a server that is reached by a stream.
fn is_stand_in_url(url: &str) -> bool {
    let address = url.trim_start_matches("turns:").trim_start_matches("turn:");
    let address = address.split('?').next().unwrap_or_default();
    address.parse::<SocketAddr>().is_ok_and(|address| is_stand_in(address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_behind_a_tunnel_is_told_by_its_url() {
        assert!(is_stand_in_url("turn:240.0.0.1:3001?transport=udp"));
        assert!(is_stand_in_url("turn:[100::2]:3002?transport=udp"));
        assert!(!is_stand_in_url("turn:203.0.113.7:3478?transport=udp"));
        assert!(!is_stand_in_url("turn:turn.example.org:3478"));
        assert!(!is_stand_in_url(""));
    }
}
