//! The path of a link, from the library's statistics.

use std::time::{Duration, Instant};

use rtc::peer_connection::transport::RTCIceCandidateType;
use tokio::time::timeout;
use webrtc::peer_connection::{PeerConnection, RTCStatsReport, RTCStatsReportEntry, StatsSelector};

use crate::LinkStats;

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
    stats.local_candidate =
        candidate_type(&report, &format!("RTCLocalIceCandidate_{}", pair.local_candidate_id));
    // One that nobody has told was learnt from a check: the library keeps no entry of it.
    stats.remote_candidate =
        candidate_type(&report, &format!("RTCRemoteIceCandidate_{}", pair.remote_candidate_id))
            .or_else(|| Some("prflx".to_owned()));
}

fn candidate_type(report: &RTCStatsReport, id: &str) -> Option<String> {
    let candidate = match report.get(id)? {
        RTCStatsReportEntry::LocalCandidate(candidate)
        | RTCStatsReportEntry::RemoteCandidate(candidate) => candidate,
        _ => return None,
    };
    let name = match candidate.candidate_type {
        RTCIceCandidateType::Host => "host",
        RTCIceCandidateType::Srflx => "srflx",
        RTCIceCandidateType::Prflx => "prflx",
        RTCIceCandidateType::Relay => "relay",
        _ => return None,
    };
    Some(name.to_owned())
}
