//! One peer connection, configured as a link wants it.

mod addresses;
mod codecs;
mod handshake;
mod link_runtime;
mod servers;
mod tunnel;

use std::{ptr, sync::Arc, time::Duration};

use quartet_core::{LinkState, transfer::MAX_WINDOW_BYTES};
use quartet_proto::{Candidate, IceServer};
use rtc::{
    ice::mdns::MulticastDnsMode,
    media_stream::MediaStreamTrack,
    peer_connection::{configuration::RTCOfferOptions, transport::RTCDtlsRole},
    rtp,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters, RtpCodecKind,
    },
};
use tokio::sync::{Notify, mpsc, watch};
use webrtc::{
    data_channel::{DataChannel, RTCDataChannelInit},
    error::{Error, Result},
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::TrackRemote,
    },
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
        RTCIceCandidateInit, RTCIceGatheringState, RTCIceTransportPolicy,
        RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription, SettingEngine,
        SettingEngineBuilder,
    },
    rtp_transceiver::{
        RTCRtpTransceiverDirection, RTCRtpTransceiverInit, RtpSender, RtpTransceiver,
    },
    runtime::Runtime,
};

use self::{
    addresses::Addresses,
    link_runtime::{LinkRuntime, Relays},
};
pub(crate) use self::{codecs::TRANSPORT_CC, servers::Servers, tunnel::is_stand_in};
use crate::{
    IcePolicy, LinkConfig, LinkError,
    error::name,
    interceptor::{self, SenderClocks, Shared},
    steering::Steering,
};

/// Checks of one candidate pair: for a second. Connecting takes two intervals, for the library
/// nominates a pair at the next one and looks for the answer to that at the one after.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
const CHECKS: u16 = 50;
/// A relay costs delay and somebody's bandwidth: the direct paths have this long to be found.
const RELAY_HEAD_START: Duration = Duration::from_millis(300);
/// The peer is asked for a sign of life this often (RFC 7675 allows up to 5 s)…
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// …and after three without an answer the path counts as interrupted…
const DISCONNECTED_AFTER: Duration = Duration::from_secs(3);
/// …and after so long again as lost.
const FAILED_AFTER: Duration = Duration::from_secs(10);
/// Candidates and tracks on the way from the connection's task to the link's. The library has at
/// most one candidate for each socket and server, which are bounded.
const SIGNALS: usize = 256;

/// The data channels, which both ends open without asking (`negotiated`, W3C WebRTC §6.1): one for
/// the newest word on each matter…
const CHANNEL_LABEL: &str = "quartet";
const CHANNEL_ID: u16 = 0;
/// …one for the chat…
const CHAT_LABEL: &str = "chat";
const CHAT_ID: u16 = 1;
/// …and two for files: what is said of them, and their bytes.
const FILES_CONTROL_LABEL: &str = "files-control";
const FILES_CONTROL_ID: u16 = 2;
const FILES_LABEL: &str = "files";
const FILES_ID: u16 = 3;
/// Bytes that the peer may send on the channels without our having read them: what files may have
/// under way, and some words.
const CHANNEL_WINDOW: u32 = MAX_WINDOW_BYTES as u32 + 128 * 1024;
/// Bytes that we send on one without its having acknowledged them. Words wait long before.
const CHANNEL_BACKLOG: usize = 2 * MAX_WINDOW_BYTES as usize;

/// What the connection says of itself.
pub(crate) enum Signal {
    /// A local candidate, as a `candidate:` line.
    Candidate(String),
    /// There will be no more of this generation.
    EndOfCandidates,
    /// The first packet of a stream of the peer's has come.
    Track(Arc<dyn TrackRemote>),
}

/// Where the connection says it.
pub(crate) struct Signals {
    pub(crate) queue: mpsc::Receiver<Signal>,
    /// The latest state.
    pub(crate) state: watch::Receiver<Option<LinkState>>,
    /// The peer has asked for a key frame…
    pub(crate) key_frame_wanted: Arc<Notify>,
    /// …or for one of the shared screen.
    pub(crate) screen_key_frame_wanted: Arc<Notify>,
    /// The peer's clocks.
    pub(crate) clocks: Arc<SenderClocks>,
}

/// What is sent of one medium: the track, and the header fields that stay the same.
#[derive(Clone)]
pub(crate) struct Outgoing {
    track: Arc<TrackLocalStaticRTP>,
    sender: Arc<dyn RtpSender>,
    kind: RtpCodecKind,
    ssrc: u32,
    sequence: u16,
}

impl Outgoing {
    /// What was agreed on, as soon as something was: the codec's payload type, and that of packets
    /// with copies of earlier ones.
    pub(crate) async fn payload_types(&self) -> (Option<u8>, Option<u8>) {
        let Ok(parameters) = self.sender.get_parameters().await else { return (None, None) };
        let codecs = &parameters.rtp_parameters.codecs;
        (codecs::payload_type(self.kind, codecs), codecs::red_payload_type(codecs))
    }

    /// Sends one packet; waits while the connection's own queue is full. The error is that the
    /// connection has ended; the library's would print the packet.
    pub(crate) async fn write(
        &mut self,
        payload_type: u8,
        timestamp: u32,
        marker: bool,
        payload: bytes::Bytes,
    ) -> std::result::Result<(), ConnectionEnded> {
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..rtp::Header::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.track.write_rtp(rtp::Packet { header, payload }).await.map_err(|_| ConnectionEnded)
    }
}

/// The task that drives the connection is gone.
#[derive(Debug)]
pub(crate) struct ConnectionEnded;

/// A peer connection with a voice, a camera's picture and a screen's in each direction, and channels
/// for messages. The sections are always there: nothing is negotiated when a screen is shared.
pub(crate) struct Peer {
    pub(crate) connection: Arc<dyn PeerConnection>,
    pub(crate) voice: Outgoing,
    pub(crate) video: Outgoing,
    pub(crate) screen: Outgoing,
    pub(crate) channel: Arc<dyn DataChannel>,
    pub(crate) chat: Arc<dyn DataChannel>,
    /// For what is said of files, and for their bytes.
    pub(crate) files: [Arc<dyn DataChannel>; 2],
    screen_section: Arc<dyn RtpTransceiver>,
    certificates: Arc<[Vec<u8>]>,
    relays: Arc<Relays>,
}

/// What a connection is opened with.
struct Contents {
    voice: Outgoing,
    video: Outgoing,
    screen: Outgoing,
    screen_section: Arc<dyn RtpTransceiver>,
    channel: Arc<dyn DataChannel>,
    chat: Arc<dyn DataChannel>,
    files: [Arc<dyn DataChannel>; 2],
}

impl Peer {
    pub(crate) async fn open(
        config: &LinkConfig,
        steering: &Arc<Steering>,
    ) -> std::result::Result<(Self, Signals), LinkError> {
        let LinkConfig { ice, certificate, .. } = config;
        let addresses = Addresses::new(ice.bind.clone());
        let Servers { known: servers, tunnels } =
            servers::resolve(&ice.servers, &ice.certificates).await;
        let relays = Arc::<Relays>::default();
        relays.set(servers.iter().any(servers::is_relay), tunnels);
        let policy = match ice.policy {
            IcePolicy::All => RTCIceTransportPolicy::All,
            IcePolicy::Relay => RTCIceTransportPolicy::Relay,
        };
        let (queue, queue_end) = mpsc::channel(SIGNALS);
        let (state, state_end) = watch::channel(None);
        let key_frame_wanted = Arc::new(Notify::new());
        let screen_key_frame_wanted = Arc::new(Notify::new());
        let clocks = Arc::new(SenderClocks::default());
        let screen_ssrc = new_ssrc();
        let shared = Shared {
            key_frame_wanted: Arc::clone(&key_frame_wanted),
            screen_ssrc,
            screen_key_frame_wanted: Arc::clone(&screen_key_frame_wanted),
            clocks: Arc::clone(&clocks),
            steering: Arc::clone(steering),
        };
        let handler = Arc::new(Handler { queue, state });
        let build = |mdns| {
            let configuration = RTCConfigurationBuilder::default()
                .with_ice_servers(servers.clone())
                .with_ice_transport_policy(policy)
                .with_certificates(vec![certificate.inner()])
                .build();
            let handler = Arc::clone(&handler) as Arc<dyn PeerConnectionEventHandler>;
            let chain = interceptor::chain(shared.clone());
            let addresses = vec![addresses.clone()];
            let runtime: Arc<dyn Runtime> = Arc::new(LinkRuntime::new(Arc::clone(&relays)));
            async move {
                let connection = PeerConnectionBuilder::new()
                    .with_configuration(configuration)
                    .with_media_engine(codecs::media_engine()?)
                    .with_setting_engine(setting_engine(mdns))
                    .with_interceptor_registry(chain)
                    .with_handler(handler)
                    .with_runtime(runtime)
                    .with_udp_addrs(addresses)
                    .with_data_channel_send_buffer_limit(CHANNEL_BACKLOG)
                    .build()
                    .await?;
                Ok::<_, Error>(Arc::new(connection) as Arc<dyn PeerConnection>)
            }
        };
        let connection = if addresses.are_loopback() {
            build(MulticastDnsMode::Disabled).await
        } else {
            match build(MulticastDnsMode::QueryOnly).await {
                // Without a network there is no multicast group to join; and nobody to find in it.
                Err(error) => {
                    tracing::debug!(error = name(&error), "a link does without mDNS");
                    build(MulticastDnsMode::Disabled).await
                }
                built => built,
            }
        };
        let connection =
            connection.map_err(|error| LinkError::library("opening a link", &error))?;
        match Self::add_media(&connection, screen_ssrc).await {
            Ok(Contents { voice, video, screen, screen_section, channel, chat, files }) => {
                let signals = Signals {
                    queue: queue_end,
                    state: state_end,
                    key_frame_wanted,
                    screen_key_frame_wanted,
                    clocks,
                };
                let certificates = ice.certificates.clone().into();
                let peer = Self {
                    connection,
                    voice,
                    video,
                    screen,
                    channel,
                    chat,
                    files,
                    screen_section,
                    certificates,
                    relays,
                };
                Ok((peer, signals))
            }
            Err(error) => {
                let _ = connection.close().await;
                Err(LinkError::library("adding the media of a link", &error))
            }
        }
    }

    async fn add_media(connection: &Arc<dyn PeerConnection>, screen_ssrc: u32) -> Result<Contents> {
        // In the order of the sections.
        let (voice, _) = outgoing(connection, &VOICE, new_ssrc()).await?;
        let (video, _) = outgoing(connection, &CAMERA, new_ssrc()).await?;
        let (screen, screen_section) = outgoing(connection, &SCREEN, screen_ssrc).await?;
        let open = async |label, id| {
            let init = RTCDataChannelInit { negotiated: Some(id), ..Default::default() };
            connection.create_data_channel(label, Some(init)).await
        };
        let channel = open(CHANNEL_LABEL, CHANNEL_ID).await?;
        let chat = open(CHAT_LABEL, CHAT_ID).await?;
        let files = [
            open(FILES_CONTROL_LABEL, FILES_CONTROL_ID).await?,
            open(FILES_LABEL, FILES_ID).await?,
        ];
        Ok(Contents { voice, video, screen, screen_section, channel, chat, files })
    }

    /// Whether a track of the peer's that has come is its screen: that of the second section of
    /// pictures.
    pub(crate) async fn is_screen(&self, track: &Arc<dyn TrackRemote>) -> bool {
        let receiver = self.screen_section.receiver().await.ok().flatten();
        receiver.is_some_and(|it| ptr::addr_eq(Arc::as_ptr(it.track()), Arc::as_ptr(track)))
    }

    /// Whether both sides have described the section of the screen.
    pub(crate) async fn takes_screens(&self) -> bool {
        self.screen_section.mid().await.ok().flatten().is_some()
    }

    /// Makes an offer and stands by it.
    pub(crate) async fn offer(&self, ice_restart: bool) -> Result<String> {
        let options = RTCOfferOptions { ice_restart };
        let offer = self.connection.create_offer(Some(options)).await?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        Ok(sdp)
    }

    /// Answers an offer.
    pub(crate) async fn answer(&self, offer: String) -> Result<String> {
        let offer = RTCSessionDescription::offer(offer)?;
        self.connection.set_remote_description(offer).await?;
        let answer = self.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Takes the answer to the last offer.
    pub(crate) async fn take_answer(&self, answer: String) -> Result<()> {
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await
    }

    /// Looks up the names of other servers.
    pub(crate) fn resolve(
        &self,
        servers: Vec<IceServer>,
    ) -> impl Future<Output = Servers> + Send + use<> {
        let certificates = Arc::clone(&self.certificates);
        async move { servers::resolve(&servers, &certificates).await }
    }

    /// From the next ICE restart on, which binds new sockets, these servers are used. What the
    /// library refuses changes nothing: the path that is there needs none of them.
    pub(crate) async fn set_ice_servers(&self, servers: Servers) {
        let relay = servers.known.iter().any(servers::is_relay);
        let policy = self.connection.get_configuration().await.ice_transport_policy();
        let configuration = RTCConfigurationBuilder::default()
            .with_ice_servers(servers.known)
            .with_ice_transport_policy(policy)
            .build();
        if let Err(error) = self.connection.set_configuration(configuration).await {
            tracing::warn!(error = name(&error), "the ICE servers stay as they were");
            return;
        }
        self.relays.set(relay, servers.tunnels);
    }

    /// Takes a candidate of the peer's.
    pub(crate) async fn take_candidate(&self, candidate: &Candidate) -> Result<()> {
        let candidate = RTCIceCandidateInit {
            candidate: candidate.candidate.clone(),
            sdp_mid: candidate.sdp_mid.clone(),
            sdp_mline_index: candidate.sdp_mline_index,
            username_fragment: candidate.username_fragment.clone(),
            url: None,
        };
        self.connection.add_ice_candidate(candidate).await
    }
}

/// What is sent in one section.
struct Medium {
    kind: RtpCodecKind,
    /// Those of one stream a browser keeps in step.
    stream: &'static str,
    track: &'static str,
}

const VOICE: Medium = Medium { kind: RtpCodecKind::Audio, stream: "quartet", track: "audio" };
const CAMERA: Medium = Medium { kind: RtpCodecKind::Video, stream: "quartet", track: "video" };
const SCREEN: Medium = Medium { kind: RtpCodecKind::Video, stream: "screen", track: "screen" };

/// RFC 3550 §8: random, so that two streams of one session hardly ever collide.
fn new_ssrc() -> u32 {
    fastrand::u32(1..)
}

async fn outgoing(
    connection: &Arc<dyn PeerConnection>,
    medium: &Medium,
    ssrc: u32,
) -> Result<(Outgoing, Arc<dyn RtpTransceiver>)> {
    let kind = medium.kind;
    let rtx = (kind == RtpCodecKind::Video)
        .then(|| RTCRtpRtxParameters { ssrc: ssrc.wrapping_add(1).max(1) });
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx,
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec: codecs::main_codec(kind),
        ..RTCRtpEncodingParameters::default()
    };
    let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        medium.stream.to_owned(),
        medium.track.to_owned(),
        medium.track.to_owned(),
        kind,
        vec![encoding],
    )));
    let init = RTCRtpTransceiverInit {
        direction: RTCRtpTransceiverDirection::Sendrecv,
        streams: Vec::new(),
        send_encodings: Vec::new(),
    };
    let local = Arc::clone(&track) as Arc<dyn TrackLocal>;
    let transceiver = connection.add_transceiver_from_track(local, Some(init)).await?;
    // The codec of the encoding alone would leave the retransmissions out of the offer.
    transceiver.set_codec_preferences(codecs::parameters(kind)).await?;
    let sender = transceiver.sender().await?.ok_or(Error::ErrRTPSenderNotExisted)?;
    // RFC 3550 §5.1 wants a random start; the lower half, so that no wrap comes before the other
    // side has seen a packet (RFC 3711 §3.3.1).
    let sequence = fastrand::u16(..1 << 15);
    Ok((Outgoing { track, sender, kind, ssrc, sequence }, transceiver))
}

fn setting_engine(mdns: MulticastDnsMode) -> SettingEngine {
    SettingEngineBuilder::new()
        // A browser that offers again after having been the DTLS server fails otherwise.
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_multicast_dns_mode(mdns)
        .with_include_loopback_candidate(true)
        // A restart binds anew: that is how it follows the machine to another network.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_sctp_max_receive_buffer_size(CHANNEL_WINDOW)
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(FAILED_AFTER), Some(KEEP_ALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_relay_acceptance_min_wait(Some(RELAY_HEAD_START))
        .build()
}

/// Runs on the connection's own task: it only passes on, and never waits.
struct Handler {
    queue: mpsc::Sender<Signal>,
    state: watch::Sender<Option<LinkState>>,
}

impl Handler {
    fn pass_on(&self, signal: Signal) {
        if self.queue.try_send(signal).is_err() {
            tracing::warn!("a link is behind its connection, or gone: an event is dropped");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(init) = event.candidate.to_json()
            && !init.candidate.is_empty()
        {
            self.pass_on(Signal::Candidate(init.candidate));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.pass_on(Signal::EndOfCandidates);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::Connecting => LinkState::Connecting,
            RTCPeerConnectionState::Connected => LinkState::Connected,
            RTCPeerConnectionState::Disconnected => LinkState::Disconnected,
            RTCPeerConnectionState::Failed => LinkState::Failed,
            _ => return,
        };
        self.state.send_replace(Some(state));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.pass_on(Signal::Track(track));
    }
}
